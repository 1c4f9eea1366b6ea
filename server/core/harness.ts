/** A grid on a table top, for tests: the core, a record that is durable at once, and a judge that answers when asked. */
import type { Verification } from "../../kernels/contract.ts";
import type { Capabilities, HeldLease, NodeMessage, Preferences } from "../../protocol/messages.ts";
import { packPartials } from "../../protocol/partials.ts";
import { checkState } from "./check.ts";
import type { CoreEvent, CorePorts, CoreWrite, Effect, JudgeRequest, NewJob } from "./events.ts";
import { type ToyPayload, toyDefaults, toyPartial, toyWorkload } from "./fixtures.ts";
import { createState, step } from "./grid.ts";
import type { CoreConfig } from "./limits.ts";
import type { CoreState, Job, Lease } from "./state.ts";

export const kernel = "a".repeat(64);
export const build = "b".repeat(64);

export const ports: CorePorts = {
  ticket: ({ id, job, round, lo, hi, node }) => `${id}/${job}/${round}/${lo}/${hi}/${node}`,
};

export const capabilities: Capabilities = {
  kind: "native",
  software: "test",
  platform: null,
  cpu: { model: null, cores: 1 },
  ramBytes: null,
  wasm: { simd: true, threads: false },
  gpu: null,
  accelerators: [],
  engines: [],
};

export const preferences = (wasm = 1, webgpu = 0): Preferences => ({
  slots: { wasm, webgpu, native: 0 },
  families: ["toys"],
  name: null,
});

/** As by default, but with one grain to an audit. */
export const tested: Verification = {
  audit: 0.1,
  auditGrains: 1,
  closingGrains: 4,
  redundancy: 1,
  jobError: null,
  early: false,
};

export interface JoinOptions {
  network?: string;
  own?: boolean;
  /** An instance of the autoscaler's. */
  hired?: boolean;
  slots?: number;
  /** Core-seconds per second of a slot, told as a calibration. */
  speed?: number;
  session?: string;
  holding?: readonly HeldLease[];
  capabilities?: Partial<Capabilities>;
  preferences?: Preferences;
}

export interface Answer {
  lo?: number;
  hi?: number;
  lie?: boolean;
  ms?: number;
  seq?: number;
  ticket?: string;
  round?: number;
  kernel?: string;
  connection?: number;
}

export class TestGrid {
  now = 1_000_000;
  /** Performed effects that were not looked at yet. */
  effects: Exclude<Effect, { type: "commit" }>[] = [];
  writes: CoreWrite[] = [];
  requests: JudgeRequest[] = [];
  readonly state: CoreState;
  readonly connections = new Map<string, number>();
  /** While true, commits wait, as with a slow disk. */
  slowDisk = false;
  #waiting: Extract<Effect, { type: "commit" }>[] = [];
  #connection = 0;
  #seq = 0;

  constructor(config: Partial<CoreConfig> = {}, epoch = 1) {
    // Slices as long as speed has them, unless newcomers' are what is tested.
    this.state = createState({ newcomerGrains: [], ...config }, epoch);
  }

  /** One turn: the event, what follows from its commits, and a look for work. */
  do(event: CoreEvent, entropy = 0.5): this {
    this.#run(event, entropy);
    this.#run({ type: "place" }, entropy);
    return this;
  }

