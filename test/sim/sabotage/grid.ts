/**
 * The real core among a crowd of volunteers, some of whom lie: what is durable is so at once, the judge is quick, and
 * nothing but what the crowd does goes wrong. The faults of disks and networks are `test/sim/world.ts`'s.
 */

import type { Verification } from "../../../kernels/contract.ts";
import type { CoreEvent, CorePorts, Effect, JudgeRequest, NewJob } from "../../../server/core/events.ts";
import { toyDefaults, toyWorkload } from "../../../server/core/fixtures.ts";
import { createState, step } from "../../../server/core/grid.ts";
import { newJob } from "../../../server/core/harness.ts";
import type { CoreConfig } from "../../../server/core/limits.ts";
import type { CoreState, Lease } from "../../../server/core/state.ts";
import type { Random } from "../random.ts";
import { Timeline } from "../timeline.ts";
import { countWrong, type Kept, SabotageRecord } from "./record.ts";

const ports: CorePorts = { ticket: ({ id, job, round, lo, hi, node }) => `${id}/${job}/${round}/${lo}/${hi}/${node}` };

/** What the coordinator tells whoever is behind a connection. */
export interface Ear {
  leased(lease: Lease): void;
  /** The lease is not wanted any more. */
  revoked(lease: string): void;
  banned(): void;
  closed(): void;
}

export interface GridOptions {
  random: Random;
  verification: Verification;
  /** A check recomputes every grain's claim, as for workloads with a complete certificate. */
  certified: boolean;
  config: Partial<CoreConfig>;
}

export class SabotageGrid {
  readonly timeline = new Timeline();
  readonly record = new SabotageRecord();
  readonly state: CoreState;
  readonly bannedNodes = new Set<string>();
  submitted = 0;
  reopened = 0;
  readonly #seeds = new Map<string, NewJob>();
  readonly #ears = new Map<number, Ear>();
  #connections = 0;
  #depth = 0;

  constructor(private readonly options: GridOptions) {
    // Silence is no fault of this scenario: nodes that vanish let their leases expire.
    this.state = createState({ silentMs: Number.MAX_SAFE_INTEGER, ...options.config }, 1);
    this.#tick();
  }

  #tick(): void {
    this.timeline.after(1_000, () => {
      this.dispatch({ type: "tick" });
      this.#tick();
    });
  }

  submit(grains: number): void {
    const id = `j${++this.submitted}`;
    const { certified, verification } = this.options;
    const certificate = certified ? "complete" : "none";
    const payload = {
      ...toyDefaults,
      grains,
      cost: 1,
      certificate,
      backends: ["wasm", "webgpu"] as ("wasm" | "webgpu")[],
    } as const;
    const job = newJob(id, payload, { submitter: `s${this.submitted % 4}`, hasCheck: certified, verification });
    this.#seeds.set(id, job);
    this.dispatch({ type: "submit", job, record: { payloadJson: null, idempotencyKey: null, bodyHash: null } });
  }

  connect(ear: Ear, event: Omit<Extract<CoreEvent, { type: "hello" }>, "type" | "connection">, speed: number): number {
    const connection = ++this.#connections;
    this.#ears.set(connection, ear);
    this.dispatch({ type: "hello", connection, ...event });
    const backend = event.preferences.slots.webgpu > 0 ? "webgpu" : "wasm";
    const opsPerSecond = speed * toyWorkload.opsPerCoreSecond;
    const speeds = [{ workload: "toy", backend, opsPerSecond }] as const;
    this.dispatch({ type: "message", connection, message: { type: "calibration", speeds: [...speeds] } });
    return connection;
  }

  disconnect(connection: number): void {
    if (this.#ears.delete(connection)) this.dispatch({ type: "disconnected", connection });
  }

  dispatch(event: CoreEvent): void {
    this.#step(event);
    if (this.#depth === 0) this.#step({ type: "place" });
  }

  #step(event: CoreEvent): void {
    this.#depth++;
    this.#perform(step(this.state, event, this.timeline.now, this.options.random.next(), ports));
    this.#depth--;
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      switch (effect.type) {
        case "commit":
          for (const write of effect.writes) this.record.apply(write, this.#seeds, this.timeline.now);
          this.#perform(effect.afterwards);
          if (effect.event) this.#step(effect.event);
          break;
        case "lease":
          this.#ears.get(effect.connection)?.leased({ ...effect.lease });
          break;
        case "send":
          if (effect.message.type === "revoke") this.#ears.get(effect.connection)?.revoked(effect.message.lease);
          break;
        case "close":
          this.#close(effect.connection, effect.code);
          break;
        case "judge":
          this.#judge(effect.request);
          break;
        case "bring":
          this.#later({
            ...effect,
            type: "brought",
            partials: (this.record.results.get(effect.result) as Kept).partials,
          });
          break;
        case "tainted":
          this.timeline.after(10, () => this.#reopen());
          break;
        case "note":
          if (effect.code === "node_banned") this.bannedNodes.add(effect.node as string);
          break;
        default:
      }
    }
  }

  #close(connection: number, code: string): void {
    const ear = this.#ears.get(connection);
    this.#ears.delete(connection);
    // Not within the step that says so.
    this.timeline.after(0, () => (code === "banned" ? ear?.banned() : ear?.closed()));
  }

  #later(event: CoreEvent): void {
    this.timeline.after(1, () => this.dispatch(event));
  }

  #judge(request: JudgeRequest): void {
    switch (request.type) {
      case "take": {
        const { job, result, check, partials } = request;
        if (!check) return;
        const wrong = countWrong(partials);
        this.#later({ type: "checked", job, result, reason: wrong > 0 ? `${wrong} grains are wrong` : null, wrong });
        return;
      }
      case "compare": {
        const { job, result, grain, mine, theirs } = request;
        const differ = mine[0] !== theirs[0];
        this.#later({ type: "compared", job, result, grain, reason: differ ? "bytes differ" : null, proof: true });
        return;
      }
      case "finish":
        this.#later({ ...request, type: "finished", output: "", outputBlob: null });
        return;
      default:
    }
  }

  /** As the shell does it after a proof: every finished job that rests on that node's word. */
  #reopen(): void {
    for (const stored of this.record.tainted()) {
      const { id } = stored.seed;
      const before = this.state.jobs.get(id);
      this.dispatch({ type: "reopen", stored });
      const job = this.state.jobs.get(id);
      if (!job || job === before) continue;
      this.reopened++;
      for (const result of [...job.results.keys()]) {
        const { partials } = this.record.results.get(result) as Kept;
        this.dispatch({ type: "restored", job: id, result, partials });
      }
      this.dispatch({ type: "restored.all", job: id });
    }
  }
}
