/**
 * The shell around the core, simulated: group commits that take time, a judge, connections; and death, at any
 * moment, with all that memory held. The batch on its way to the record then is there, or not.
 */
import type { NodeMessage, ResultMessage } from "../../protocol/messages.ts";
import { checkState } from "../../server/core/check.ts";
import type { CoreEvent, CorePorts, Effect, NewJob } from "../../server/core/events.ts";
import { type step as coreStep, createState } from "../../server/core/grid.ts";
import { restoreJob } from "../../server/core/restore.ts";
import type { CoreState, Job } from "../../server/core/state.ts";
import { restoreTrust } from "../../server/core/trust.ts";
import { SimJudge } from "./judge.ts";
import type { Connection } from "./network.ts";
import type { Pending } from "./record.ts";
import type { World } from "./world.ts";

export type Step = typeof coreStep;
type Hello = Extract<CoreEvent, { type: "hello" }>;

interface Batch {
  writes: Pending[];
  afterwards: Effect[];
  events: CoreEvent[];
}

const emptyBatch = (): Batch => ({ writes: [], afterwards: [], events: [] });

export class SimCoordinator {
  state: CoreState;
  judge: SimJudge;
  up = false;
  steps = 0;
  readonly #connections = new Map<number, Connection>();
  readonly #seeds = new Map<string, NewJob>();
  readonly #audits = new Set<string>();
  #gathering = emptyBatch();
  #inFlight: Batch | null = null;
  #inTurn = false;
  /** Rises with each death: what was scheduled for an earlier life does not happen. */
  #life = 0;

  constructor(private readonly world: World) {
    this.state = createState(world.config, 0);
    this.judge = new SimJudge(
      world,
      () => undefined,
      () => {},
    );
  }