  #run(event: CoreEvent, entropy: number): void {
    const effects = step(this.state, event, this.now, entropy, ports);
    checkState(this.state);
    this.#perform(effects);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type !== "commit") {
        if (effect.type === "judge") this.requests.push(effect.request);
        this.effects.push(effect);
      } else if (this.slowDisk) this.#waiting.push(effect);
      else this.#release(effect);
    }
  }

  #release(commit: Extract<Effect, { type: "commit" }>): void {
    this.writes.push(...commit.writes);
    this.#perform(commit.afterwards);
    if (commit.event) this.#run(commit.event, 0.5);
  }

  /** What waited for the disk is durable. */
  sync(): this {
    this.slowDisk = false;
    for (const commit of this.#waiting.splice(0)) this.#release(commit);
    this.#run({ type: "place" }, 0.5);
    return this;
  }

  /** Time passes, with a tick each second. */
  pass(ms: number): this {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(end, this.now + 1_000);
      this.do({ type: "tick" });
    }
    return this;
  }

  submit(id: string, payload: Partial<ToyPayload> = {}, seed: Partial<NewJob> = {}): Job {
    const job = newJob(id, payload, seed);
    this.do({ type: "submit", job, record: { payloadJson: null, idempotencyKey: null, bodyHash: null } });
    return this.state.jobs.get(id) as Job;
  }

  join(node: string, options: JoinOptions = {}): this {
    const connection = ++this.#connection;
    this.connections.set(node, connection);
    this.do({
      type: "hello",
      connection,
      node,
      own: options.own ?? false,
      ...(options.hired ? { hired: true } : {}),
      network: options.network ?? "loopback",
      session: options.session ?? `session of ${node}`,
      capabilities: { ...capabilities, ...options.capabilities },
      preferences: options.preferences ?? preferences(options.slots ?? 1),
      holding: options.holding ?? [],
      history: { acceptedSlices: 0, rejectedSlices: 0, coreSeconds: 0 },
    });
    if (options.speed !== undefined) {
      const opsPerSecond = options.speed * toyWorkload.opsPerCoreSecond;
      this.say(node, { type: "calibration", speeds: [{ workload: "toy", backend: "wasm", opsPerSecond }] });
    }
    return this;
  }

  say(node: string, message: Exclude<NodeMessage, { type: "hello" | "result" }>): this {
    return this.do({ type: "message", connection: this.connections.get(node) as number, message });
  }

  leave(node: string): this {
    return this.do({ type: "disconnected", connection: this.connections.get(node) as number });
  }

  /** Leases that a node holds, in order of issue. */
  leasesOf(node: string): Lease[] {
    return [...(this.state.nodes.get(node)?.leases ?? [])].map((id) => ({ ...(this.state.leases.get(id) as Lease) }));
  }

  /** The node of `lease` answers for all of it, or for [lo, hi). Returns the message's number. */
  answer(lease: Lease, answer: Answer = {}, payload: Partial<ToyPayload> = {}, entropy = 0.5): number {
    const seed = this.state.jobs.get(lease.job)?.payload as ToyPayload | undefined;
    const full = { ...toyDefaults, ...seed, ...payload };
    const lo = answer.lo ?? lease.next;
    const hi = answer.hi ?? lease.hi;
    const seq = answer.seq ?? ++this.#seq;
    const partials: Uint8Array[] = [];
    for (let grain = lo; grain < hi; grain++) {
      partials.push(toyPartial(full.seed, lease.round, grain, answer.lie ?? false));
    }
    this.do(
      {
        type: "result",
        connection: answer.connection ?? (this.connections.get(lease.node) as number),
        result: {
          type: "result",
          seq,
          lease: lease.id,
          ticket: answer.ticket ?? lease.ticket,
          job: lease.job,
          round: answer.round ?? lease.round,
          leaseLo: lease.lo,
          leaseHi: lease.hi,
          lo,
          hi,
          backend: lease.backend,
          kernel: answer.kernel ?? kernel,
          build,
          partials: packPartials(partials),
          computeMs: answer.ms ?? 1_000 * (hi - lo),
          root: new Uint8Array(32),
          signature: new Uint8Array(64),
        },
      },
      entropy,
    );
    return seq;
  }

  /** Effects of one type since they were last taken. */
  take<T extends Effect["type"]>(type: T): Extract<Effect, { type: T }>[] {
    const found = this.effects.filter((effect) => effect.type === type);
    this.effects = this.effects.filter((effect) => effect.type !== type);
    return found as Extract<Effect, { type: T }>[];
  }

  /** How a message was acknowledged: null for well, a reason, or undefined while it was not. */
  ackOf(seq: number): string | null | undefined {
    for (const effect of this.effects) if (effect.type === "ack" && effect.seq === seq) return effect.rejected;
    return undefined;
  }
}

export function newJob(id: string, payload: Partial<ToyPayload> = {}, seed: Partial<NewJob> = {}): NewJob {
  return {
    id,
    submitter: "ada",
    workload: toyWorkload as NewJob["workload"],
    payload: { ...toyDefaults, ...payload },
    payloadBlob: null,
    priority: 5,
    kernel,
    files: { "wasm-simd": { sha256: build, bytes: 1 } },
    hasCheck: false,
    verification: tested,
    ...seed,
  };
}
