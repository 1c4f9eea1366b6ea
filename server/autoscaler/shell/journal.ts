/** What was decided and why, and who changed what: the last entries, on record. */
import type { Reason } from "../../../protocol/rest.ts";
import type { Action, Decision, PolicyName } from "../model.ts";
import { type DocumentWrite, put, type Records, rooms } from "./records.ts";

export interface JournalAction {
  type: Exclude<Action["type"], "missed">;
  /** The instance, the order or the provider's id that it is about; null for a launch that has none yet. */
  subject: string | null;
  count: number;
  /** What is bought, best first: the first of the order's offerings. */
  offering: string | null;
  reason: Reason;
}

export interface JournalEntry {
  sequence: number;
  atMs: number;
  policy: PolicyName;
  desired: number;
  have: number;
  neededRate: number;
  volunteerRate: number;
  shortfallRate: number;
  actions: JournalAction[];
  holds: Reason[];
  alerts: Reason[];
  /** Set where a person did it, and not the decision. */
  by: string | null;
}

const entriesMax = 500;
const actionsMax = 50;

export class Journal {
  readonly entries: JournalEntry[] = [];
  #next = 1;
  #writes: DocumentWrite[] = [];
  #said = "";

  async load(records: Records): Promise<void> {
    this.entries.length = 0;
    for (const { value } of await records.documents(rooms.log)) this.entries.push(JSON.parse(value) as JournalEntry);
    this.#next = (this.entries.at(-1)?.sequence ?? 0) + 1;
    this.#writes = [];
  }

  /** Keeps a decision that did something, or that has something new to say. */
  decided(decision: Decision): void {
    const actions = decision.actions.filter((action) => action.type !== "missed").map(entryOf);
    const said = [...decision.holds, ...decision.alerts].map(({ code }) => code).join();
    const news = said !== this.#said;
    this.#said = said;
    if (actions.length === 0 && !news) return;
    const { atMs, policy, desired, have, neededRate, volunteerRate, shortfallRate, holds, alerts } = decision;
    this.#add({
      ...{ atMs, policy, desired, have, neededRate, volunteerRate, shortfallRate, holds, alerts, by: null },
      actions: actions.slice(0, actionsMax),
    });
  }

  /** Somebody changed the policy or the target, or asked for instances. */
  changed(by: string, reason: Reason, policy: PolicyName, atMs: number): void {
    const none = { desired: 0, have: 0, neededRate: 0, volunteerRate: 0, shortfallRate: 0, actions: [], alerts: [] };
    this.#add({ ...none, atMs, policy, holds: [reason], by });
  }

  takeWrites(): DocumentWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  #add(entry: Omit<JournalEntry, "sequence">): void {
    const full: JournalEntry = { sequence: this.#next++, ...entry };
    this.entries.push(full);
    this.#writes.push(put(rooms.log, keyOf(full.sequence), full));
    while (this.entries.length > entriesMax) {
      const oldest = this.entries.shift() as JournalEntry;
      this.#writes.push(put(rooms.log, keyOf(oldest.sequence), null));
    }
  }
}

/** In order as text as well. */
const keyOf = (sequence: number): string => String(sequence).padStart(12, "0");

function entryOf(action: Exclude<Action, { type: "missed" }>): JournalAction {
  const { type, reason } = action;
  switch (action.type) {
    case "launch":
      return {
        type,
        subject: null,
        count: action.count,
        offering: action.offerings[0]?.id ?? null,
        reason,
      } as JournalAction;
    case "replay":
      return { type, subject: action.order, count: 1, offering: null, reason } as JournalAction;
    case "sweep":
      return { type, subject: action.cloudId, count: 1, offering: null, reason } as JournalAction;
    default:
      return { type, subject: action.instance, count: 1, offering: null, reason } as JournalAction;
  }
}
