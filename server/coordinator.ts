/**
 * The coordinator as the other rooms see it: what HTTP needs (`Grid`) and what sockets need (`connect`),
 * over the engine that runs the core.
 */

import type { JobView, NetworkStatus, NodeView, WorkloadType } from "../protocol/rest.ts";
import type { Caller } from "./access/caller.ts";
import type { Blobs } from "./blobs/blobs.ts";
import { sweepBlobs } from "./blobs/sweep.ts";
import { plannedWorkloads } from "./catalog.ts";
import { Credit, type CreditOptions } from "./ledger/credit.ts";
import { gridReceipts } from "./ledger/grid-receipts.ts";
import { CoordinatorKey } from "./ledger/key.ts";
import { Receipts } from "./ledger/receipts.ts";
import { Volunteers } from "./ledger/volunteers.ts";
import { certificateOf } from "./ledger/words.ts";
import { Acceptance, type Admission } from "./shell/acceptance.ts";
import type { NodeSocket } from "./shell/connections.ts";
import { Engine, type EngineOptions, type JobEnd } from "./shell/engine.ts";
import { Feed } from "./shell/feed.ts";
import { blobsInUse, filesInUse } from "./shell/files.ts";
import { subscribeToJob } from "./shell/job-events.ts";
import { KernelQuarantine } from "./shell/kernel-quarantine.ts";
import type { CoreLoop } from "./shell/loop.ts";
import { Nodes } from "./shell/nodes.ts";
import { readOutput } from "./shell/outputs.ts";
import { orRefusal, type ReadableStore, readable } from "./shell/readable.ts";
import { type Shelf, shelfOf } from "./shell/reading.ts";
import { type ScalingPort, scalingPort } from "./shell/scaling-port.ts";
import { statusOf, Throughput } from "./shell/status.ts";
import { jobQuery } from "./shell/submissions.ts";
import { workloadTypes } from "./shell/types.ts";
import type { JobRecord, KeyRecord, RoundRecord, Write } from "./store/store.ts";
import {
  type Grid,
  type GridHealth,
  isFinal,
  type JobOutput,
  type JobQuery,
  type KeyStore,
  type NumberedJobEvent,
  type SubmitRequest,
  type Submitted,
  type Unsubscribe,
} from "./transport/grid.ts";
import type { GridReceipts, GridVolunteers } from "./transport/ledger.ts";
import { type UploadLimits, Uploads, uploadLimitsDefault } from "./uploads/uploads.ts";
import { endedJobView, justEndedView, nodeView, openJobView } from "./views.ts";
import { Webhooks } from "./webhooks/webhooks.ts";

export interface CoordinatorOptions extends EngineOptions {
  hostname: string;
  version: string;
  credit?: CreditOptions;
  /** Finished jobs are sealed after so long. */
  sealMs?: number;
  /** Signs receipts; stable over restarts. Without it they are signed by a key that ends with the process. */
  receiptKey?: CoordinatorKey;
  /** By workload: what its jobs must pass, given what was uploaded. */
  admissions?(uploads: Uploads): ReadonlyMap<string, Admission>;
  uploads?: Partial<UploadLimits> & { folder: string };
}

type Output = Pick<JobRecord, "output" | "outputBlob">;

interface Ended extends Output {
  view: JobView;
}

/** Jobs that ended lately, so that their end is told before the record is read again. */
const recentMax = 256;
/** Results can be taken back for so long, and after that never. */
export const sealMsDefault = 7 * 86_400_000;
const sealEveryMs = 60_000;
const sweepEveryMs = 3_600_000;