  /** Opens the record and rebuilds what was open; partials come in some at a time, while nodes come back. */
  start(): void {
    const { world } = this;
    const life = ++this.#life;
    this.state = createState(world.config, ++world.record.epoch);
    this.state.nextResult = world.record.lastResult + 1;
    restoreTrust(
      this.state,
      [...world.record.trust.values()].map((trust) => structuredClone(trust)),
    );
    this.judge = new SimJudge(
      world,
      (id) => this.state.jobs.get(id),
      (event) => {
        if (life === this.#life) this.dispatch(event);
      },
    );
    this.#gathering = emptyBatch();
    this.#inFlight = null;
    this.up = true;
    for (const stored of world.record.open()) this.#restore(stored, life);
    this.#reopen(life);
    const tick = () => {
      if (life !== this.#life) return;
      this.dispatch({ type: "tick" });
      world.timeline.after(1_000, tick);
    };
    tick();
  }

  #restore(stored: Parameters<typeof restoreJob>[1], life: number): void {
    const { timeline } = this.world;
    this.#seeds.set(stored.seed.id, stored.seed);
    const job = restoreJob(this.state, stored, timeline.now);
    checkState(this.state);
    this.#bring(job, life);
  }

  /** What the record says is tainted is opened again, as the shell does it: some time after the proof is durable. */
  #reopen(life: number): void {
    const { timeline, random, record } = this.world;
    timeline.after(random.log(1, 100), () => {
      if (life !== this.#life) return;
      for (const stored of record.tainted()) {
        const { id } = stored.seed;
        const before = this.state.jobs.get(id);
        timeline.after(random.log(1, 50), () => {
          if (life !== this.#life) return;
          this.dispatch({ type: "reopen", stored });
          const job = this.state.jobs.get(id);
          if (job && job !== before) this.#bring(job, life);
        });
      }
    });
  }

  #bring(job: Job, life: number): void {
    const { timeline, random, record } = this.world;
    const ids = [...job.results.values()]
      .filter((result) => job.judged || result.standing === "candidate")
      .map((result) => result.id);
    const bring = (from: number): void => {
      if (life !== this.#life) return;
      const some = ids.slice(from, from + 1 + random.int(0, 20));
      this.dispatch(
        ...some.map((result): CoreEvent => {
          const { partials } = record.results.get(result) as { partials: Uint8Array };
          return { type: "restored", job: job.id, result, partials };
        }),
      );
      if (from + some.length < ids.length) timeline.after(random.log(1, 100), () => bring(from + some.length));
      else this.dispatch({ type: "restored.all", job: job.id });
    };
    timeline.after(random.log(1, 50), () => bring(0));
  }

  /** Dies now. `kept`: whether the batch on its way reached the record. */
  die(kept: boolean): void {
    this.#life++;
    this.up = false;
    if (this.#inFlight && kept) this.world.record.commit(this.#inFlight.writes);
    for (const connection of this.#connections.values()) connection.closeAtNode();
    this.#connections.clear();
  }

  // ---- nodes ----------------------------------------------------------------------------------------

  hello(connection: Connection, event: Omit<Hello, "connection" | "type">): void {
    if (!this.up) {
      connection.closeAtNode();
      return;
    }
    this.#connections.set(connection.id, connection);
    this.dispatch({ type: "hello", connection: connection.id, ...event });
  }

  receive(connection: Connection, message: Exclude<NodeMessage, { type: "hello" }>): void {
    if (!this.#connections.has(connection.id)) return;
    if (message.type === "result") this.dispatch({ type: "result", connection: connection.id, result: message });
    else this.dispatch({ type: "message", connection: connection.id, message });
  }

  disconnected(connection: Connection): void {
    if (this.#connections.delete(connection.id)) this.dispatch({ type: "disconnected", connection: connection.id });
  }

  submit(job: NewJob): void {
    this.#seeds.set(job.id, job);
    this.dispatch({ type: "submit", job, record: { payloadJson: null, idempotencyKey: null, bodyHash: null } });
  }

  // ---- the loop -------------------------------------------------------------------------------------

  /** One turn, as in the product: events, a look for work, one commit for all of it. */
  dispatch(...events: CoreEvent[]): void {
    if (!this.up) return;
    for (const event of events) this.#step(event);
    this.#endTurn();
  }

  #step(event: CoreEvent): void {
    const { core, timeline, random } = this.world;
    this.steps++;
    const effects = core.step(this.state, event, timeline.now, random.next(), core.ports);
    if (this.world.checkEveryEvent) checkState(this.state);
    this.#perform(effects);
  }

  #perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type !== "commit") {
        this.#performOne(effect);
        continue;
      }
      for (const write of effect.writes) {
        const seed = write.type === "job.insert" ? (this.#seeds.get(write.job) ?? null) : null;
        this.#gathering.writes.push({ write: structuredStats(write), seed, atMs: this.world.timeline.now });
      }
      this.#gathering.afterwards.push(...effect.afterwards);
      if (effect.event) this.#gathering.events.push(effect.event);
    }
  }

  #endTurn(): void {
    if (this.#inTurn) return;
    this.#inTurn = true;
    this.#step({ type: "place" });
    while (!this.#inFlight && this.#gathering.writes.length === 0 && this.#isWaiting()) this.#release(this.#take());
    this.#inTurn = false;
    if (!this.world.checkEveryEvent) checkState(this.state);
    this.#commit();
  }

  #isWaiting(): boolean {
    return this.#gathering.afterwards.length + this.#gathering.events.length > 0;
  }

  #take(): Batch {
    const batch = this.#gathering;
    this.#gathering = emptyBatch();
    return batch;
  }

  #release(batch: Batch): void {
    this.#perform(batch.afterwards);
    for (const event of batch.events) this.#step(event);
    if (batch.events.length > 0) this.#step({ type: "place" });
  }

  #commit(): void {
    if (this.#inFlight || this.#gathering.writes.length === 0) return;
    const batch = this.#take();
    this.#inFlight = batch;
    const life = this.#life;
    const { random } = this.world;
    const ms = random.chance(0.02) ? random.between(100, 1_000) : random.log(1, 20);
    this.world.timeline.after(ms, () => {
      if (life !== this.#life) return;
      this.#inFlight = null;
      this.world.record.commit(batch.writes);
      this.#inTurn = true;
      this.#release(batch);
      this.#inTurn = false;
      this.#endTurn();
    });
  }

  #performOne(effect: Exclude<Effect, { type: "commit" }>): void {
    switch (effect.type) {
      case "send":
        this.#connections.get(effect.connection)?.down(effect.message);
        return;
      case "lease": {
        const { id, ticket, job, round, lo, hi, backend, audit, speculative } = effect.lease;
        if (audit !== null) this.#audits.add(id);
        if (effect.lease.replica) this.world.count("replica leased");
        if (speculative) this.world.count("copy of last grains");
        const saved = effect.lease.checkpoint?.bytes.length ? { checkpoint: effect.lease.checkpoint.bytes } : {};
        const message = { type: "lease" as const, lease: id, ticket, job, round, lo, hi, backend, ...saved };
        this.#connections.get(effect.connection)?.down({ ...message, deadlineMs: effect.deadlineMs });
        return;
      }
      case "ack": {
        const { seq, rejected } = effect;
        const connection = this.#connections.get(effect.connection);
        const message = connection?.node.sent(seq);
        if (rejected === null && message) this.#assertSafe(message);
        const told = rejected === null ? [] : [{ seq, reason: rejected }];
        connection?.down({ type: "ack", seqs: rejected === null ? [seq] : [], rejected: told });
        return;
      }
      case "close": {
        const connection = this.#connections.get(effect.connection);
        if (!connection) return;
        this.#connections.delete(effect.connection);
        const { code, message, remedy, retryMs } = effect;
        if (code === "banned") connection.node.banned = true;
        if (code === "silent") this.world.count("told silent");
        if (code === "already_here") this.world.count("told already here");
        connection.down({ type: "refuse", code, message, remedy, retryMs });
        connection.closeAtNode();
        return;
      }
      case "judge":
        this.judge.request(effect.request);
        return;
      case "bring": {
        const { job, result } = effect;
        const life = this.#life;
        const { partials } = this.world.record.results.get(result) as { partials: Uint8Array };
        this.world.timeline.after(this.world.random.log(1, 50), () => {
          if (life === this.#life) this.dispatch({ type: "brought", job, result, partials });
        });
        return;
      }
      case "tainted":
        this.#reopen(this.#life);
        return;
      case "retracted":
        this.world.count("job reopened");
        this.world.client.retracted(effect.job);
        return;
      case "accepted":
        this.world.client.accepted(effect.job);
        return;
      case "ended":
        this.world.client.ended(effect.job);
        return;
      case "note":
        if (effect.code === "lease_expired") this.world.count("lease expired");
        if (effect.code === "result_rejected") this.world.count("result rejected");
        if (effect.code === "node_banned") {
          this.world.count("node banned");
          this.world.banned(effect.node as string);
        }
        return;
      default:
        effect satisfies never;
    }
  }

  /** What is acknowledged is durable, or its grains are by another's result, or it is worth nothing any more. */
  #assertSafe(message: ResultMessage): void {
    const { record, client } = this.world;
    client.acknowledged++;
    const job = record.jobs.get(message.job);
    const open = this.state.jobs.get(message.job);
    if (this.#audits.has(message.lease) || !job || job.end || !open || open.phase === "finishing") return;
    if (job.rounds.length - 1 !== message.round) return;
    const missing = new Set<number>();
    for (let grain = message.lo; grain < message.hi; grain++) missing.add(grain);
    for (const result of job.results) {
      if (result.round !== message.round) continue;
      for (let grain = result.lo; grain < result.hi; grain++) missing.delete(grain);
    }
    if (missing.size === 0) return;
    throw new Error(`result [${message.lo},${message.hi}) of job ${message.job} is acknowledged and not durable`);
  }
}

/** The end of a job carries its live counters: the record gets them as they are now. */
function structuredStats<T extends Pending["write"]>(write: T): T {
  return write.type === "job.ended" ? { ...write, stats: structuredClone(write.stats) } : write;
}

export type { CorePorts };
