/**
 * The coordinator: the shell around the pure core. It implements what HTTP needs (`Grid`) and what
 * sockets need (`connect`), and rebuilds the core from the store whenever a commit fails.
 */
import { createHmac, randomUUID } from "node:crypto";
import { limits } from "../protocol/limits.ts";
import type { JobView, NetworkStatus, NodeView, WorkloadType } from "../protocol/rest.ts";
import type { Blobs } from "./blobs/blobs.ts";
import { type Catalog, plannedWorkloads } from "./catalog.ts";
import type { Effect } from "./core/events.ts";
import { createState } from "./core/grid.ts";
import type { CoreConfig, CoreState, Lease } from "./core/state.ts";
import { type JudgeOpen, JudgePool } from "./judge/index.ts";
import { Connections, type NodeSocket } from "./shell/connections.ts";
import { Feed } from "./shell/feed.ts";
import { CoreLoop } from "./shell/loop.ts";
import { Nodes } from "./shell/nodes.ts";
import { bringPartials, recoverJobs } from "./shell/recover.ts";
import { statusOf, Throughput } from "./shell/status.ts";
import { jobQuery, validateSubmission } from "./shell/submissions.ts";
import { workloadTypes } from "./shell/types.ts";
import { toWrite } from "./shell/writes.ts";
import { type JobRecord, type KeyRecord, type Snapshot, type Store, StoreError } from "./store/store.ts";
import {
  type Grid,
  GridError,
  type GridHealth,
  type JobOutput,
  type JobQuery,
  type KeyStore,
  type NumberedJobEvent,
  type SubmitRequest,
  type Submitted,
  type Unsubscribe,
} from "./transport/grid.ts";
import { endedJobView, nodeView, openJobView } from "./views.ts";

export interface CoordinatorOptions {
  store: Store;
  blobs: Blobs;
  catalog: Catalog;
  /** Stable over restarts. */
  id: string;
  hostname: string;
  version: string;
  joinToken: string;
  /** Signs tickets; stable over restarts. */
  ticketSecret: string;
  config?: Partial<CoreConfig>;
  judgeThreads?: number;
  log(code: string, message: string): void;
}

interface Waiter {
  resolve(): void;
  reject(error: GridError): void;
}

/** Jobs that ended lately, so that their end is told before the record is read again. */
const recentMax = 256;

