/** What the steps of one decision share. */
import type { Reason } from "../../protocol/rest.ts";
import { costs, counts } from "./ledger.ts";
import type { ScalerMemory } from "./memory.ts";
import type { Action, InstanceNode, InstanceRow, Observation, PolicyName, Target } from "./model.ts";
import type { Settings } from "./settings.ts";

export interface DecideInput {
  policy: PolicyName;
  target: Target;
  settings: Settings;
  /** Dollars an hour to be added to a region's prices for work from `origin`; absent: places do not matter. */
  regionCost?(region: string, origin: string | null): number;
}

const leaving: ReadonlySet<Action["type"]> = new Set(["drain", "terminate", "gone", "abandon"]);

export class Turn {
  readonly actions: Action[] = [];
  readonly holds: Reason[] = [];
  readonly alerts: Reason[] = [];
  /** Rows that an action of this turn is about: one action for each. */
  readonly #taken = new Set<string>();
  /** Of those, the ones that are no capacity any more. */
  readonly #leaving = new Set<string>();

  /** Rows that may cost money: few of many, since the ledger remembers what ended. */
  readonly living: readonly InstanceRow[];

  constructor(
    readonly observation: Observation,
    readonly memory: ScalerMemory,
    readonly input: DecideInput,
  ) {
    this.living = observation.instances.filter(costs);
  }

  get nowMs(): number {
    return this.observation.nowMs;
  }

  get settings(): Settings {
    return this.input.settings;
  }

  isTaken(row: InstanceRow): boolean {
    return this.#taken.has(row.id);
  }

  act(action: Exclude<Action, { type: "launch" | "replay" | "sweep" }>): void {
    this.#taken.add(action.instance);
    if (leaving.has(action.type)) this.#leaving.add(action.instance);
    this.actions.push(action);
  }

  do(action: Extract<Action, { type: "launch" | "replay" | "sweep" }>): void {
    this.actions.push(action);
  }

  hold(code: string, message: string): void {
    this.holds.push({ code, message });
  }

  alert(code: string, message: string): void {
    this.alerts.push({ code, message });
  }

  nodeOf(row: InstanceRow): InstanceNode | undefined {
    return row.node === null ? undefined : this.observation.nodes.get(row.node);
  }

  isOnline(row: InstanceRow): boolean {
    return this.nodeOf(row)?.online === true;
  }

  /** Capacity, now or soon: not on its way out, and not out of reach. */
  capacity(): InstanceRow[] {
    return this.living.filter(
      (row) => counts(row) && !this.#leaving.has(row.id) && (row.state !== "REGISTERED" || this.isOnline(row)),
    );
  }
}

export const reason = (code: string, message: string): Reason => ({ code, message });
