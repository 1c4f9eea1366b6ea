/**
 * The engine: one running core with its loop, judge threads and connections. When a commit fails, what is
 * in memory may be ahead of the record, so the core is dropped and rebuilt from the store.
 */

import type { FileReader } from "../../kernels/contract.ts";
import type { LeaseMessage } from "../../protocol/messages.ts";
import { Newcomers } from "../access/newcomers.ts";
import { type Blobs, fileReader } from "../blobs/blobs.ts";
import type { Catalog } from "../catalog.ts";
import type { CoreEvent, CoreWrite, Effect, JudgeRequest } from "../core/events.ts";
import { createState } from "../core/grid.ts";
import type { CoreConfig } from "../core/limits.ts";
import type { CoreState, Lease } from "../core/state.ts";
import { restoreTrust } from "../core/trust.ts";
import { type JudgeAnswer, type JudgeOpen, JudgePool } from "../judge/index.ts";
import { type Snapshot, type Store, StoreError, type Write } from "../store/store.ts";
import { GridError } from "../transport/grid.ts";
import { Connections, type NodeSocket } from "./connections.ts";
import { CoreLoop } from "./loop.ts";
import { createMac } from "./mac.ts";
import { type Nodes, trustOfRecord } from "./nodes.ts";
import { Outputs } from "./outputs.ts";
import { bringPartials, recoverJobs } from "./recover.ts";
import { releaseToken, sessionOf } from "./release.ts";
import { Reopening } from "./reopen.ts";
import { termsOf, termsRoom, termsWrites } from "./terms.ts";
import { toWrite } from "./writes.ts";

export interface EngineOptions {
  store: Store;
  blobs: Blobs;
  /** What is of its owner alone: uploads and what jobs made of them. `blobs` where it is left out. */
  files?: Blobs;
  catalog: Catalog;
  /** Stable over restarts. */
  id: string;
  joinToken: string;
  /** Whether an identity may join with this token of an instance; absent where nothing is launched. */
  hire?(token: string, node: string): boolean;
  /** Signs tickets; stable over restarts. */
  ticketSecret: string;
  config?: Partial<CoreConfig>;
  judgeThreads?: number;
  /** New identities that may come from one network in an hour. */
  newIdentitiesPerHour?: number;
  log(code: string, message: string): void;
  /** For metrics: a batch became durable. */
  onCommit?(ms: number, writes: number): void;
}

/** How a job ended. */
export type JobEnd = Extract<CoreWrite, { type: "job.ended" }>;

/** Says what else follows from a write of the core's (postings, webhooks): durable with it, or not at all. */
export interface Follower {
  /** The record was opened. */
  load(): Promise<void>;
  follows(write: CoreWrite, state: CoreState, now: number): readonly Write[];
  /** The core is built anew, out of the record. */
  restore?(state: CoreState): void;
}

interface Waiter {
  resolve(): void;
  reject(error: GridError): void;
}

export class Engine {
  state: CoreState = createState();
  /** The record as it was when it was last opened. */
  snapshot!: Snapshot;
  /** Why nothing is served now, or null. */
  broken: string | null = null;
  stopping = false;
  loop!: CoreLoop;
  #judge!: JudgePool;
  #rebuilding = false;
  readonly #connections: Connections;
  readonly #newcomers: Newcomers;
  readonly #reopening: Reopening;
  readonly #mac: (text: string) => string;
  readonly #files: FileReader;
  readonly #outputs: Outputs;
  readonly #waiters = new Map<string, Waiter>();
  /** Ends that are not durable yet. */
  readonly #ends = new Map<string, JobEnd>();