export class Coordinator implements Grid {
  readonly keys: KeyStore = {
    list: () => [...this.#keys.values()],
    save: (record) => this.#saveKey(record),
  };

  readonly #startedMs = Date.now();
  readonly #keys = new Map<string, KeyRecord>();
  readonly #nodes = new Nodes();
  readonly #waiters = new Map<string, Waiter>();
  readonly #recent = new Map<string, JobView>();
  readonly #throughput = new Throughput();
  readonly #connections: Connections;
  #state: CoreState = createState();
  #loop!: CoreLoop;
  #judge!: JudgePool;
  #feed!: Feed;
  #counts!: Snapshot["counts"];
  #timers: NodeJS.Timeout[] = [];
  #broken: string | null = null;
  #stopping = false;

  private constructor(private readonly options: CoordinatorOptions) {
    this.#connections = new Connections({
      dispatch: (events) => this.#loop.dispatchAll(events),
      history: (node, publicKey) => this.#nodes.history(node, publicKey),
      coordinatorId: options.id,
      joinToken: options.joinToken,
      signResults: options.config?.signResults ?? true,
      note: (code, message) => options.log(code, message),
    });
  }

  /** Opens the store, rebuilds what was open, and begins to serve. */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options);
    await coordinator.#rebuild();
    const every = (ms: number, run: () => void): void => {
      const timer = setInterval(run, ms);
      timer.unref();
      coordinator.#timers.push(timer);
    };
    every(1_000, () => coordinator.#tick());
    every(500, () => coordinator.#feed.publish());
    return coordinator;
  }

  /** For the sockets: a node connected. */
  connect(socket: NodeSocket): { frame(bytes: Uint8Array): void; closed(): void } | null {
    if (this.#broken !== null || this.#stopping) return null;
    return this.#connections.add(socket);
  }

  get sockets(): number {
    return this.#connections.size;
  }

  get commits(): CoreLoop["commits"] {
    return this.#loop.commits;
  }

  /**
   * Stops leasing, makes durable what has come, and closes the record. Nodes keep what they hold and come
   * back with it. Resolves with what was kept.
   */
  async stop(): Promise<{ openJobs: number; leases: number }> {
    this.#stopping = true;
    for (const timer of this.#timers) clearInterval(timer);
    this.#loop.dispatch({ type: "drain" });
    await this.#loop.settled();
    this.#connections.closeAll("shutting_down", "The coordinator is stopping.", 2_000);
    const kept = { openJobs: this.#state.jobs.size, leases: this.#state.leases.size };
    this.#loop.write(this.#nodes.records(this.#state));
    await this.#loop.settled();
    this.#loop.kill();
    this.#feed.publish();
    await this.#judge.close();
    await this.options.store.close();
    return kept;
  }

  // ---- Grid -----------------------------------------------------------------------------------------

  async submit(request: SubmitRequest): Promise<Submitted> {
    this.#assertServing();
    if (request.idempotencyKey !== null) {
      const replay = await this.#replay(request, request.idempotencyKey);
      if (replay) return replay;
    }
    if (this.#state.jobs.size >= this.#state.config.openJobsMax) {
      throw new GridError("overloaded", `${this.#state.jobs.size} jobs are open, the most there may be.`, {
        remedy: "Wait until some have ended.",
        retryAfterSeconds: 30,
      });
    }
    const { entry, payload, plan } = validateSubmission(this.options.catalog, request);
    const payloadJson = JSON.stringify(payload);
    const large = payloadJson.length > limits.inlineBytesMax;
    const payloadBlob = large ? await this.#putBlob(new TextEncoder().encode(payloadJson)) : null;
    const id = randomUUID();
    const durable = new Promise<void>((resolve, reject) => this.#waiters.set(id, { resolve, reject }));
    this.#loop.dispatch({
      type: "submit",
      job: {
        id,
        submitter: request.submitter,
        workload: entry.workload,
        payload,
        payloadBlob,
        priority: request.priority,
        kernel: entry.kernel,
        files: entry.files,
        hasCheck: entry.hasCheck,
      },
      record: {
        payloadJson: large ? null : payloadJson,
        idempotencyKey: request.idempotencyKey,
        bodyHash: request.bodyHash,
      },
    });
    await durable;
    const job = await this.job(id);
    if (!job) throw new Error(`job ${id} was accepted and is gone`);
    const operations = entry.workload.cost(payload, 0, plan.tasks).operations;
    return { job, replayed: false, estimatedCoreSeconds: operations / entry.workload.opsPerCoreSecond };
  }

  async cancel(id: string, by: string): Promise<JobView | null> {
    this.#assertServing();
    if (this.#state.jobs.has(id)) {
      this.#loop.dispatch({ type: "cancel", job: id, reason: { code: "cancelled", message: `Cancelled by ${by}.` } });
      await this.#loop.settled();
    }
    return this.job(id);
  }

  async job(id: string): Promise<JobView | null> {
    return this.#openView(id) ?? this.#recent.get(id) ?? this.#recordedView(id);
  }

  async jobs(query: JobQuery): Promise<{ jobs: JobView[]; next_cursor: string | null }> {
    const { jobs, nextCursor } = await jobQuery(this.options.store, this.#state, query);
    const views = await Promise.all(jobs.map(async (record) => this.#openView(record.id) ?? this.#viewOf(record)));
    return { jobs: views, next_cursor: nextCursor };
  }

  async result(id: string): Promise<JobOutput | null> {
    const job = await this.job(id);
    if (!job) return null;
    const record = job.status === "completed" ? await this.options.store.job(id) : null;
    if (record?.state !== "completed") return { job, output: null };
    return { job, output: await this.#outputOf(record) };
  }

  nodes(): NodeView[] {
    const now = Date.now();
    return [...this.#state.nodes.values()].map((node) => nodeView(this.#state, node, now));
  }

  status(): NetworkStatus {
    return statusOf(this.#state, this.nodes(), {
      coordinator: {
        node_id: this.options.id,
        hostname: this.options.hostname,
        uptime: (Date.now() - this.#startedMs) / 1000,
        version: this.options.version,
      },
      counts: this.#counts,
      coreSecondsPerSecond: this.#throughput.rate,
    });
  }

  workloadTypes(): WorkloadType[] {
    return workloadTypes(this.options.catalog);
  }

  plannedWorkloads(): readonly string[] {
    return plannedWorkloads;
  }

  subscribeJob(id: string, after: number | null, listener: (event: NumberedJobEvent) => void): Unsubscribe {
    const present = this.#openView(id) ?? this.#recent.get(id);
    if (present) return this.#feed.subscribeJob(id, after, present, listener);
    let gone = false;
    let unsubscribe: Unsubscribe = () => {};
    void this.#recordedView(id).then((view) => {
      if (view && !gone) unsubscribe = this.#feed.subscribeJob(id, after, view, listener);
    });
    return () => {
      gone = true;
      unsubscribe();
    };
  }

  subscribeFeed(listener: Parameters<Feed["subscribeFeed"]>[0]): Unsubscribe {
    return this.#feed.subscribeFeed(listener);
  }

  kernelFile(sha256: string): Promise<Uint8Array | null> {
    return this.options.blobs.get(sha256);
  }

  blob(sha256: string): Promise<Uint8Array | null> {
    return this.options.blobs.get(sha256);
  }

  health(): GridHealth {
    const reasons = this.#broken === null ? [] : [{ code: "storage_unavailable", message: this.#broken }];
    return {
      status: reasons.length === 0 ? "ok" : "degraded",
      reasons,
      uptime: (Date.now() - this.#startedMs) / 1000,
      version: this.options.version,
    };
  }

  // ---- the loop -------------------------------------------------------------------------------------

  /** Builds the core anew from the record. Tries again, less and less often, while the record cannot be opened. */
  async #rebuild(): Promise<void> {
    const snapshot = await this.options.store.open(this.options.id);
    this.#counts = snapshot.counts;
    this.#keys.clear();
    for (const key of snapshot.keys) this.#keys.set(key.id, key);
    this.#nodes.load(snapshot.nodes);
    const state = createState(this.options.config, snapshot.epoch);
    state.nextResult = snapshot.lastResultId + 1;
    const now = Date.now();
    const recovered = await recoverJobs(state, snapshot, this.options.catalog, this.options.blobs, now);
    this.#state = state;
    this.#judge = new JudgePool((answer) => this.#onJudged(answer), this.options.judgeThreads);
    this.#loop = new CoreLoop(state, {
      core: { ticket: (lease) => this.#ticket(lease) },
      commit: (batch) => this.options.store.commit(batch),
      toWrite: (write) => toWrite(write, state, this.options.id),
      perform: (effect) => this.#perform(effect),
      flush: () => this.#connections.flush(),
      fatal: (error) => void this.#onFatal(error),
      now: () => Date.now(),
    });
    this.#feed = new Feed(
      {
        jobView: (id) => this.#openView(id) ?? this.#recent.get(id) ?? null,
        nodeView: (id) => {
          const node = this.#state.nodes.get(id);
          return node ? nodeView(this.#state, node, Date.now()) : null;
        },
        status: () => this.status(),
        openJobs: () => [...this.#state.jobs.keys()].slice(-200).flatMap((id) => this.#openView(id) ?? []),
        takeChanges: () => {
          const { changedJobs: jobs, changedNodes: nodes } = this.#state;
          this.#state.changedJobs = new Set();
          this.#state.changedNodes = new Set();
          return { jobs, nodes };
        },
      },
      snapshot.epoch * 1e9,
    );
    for (const { id, reason } of recovered.lost) {
      this.#loop.write([
        {
          type: "job.update",
          id,
          patch: { state: "failed", finishedAtMs: now, reason: { code: "workload_gone", message: reason } },
        },
      ]);
    }
    for (const job of recovered.jobs) {
      await bringPartials(job, this.options.store, (events) => this.#loop.dispatchAll(events));
    }
    this.#broken = null;
  }

  /** A commit failed or its outcome is unknown: what is in memory may be ahead of the record, so it is dropped. */
  async #onFatal(error: unknown): Promise<void> {
    const text = error instanceof StoreError ? `${error.code}: ${error.message}` : String(error);
    this.#broken = `The record could not be written (${text}).`;
    this.options.log("storage_failed", this.#broken);
    this.#loop.kill();
    for (const waiter of this.#waiters.values()) {
      waiter.reject(new GridError("storage_unavailable", this.#broken, { remedy: "Try again in a while." }));
    }
    this.#waiters.clear();
    this.#connections.closeAll("shutting_down", "The coordinator rebuilds itself from its record.", 1_000);
    await this.#judge.close();
    for (let waitMs = 250; !this.#stopping; waitMs = Math.min(10_000, waitMs * 2)) {
      try {
        await this.#rebuild();
        this.options.log("storage_recovered", "The record is written again.");
        return;
      } catch (cause) {
        this.options.log("storage_failed", `The record cannot be opened: ${String(cause)}`);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
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
        this.#judge.request(effect.request, () => this.#judgeOpen(effect.request.job));
        return;
      case "accepted":
        this.#waiters.get(effect.job)?.resolve();
        this.#waiters.delete(effect.job);
        return;
      case "ended":
        void this.#onEnded(effect.job);
        return;
      case "note":
        this.options.log(effect.code, `${effect.message}${effect.node ? ` (node ${effect.node})` : ""}`);
        return;
    }
  }

  #sendLease(connection: number, lease: Lease, deadlineMs: number): void {
    const job = this.#state.jobs.get(lease.job);
    if (!job) return;
    const { id, ticket, round, lo, hi, backend } = lease;
    const tasks = [lo * job.grainTasks, Math.min(hi * job.grainTasks, job.tasks)] as const;
    const inputs = job.workload.inputs?.(job.payload, tasks[0], tasks[1]);
    this.#connections.send(connection, {
      type: "lease",
      lease: id,
      ticket,
      job: job.id,
      round,
      lo,
      hi,
      backend,
      deadlineMs,
      ...(inputs ? { inputs } : {}),
    });
  }

  #judgeOpen(id: string): JudgeOpen | null {
    const job = this.#state.jobs.get(id);
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

  #onJudged(answer: Parameters<ConstructorParameters<typeof JudgePool>[0]>[0]): void {
    if (answer.type === "finished") void this.#onOutput(answer);
    else if (answer.type === "next") void this.#onNextRound(answer);
    else this.#loop.dispatch(answer);
  }

  /** Large outputs are blobs, durable before the job's end is. */
  async #onOutput(answer: { job: string; round: number; output: string }): Promise<void> {
    const loop = this.#loop;
    const large = answer.output.length > limits.inlineBytesMax;
    const outputBlob = large ? await this.#putBlob(new TextEncoder().encode(answer.output)) : null;
    loop.dispatch({
      type: "finished",
      job: answer.job,
      round: answer.round,
      output: large ? null : answer.output,
      outputBlob,
    });
  }

  async #onNextRound(answer: {
    job: string;
    round: number;
    next: import("../kernels/contract.ts").Round;
  }): Promise<void> {
    const loop = this.#loop;
    const input = answer.next.input ? await this.#putBlob(answer.next.input) : null;
    loop.dispatch({ type: "next", job: answer.job, round: answer.round, next: answer.next, input });
  }

  async #onEnded(id: string): Promise<void> {
    const record = await this.options.store.job(id);
    if (!record) return;
    this.#recent.set(id, await this.#viewOf(record));
    if (this.#recent.size > recentMax) this.#recent.delete(this.#recent.keys().next().value as string);
    this.#state.changedJobs.add(id);
  }

  #tick(): void {
    this.#loop.dispatch({ type: "tick" });
    this.#throughput.sample(this.#state.totals.acceptedCoreSeconds);
    const changed = this.#nodes.due(this.#state);
    if (changed.length > 0) this.#loop.write(changed);
  }

  // ---- records --------------------------------------------------------------------------------------

  #openView(id: string): JobView | null {
    const job = this.#state.jobs.get(id);
    return job ? openJobView(this.#state, job, Date.now()) : null;
  }

  async #recordedView(id: string): Promise<JobView | null> {
    const record = await this.options.store.job(id);
    return record ? this.#viewOf(record) : null;
  }

  async #viewOf(record: JobRecord): Promise<JobView> {
    const rounds = await this.options.store.rounds(record.id);
    return endedJobView(record, rounds.find((round) => round.round === record.round) ?? rounds.at(-1));
  }

  async #outputOf(record: JobRecord): Promise<unknown> {
    if (record.output !== null) return JSON.parse(record.output);
    if (record.outputBlob === null) return null;
    const bytes = await this.options.blobs.get(record.outputBlob);
    return bytes ? JSON.parse(new TextDecoder().decode(bytes)) : null;
  }

  async #replay(request: SubmitRequest, key: string): Promise<Submitted | null> {
    const record = await this.options.store.jobByIdempotencyKey(request.submitter, key);
    if (!record) return null;
    if (record.bodyHash !== request.bodyHash) {
      throw new GridError("idempotency_mismatch", "This idempotency key was used with another body.", {
        field: "Idempotency-Key",
        remedy: "Use a new key for a new request.",
      });
    }
    const job = (await this.job(record.id)) as JobView;
    const entry = this.options.catalog.get(record.workload);
    const payload = record.payload === null ? null : JSON.parse(record.payload);
    const operations = entry && payload !== null ? entry.workload.cost(payload, 0, job.progress.tasks).operations : 0;
    return { job, replayed: true, estimatedCoreSeconds: operations / (entry?.workload.opsPerCoreSecond ?? 1) };
  }

  async #saveKey(record: KeyRecord): Promise<void> {
    this.#assertServing();
    await new Promise<void>((resolve) => this.#loop.write([{ type: "key.upsert", key: record }], resolve));
    this.#keys.set(record.id, record);
  }

  async #putBlob(bytes: Uint8Array): Promise<string> {
    try {
      return await this.options.blobs.put(bytes);
    } catch (cause) {
      throw new GridError(
        "storage_unavailable",
        "The payload could not be stored.",
        { remedy: "Try again." },
        { cause },
      );
    }
  }

  #assertServing(): void {
    if (this.#stopping) throw new GridError("shutting_down", "The coordinator is stopping.", { retryAfterSeconds: 5 });
    if (this.#broken !== null) {
      throw new GridError("storage_unavailable", this.#broken, {
        remedy: "Try again in a while.",
        retryAfterSeconds: 5,
      });
    }
  }

  #ticket(lease: { id: string; job: string; round: number; lo: number; hi: number; node: string }): string {
    return createHmac("sha256", this.options.ticketSecret)
      .update(`${lease.id}\n${lease.job}\n${lease.round}\n${lease.lo}\n${lease.hi}\n${lease.node}`)
      .digest("base64url")
      .slice(0, 22);
  }
}