export class Coordinator implements Grid {
  readonly keys: KeyStore = {
    list: () => [...this.#keys.values()],
    save: (record) => this.#saveKey(record),
  };

  readonly scaling: ScalingPort;
  readonly receipts: GridReceipts;
  readonly volunteers: GridVolunteers;
  readonly uploads: Uploads;
  readonly #startedMs = Date.now();
  readonly #keys = new Map<string, KeyRecord>();
  readonly #nodes = new Nodes();
  readonly #recent = new Map<string, Ended>();
  readonly #throughput = new Throughput();
  readonly #acceptance: Acceptance;
  readonly #credit: Credit;
  readonly #webhooks: Webhooks;
  readonly #quarantine: KernelQuarantine;
  readonly #engine: Engine;
  readonly #record: ReadableStore;
  #feed!: Feed;
  #timers: NodeJS.Timeout[] = [];

  private constructor(private readonly options: CoordinatorOptions) {
    this.#record = readable(options.store);
    this.#credit = new Credit(options.store.ledger, options.credit);
    const receiptKey = options.receiptKey ?? CoordinatorKey.fresh();
    const sealMs = options.sealMs ?? sealMsDefault;
    this.#webhooks = new Webhooks({
      documents: (room) => options.store.documents(room),
      written: (writes) => this.#written(writes),
      jobView: (id) => this.job(id),
      sign: (text) => receiptKey.sign(text),
      log: options.log,
      now: Date.now,
      fetch,
      sealMs,
    });
    this.#quarantine = new KernelQuarantine(options.store);
    this.#engine = new Engine(
      options,
      this.#nodes,
      [this.#credit, this.#webhooks, this.#quarantine],
      (end) => this.#onEnded(end),
      (job) => this.#onRetracted(job),
      () => this.#onBuilt(),
    );
    this.uploads = new Uploads({
      ...uploadLimitsDefault,
      ...options.uploads,
      blobs: this.files,
      documents: (room) => options.store.documents(room),
      written: (writes) => this.#written(writes),
      inUse: () => {
        const { state } = this.#engine;
        return new Set([...filesInUse(state), ...blobsInUse(state, options.catalog)]);
      },
      now: Date.now,
    });
    this.#acceptance = new Acceptance({
      catalog: options.catalog,
      ...(options.admissions ? { admissions: options.admissions(this.uploads) } : {}),
      engine: this.#engine,
      record: this.#record,
      quarantined: (kernel) => this.#quarantine.reasonOf(kernel),
      job: (id) => this.job(id),
    });
    const receipts = new Receipts({
      ...options,
      key: receiptKey,
      coordinatorId: options.id,
      written: (writes) => this.#written(writes),
      verification: async (job) => ({ ...(await this.job(job))?.verification }),
      certificate: (job) => certificateOf(options.catalog, job),
      now: Date.now,
    });
    this.volunteers = new Volunteers({
      credit: this.#credit,
      ledger: options.store.ledger,
      nameOf: (id) => this.#engine.state.nodes.get(id)?.preferences.name ?? this.#nodes.nameOf(id),
      forgetName: (id) => this.#forgetName(id),
      written: (writes) => this.#written(writes),
      now: Date.now,
    });
    this.scaling = scalingPort(this.#engine, this.#nodes, options.store, (writes) => this.#written(writes));
    this.receipts = gridReceipts(receipts, this.#record, options.store.ledger, options.id);
  }

  /** Opens the store, rebuilds what was open, and begins to serve. */
  static async start(options: CoordinatorOptions): Promise<Coordinator> {
    const coordinator = new Coordinator(options);
    await coordinator.#engine.build();
    await coordinator.uploads.load();
    const every = (ms: number, run: () => void): void => {
      const timer = setInterval(run, ms);
      timer.unref();
      coordinator.#timers.push(timer);
    };
    every(1_000, () => coordinator.#tick());
    every(500, () => coordinator.#feed.publish());
    every(sealEveryMs, () => void coordinator.#seal());
    every(sweepEveryMs, () => void coordinator.#sweep());
    return coordinator;
  }

  /** For the sockets: a node connected. */
  connect(socket: NodeSocket): { frame(bytes: Uint8Array): void; closed(): void } | null {
    return this.#engine.connect(socket);
  }

  get sockets(): number {
    return this.#engine.sockets;
  }

  /** Group commits so far, for metrics. */
  get commits(): CoreLoop["commits"] {
    return this.#engine.loop.commits;
  }

  /**
   * Stops leasing, makes durable what has come, and closes the record. Nodes keep what they hold and come
   * back with it. Resolves with what was kept.
   */
  async stop(): Promise<{ openJobs: number; leases: number }> {
    for (const timer of this.#timers) clearInterval(timer);
    const kept = await this.#engine.stop();
    this.#feed.publish();
    return kept;
  }

  // ---- Grid -----------------------------------------------------------------------------------------

  submit(request: SubmitRequest): Promise<Submitted> {
    return this.#acceptance.submit(request);
  }

  async cancel(id: string, by: string): Promise<JobView | null> {
    this.#engine.assertServing();
    if (this.#engine.state.jobs.has(id)) {
      this.#engine.loop.dispatch({
        type: "cancel",
        job: id,
        reason: { code: "cancelled", message: `Cancelled by ${by}.` },
      });
      await orRefusal(this.#engine.loop.flushed());
    }
    return this.job(id);
  }

  async job(id: string): Promise<JobView | null> {
    return this.#presentView(id) ?? this.#recordedView(id);
  }

  async jobs(query: JobQuery): Promise<{ jobs: JobView[]; next_cursor: string | null }> {
    const { jobs, nextCursor } = await jobQuery(this.#record, this.#engine.state, query);
    const views = await Promise.all(jobs.map(async (record) => this.#openView(record.id) ?? this.#viewOf(record)));
    return { jobs: views, next_cursor: nextCursor };
  }

  async result(id: string): Promise<JobOutput | null> {
    const job = await this.job(id);
    if (!job) return null;
    if (job.status !== "completed") return { job, output: null };
    const ended = this.#recent.get(id) ?? (await this.#record.job(id));
    return { job, output: ended ? await readOutput(ended, this.options) : null };
  }

  depart(token: string): boolean {
    return this.#engine.depart(token);
  }

  nodes(): NodeView[] {
    const now = Date.now();
    return [...this.#engine.state.nodes.values()].map((node) => nodeView(this.#engine.state, node, now));
  }

  status(): NetworkStatus {
    return statusOf(this.#engine.state, this.nodes(), {
      coordinator: {
        node_id: this.options.id,
        hostname: this.options.hostname,
        uptime: (Date.now() - this.#startedMs) / 1000,
        version: this.options.version,
      },
      counts: this.#engine.snapshot.counts,
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
    const views = { present: () => this.#presentView(id), recorded: () => this.#recordedView(id) };
    return subscribeToJob(this.#feed, views, id, after, listener);
  }

  subscribeFeed(after: number | null, listener: Parameters<Feed["subscribeFeed"]>[1]): Unsubscribe {
    return this.#feed.subscribeFeed(after, listener);
  }

  kernelFile(sha256: string): Promise<Uint8Array | null> {
    return this.options.blobs.get(sha256);
  }

  shelfOf(sha256: string, token: string | null, caller: Caller): Shelf | null {
    const ports = { state: () => this.#engine.state, session: (given: string) => this.#engine.session(given) };
    return shelfOf({ ...ports, isPublic: (blob) => this.uploads.isPublic(blob) }, sha256, token, caller);
  }

  get blobs(): Blobs {
    return this.options.blobs;
  }

  get files(): Blobs {
    return this.options.files ?? this.options.blobs;
  }

  health(): GridHealth {
    const { broken } = this.#engine;
    const reasons = broken === null ? [] : [{ code: "storage_unavailable", message: broken }];
    return {
      status: reasons.length === 0 ? "ok" : "degraded",
      reasons,
      uptime: (Date.now() - this.#startedMs) / 1000,
      version: this.options.version,
    };
  }

  #onBuilt(): void {
    const { snapshot } = this.#engine;
    this.#keys.clear();
    for (const key of snapshot.keys) this.#keys.set(key.id, key);
    this.#feed ??= new Feed(
      {
        jobView: (id) => this.#presentView(id),
        nodeView: (id) => {
          const node = this.#engine.state.nodes.get(id);
          return node ? nodeView(this.#engine.state, node, Date.now()) : null;
        },
        status: () => this.status(),
        openJobs: () => [...this.#engine.state.jobs.keys()].slice(-200).flatMap((id) => this.#openView(id) ?? []),
        takeChanges: () => this.#takeChanges(),
      },
      snapshot.epoch * 1e9,
    );
  }

  #takeChanges(): { jobs: Set<string>; nodes: Set<string> } {
    const { state } = this.#engine;
    const { changedJobs: jobs, changedNodes: nodes } = state;
    state.changedJobs = new Set();
    state.changedNodes = new Set();
    return { jobs, nodes };
  }

  /** The end is durable: those who wait for it need not wait for the record to be read again. */
  #onEnded(end: JobEnd): void {
    const { output, outputBlob } = end;
    this.#feed.ended(this.#remember({ view: justEndedView(end), output, outputBlob }));
    this.#engine.state.changedJobs.add(end.job);
    this.#webhooks.durable(end.job);
  }

  /** Whoever was given the output hears that it does not stand. */
  #onRetracted(id: string): void {
    this.#recent.delete(id);
    const view = this.#openView(id);
    if (view) this.#feed.retracted(view);
    this.#webhooks.durable(id);
  }

  /** What ended long enough ago stands for ever. */
  async #seal(): Promise<void> {
    if (this.#engine.broken !== null || this.#engine.stopping) return;
    const sealMs = this.options.sealMs ?? sealMsDefault;
    const sealed = await this.#engine.seal(Date.now() - sealMs).catch(() => 0);
    // Its page says so when it is read again.
    if (sealed > 0) this.#recent.clear();
  }

  async #sweep(): Promise<void> {
    if (this.#engine.broken !== null || this.#engine.stopping) return;
    const { blobs, catalog, sealMs = sealMsDefault, uploads } = this.options;
    // Of a job that is not sealed yet a round may have to be computed again.
    const keepMs = Math.max(uploads?.keepMs ?? uploadLimitsDefault.keepMs, 2 * sealMs);
    const sweeps = [
      this.uploads.sweep(),
      sweepBlobs(blobs, Date.now() - keepMs, blobsInUse(this.#engine.state, catalog)),
    ];
    const swept = (await Promise.allSettled(sweeps)).reduce(
      (sum, each) => sum + (each.status === "fulfilled" ? each.value : 0),
      0,
    );
    if (swept > 0) this.options.log("files_swept", `${swept} files that nobody used for long were deleted.`);
  }

  #tick(): void {
    this.#engine.loop.dispatch({ type: "tick" });
    this.#throughput.sample(this.#engine.state.totals.acceptedCoreSeconds);
    const changed = this.#nodes.due(this.#engine.state);
    if (changed.length > 0) this.#engine.loop.write(changed);
    this.#webhooks.pump();
  }

  // ---- records --------------------------------------------------------------------------------------

  #openView(id: string): JobView | null {
    const job = this.#engine.state.jobs.get(id);
    return job ? openJobView(this.#engine.state, job, Date.now()) : null;
  }

  /** Of a job that is open, or ended lately. */
  #presentView(id: string): JobView | null {
    return this.#openView(id) ?? this.#recent.get(id)?.view ?? null;
  }

  async #recordedView(id: string): Promise<JobView | null> {
    const [record, rounds] = await Promise.all([this.#record.job(id), this.#record.rounds(id)]);
    if (!record) return null;
    const view = viewOf(record, rounds);
    // Of one whose end is being recorded this is the past, which must not cover what comes.
    return isFinal(view.status) ? this.#remember({ view, output: record.output, outputBlob: record.outputBlob }) : view;
  }

  /** Keeps a job that ended, for those who subscribe or ask for its result right after. */
  #remember(ended: Ended): JobView {
    const { view } = ended;
    this.#recent.delete(view.task_id);
    this.#recent.set(view.task_id, ended);
    if (this.#recent.size > recentMax) this.#recent.delete(this.#recent.keys().next().value as string);
    return view;
  }

  async #viewOf(record: JobRecord): Promise<JobView> {
    return viewOf(record, await this.#record.rounds(record.id));
  }

  async #written(writes: readonly Write[]): Promise<void> {
    this.#engine.assertServing();
    await orRefusal(this.#engine.loop.written(writes));
  }

  /** Also of a node that is here: what it said is no longer known, until it says it again. */
  #forgetName(id: string): void {
    this.#nodes.forgetName(id);
    const node = this.#engine.state.nodes.get(id);
    if (node?.connection == null) return;
    const preferences = { ...node.preferences, name: null };
    const message = { type: "preferences", preferences } as const;
    this.#engine.loop.dispatch({ type: "message", connection: node.connection, message });
  }

  async #saveKey(record: KeyRecord): Promise<void> {
    await this.#written([{ type: "key.upsert", key: record }]);
    this.#keys.set(record.id, record);
  }
}

const viewOf = (record: JobRecord, rounds: readonly RoundRecord[]): JobView =>
  endedJobView(record, rounds.find((round) => round.round === record.round) ?? rounds.at(-1));