  constructor(
    private readonly options: EngineOptions,
    private readonly nodes: Nodes,
    private readonly followers: readonly Follower[],
    /** A job's end is durable. */
    private readonly onEnded: (end: JobEnd) => void,
    /** An output that was given does not stand; the job is open again, durably. */
    private readonly onRetracted: (job: string) => void,
    /** The core was built, or built anew. */
    private readonly onBuilt: () => void,
  ) {
    this.#mac = createMac(options.ticketSecret);
    const files = options.files ?? options.blobs;
    this.#files = fileReader(files);
    this.#outputs = new Outputs({ ...options, files });
    this.#reopening = new Reopening({
      ...options,
      loop: () => this.loop,
      fatal: (error) => void this.#onFatal(error),
    });
    this.#newcomers = new Newcomers(options.newIdentitiesPerHour);
    this.#connections = new Connections({
      dispatch: (events) => this.loop.dispatchAll(events),
      knows: (node) => this.nodes.knows(node),
      admit: (network) => this.#newcomers.admit(network),
      history: (node, publicKey) => this.nodes.history(node, publicKey),
      coordinatorId: options.id,
      joinToken: options.joinToken,
      hire: (token, node) => options.hire?.(token, node) ?? false,
      signResults: options.config?.signResults ?? true,
      releaseToken: (node, session) => releaseToken(this.#mac, node, session),
      note: (code, message) => options.log(code, message),
    });
  }

  /** A node's socket; null while nothing is served. */
  connect(socket: NodeSocket): { frame(bytes: Uint8Array): void; closed(): void } | null {
    return this.broken !== null || this.stopping ? null : this.#connections.add(socket);
  }

  /** A session's page said that it has gone. False where the token is none of ours. */
  depart(token: string): boolean {
    const session = sessionOf(this.#mac, token);
    if (session && this.broken === null && !this.stopping) this.loop.dispatch({ type: "departed", ...session });
    return session !== null;
  }

  /** Whose session a token proves. */
  session(token: string): { node: string; session: string } | null {
    return sessionOf(this.#mac, token);
  }

  get sockets(): number {
    return this.#connections.size;
  }

  /** Dispatches a submission and resolves once the job is durable. Rejects with GridError. */
  submit(event: Extract<CoreEvent, { type: "submit" }>): Promise<void> {
    return new Promise((resolve, reject) => {
      // The record may have failed since the submission was let in: a loop that ended would never answer.
      this.assertServing();
      this.#waiters.set(event.job.id, { resolve, reject });
      this.loop.dispatch(event);
    });
  }

  /** Stops leasing, makes durable what has come, and lets the nodes go. They keep what they hold. */
  async stop(): Promise<{ openJobs: number; leases: number }> {
    this.stopping = true;
    this.loop.dispatch({ type: "drain" });
    await this.loop.settled();
    this.#connections.closeAll("shutting_down", "The coordinator is stopping.", 2_000);
    const kept = { openJobs: this.state.jobs.size, leases: this.state.leases.size };
    this.loop.write(this.nodes.records(this.state));
    await this.loop.settled();
    this.loop.kill();
    await this.#judge.close();
    await this.options.store.close();
    return kept;
  }

  /** Seals jobs that ended before then. */
  seal(beforeMs: number): Promise<number> {
    return this.#reopening.seal(beforeMs, Date.now());
  }

  /** Throws GridError while nothing is served. */
  assertServing(): void {
    if (this.stopping) throw new GridError("shutting_down", "The coordinator is stopping.", { retryAfterSeconds: 5 });
    if (this.broken !== null) throw unavailable(this.broken);
  }

  /** Bytes as a durable blob. Throws GridError. */
  async putBlob(bytes: Uint8Array): Promise<string> {
    try {
      return await this.options.blobs.put(bytes);
    } catch (cause) {
      throw new GridError("storage_unavailable", "The bytes could not be stored.", { remedy: "Try again." }, { cause });
    }
  }

  /** Builds the core from the record at the start. Rejects where the record cannot be opened. */
  async build(): Promise<void> {
    this.#rebuilding = true;
    try {
      await this.#build();
    } finally {
      this.#rebuilding = false;
    }
    if (this.loop.isDead) await this.#rebuild();
  }

  async #build(): Promise<void> {
    const snapshot = await this.options.store.open(this.options.id);
    this.snapshot = snapshot;
    this.nodes.load(snapshot.nodes);
    for (const follower of this.followers) await follower.load();
    const state = createState(this.options.config, snapshot.epoch);
    restoreTrust(state, snapshot.nodes.flatMap(trustOfRecord));
    for (const follower of this.followers) follower.restore?.(state);
    state.nextResult = snapshot.lastResultId + 1;
    const now = Date.now();
    const terms = termsOf(await this.options.store.documents(termsRoom));
    const recovered = await recoverJobs(state, snapshot, terms, this.options.catalog, this.options.blobs, now);
    this.state = state;
    this.#judge = new JudgePool((answer) => this.#onJudged(answer), this.options.judgeThreads);
    this.loop = new CoreLoop(state, {
      core: { ticket: (lease) => this.#ticket(lease) },
      commit: (batch) => this.options.store.commit(batch),
      toWrites: (write) => {
        if (write.type === "job.ended") this.#ends.set(write.job, write);
        const writes = write.type === "work.done" ? [] : [toWrite(write, state, this.options.id)];
        return [
          ...this.nodes.before(write),
          ...writes,
          ...termsWrites(write, state),
          ...this.followers.flatMap((follower) => follower.follows(write, state, Date.now())),
        ];
      },
      perform: (effect) => this.#perform(effect),
      flush: () => this.#connections.flush(),
      fatal: (error) => void this.#onFatal(error),
      now: () => Date.now(),
      expecting: () => this.#judge.finishing > 0,
      onCommit: (ms, writes) => this.options.onCommit?.(ms, writes),
    });
    for (const { id, reason } of recovered.lost) {
      this.loop.write([
        {
          type: "job.update",
          id,
          patch: { state: "failed", finishedAtMs: now, reason: { code: "workload_gone", message: reason } },
        },
      ]);
    }
    for (const job of recovered.jobs) {
      await bringPartials(job, this.options.store, (events) => this.loop.dispatchAll(events));
    }
    // A commit may have failed meanwhile.
    if (this.loop.isDead) return;
    this.broken = null;
    this.onBuilt();
    this.#reopening.ask();
  }

  /** A commit failed or its outcome is unknown: what is in memory may be ahead of the record, so it is dropped. */
  async #onFatal(error: unknown): Promise<void> {
    const text = error instanceof StoreError ? `${error.code}: ${error.message}` : String(error);
    this.broken = `The record could not be written (${text}).`;
    this.options.log("storage_failed", this.broken);
    this.loop.kill();
    for (const waiter of this.#waiters.values()) {
      waiter.reject(unavailable(this.broken));
    }
    this.#waiters.clear();
    this.#ends.clear();
    this.#connections.closeAll("shutting_down", "The coordinator rebuilds itself from its record.", 1_000);
    // Where that happened while the core was being built, whoever builds it begins again.
    if (!this.#rebuilding) await this.#rebuild();
  }

  /** Builds the core anew; tries again, less and less often, while the record cannot be opened or written. */
  async #rebuild(): Promise<void> {
    this.#rebuilding = true;
    for (let waitMs = 250; !this.stopping; waitMs = Math.min(10_000, waitMs * 2)) {
      try {
        await this.#judge.close();
        await this.#build();
        if (!this.loop.isDead) {
          this.options.log("storage_recovered", "The record is written again.");
          break;
        }
      } catch (cause) {
        this.options.log("storage_failed", `The record cannot be opened: ${String(cause)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    this.#rebuilding = false;
  }

  #perform(effect: Exclude<Effect, { type: "commit" }>): void {
    switch (effect.type) {
      case "send":
        this.#connections.send(effect.connection, effect.message);
        return;
      case "lease":
        this.#sendLease(effect.connection, effect.lease, effect.deadlineMs);
        return;
      case "ack":
        this.#connections.ack(effect.connection, effect.seq, effect.rejected);
        return;
      case "close":
        this.#connections.close(effect.connection, effect.code, effect.message, effect.remedy, effect.retryMs);
        return;
      case "judge":
        this.#askJudge(effect.request);
        return;
      case "bring":
        void this.#bring(effect.job, effect.result);
        return;
      case "tainted":
        this.#reopening.ask();
        return;
      case "accepted":
        this.#waiters.get(effect.job)?.resolve();
        this.#waiters.delete(effect.job);
        return;
      case "retracted":
        this.onRetracted(effect.job);
        return;
      case "ended":
        this.#onEnd(effect.job);
        return;
      case "note":
        this.options.log(effect.code, `${effect.message}${effect.node ? ` (node ${effect.node})` : ""}`);
        return;
    }
  }

  /** For an audit of what was taken in before. A record that cannot be read now will be when the core is built anew. */
  async #bring(job: string, result: number): Promise<void> {
    const { loop } = this;
    try {
      const [partials] = await this.options.store.partials([result]);
      if (partials) loop.dispatch({ type: "brought", job, result, partials });
    } catch (cause) {
      if (!loop.isDead) void this.#onFatal(cause);
    }
  }

  #onEnd(job: string): void {
    const end = this.#ends.get(job);
    this.#ends.delete(job);
    if (end) this.onEnded(end);
  }

  #sendLease(connection: number, lease: Lease, deadlineMs: number): void {
    const job = this.state.jobs.get(lease.job);
    if (!job) return;
    const { id, ticket, round, lo, hi, backend } = lease;
    const saved = lease.checkpoint?.bytes.length ? { checkpoint: lease.checkpoint.bytes } : {};
    const message: LeaseMessage = {
      ...{ type: "lease", lease: id, ticket, job: job.id, round, lo, hi, backend, deadlineMs },
      ...saved,
    };
    const [first, end] = [lo * job.grainTasks, Math.min(hi * job.grainTasks, job.tasks)];
    const inputs = job.workload.inputs?.(job.payload, round, first, end, this.#files) ?? null;
    if (inputs instanceof Promise) void this.#sendInputs(connection, message, inputs);
    else this.#connections.send(connection, inputs ? { ...message, inputs } : message);
  }

  /** A lease whose inputs must be read first; it may have ended meanwhile. */
  async #sendInputs(connection: number, message: LeaseMessage, reading: Promise<Uint8Array | null>): Promise<void> {
    const { loop, state } = this;
    try {
      const inputs = await reading;
      if (loop.isDead || !state.leases.has(message.lease)) return;
      this.#connections.send(connection, inputs ? { ...message, inputs } : message);
      this.#connections.flush();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (loop.isDead) return;
      this.options.log("inputs_unreadable", `The inputs of job ${message.job} cannot be read: ${text}`);
      loop.dispatch({ type: "judge.failed", job: message.job, message: `Its inputs cannot be read: ${text}` });
    }
  }

  #askJudge(request: JudgeRequest): void {
    const open = () => this.#judgeOpen(request.job);
    const input = request.type === "finish" ? (this.state.jobs.get(request.job)?.input ?? null) : null;
    if (request.type === "finish" && input !== null) void this.#finishWith(request, input);
    else this.#judge.request(request, open);
  }

  /** The next round may build on what this one was handed. */
  async #finishWith(request: Extract<JudgeRequest, { type: "finish" }>, blob: string): Promise<void> {
    const { loop } = this;
    try {
      const input = await this.options.blobs.get(blob);
      if (!input) throw new Error(`blob ${blob} is gone`);
      const job = this.state.jobs.get(request.job);
      // Taken back meanwhile: the core asks again, and the judge must not be asked for a round that is over.
      if (loop.isDead || job?.round !== request.round || job.attempt !== request.attempt) return;
      this.#judge.request({ ...request, input }, () => this.#judgeOpen(request.job));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (!loop.isDead)
        loop.dispatch({ type: "judge.failed", job: request.job, message: `Its round's input: ${text}` });
    }
  }

  #judgeOpen(id: string): JudgeOpen | null {
    const job = this.state.jobs.get(id);
    const entry = job && this.options.catalog.get(job.workload.type);
    if (!job || !entry) return null;
    return {
      type: "open",
      job: id,
      workload: job.workload.type,
      workloadModule: entry.workloadModule,
      hostModule: entry.hostModule,
      payload: job.payload,
      round: job.round,
      tasks: job.tasks,
      grainTasks: job.grainTasks,
    };
  }

  #onJudged(answer: JudgeAnswer): void {
    if (answer.type === "finished") void this.#outputs.finished(this.loop, answer);
    else if (answer.type === "next") void this.#outputs.next(this.loop, answer);
    else this.loop.dispatch(answer);
  }

  #ticket(lease: { id: string; job: string; round: number; lo: number; hi: number; node: string }): string {
    return this.#mac(`${lease.id}\n${lease.job}\n${lease.round}\n${lease.lo}\n${lease.hi}\n${lease.node}`).slice(0, 22);
  }
}

const unavailable = (why: string): GridError =>
  new GridError("storage_unavailable", why, { remedy: "Try again in a while.", retryAfterSeconds: 5 });
