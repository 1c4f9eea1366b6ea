/**
 * The store's port: the record of the grid. Asynchronous and batch-first: the coordinator hands over all
 * writes that arrived while the last batch was being made durable, and acknowledges nothing before
 * `commit` resolves.
 */
import type { Backend, KernelFiles } from "../../protocol/messages.ts";
import type { JobState } from "../../protocol/rest.ts";
import type { LedgerReader, LedgerWrite } from "./ledger.ts";

export interface JobRecord {
  id: string;
  /** Key id of the submitter, or "local" for keyless loopback. */
  submitter: string;
  workload: string;
  /** JSON text; when it is larger than `limits.inlineBytesMax`, only its blob's hash is kept. */
  payload: string | null;
  payloadBlob: string | null;
  priority: number;
  kernel: string;
  files: KernelFiles;
  idempotencyKey: string | null;
  /** SHA-256 of the submitted body: the same key with another body is refused. */
  bodyHash: string | null;
  createdAtMs: number;
  startedAtMs: number | null;
  finishedAtMs: number | null;
  state: JobState;
  round: number;
  revision: number;
  /** Machine-readable reason and sentence of a failure or cancellation. */
  reason: { code: string; message: string } | null;
  /** JSON text of the output, or the hash of a blob with it. */
  output: string | null;
  outputBlob: string | null;
  /** How its results are believed, as JSON; null for a job from before submitters could say. */
  verification: string | null;
  /** From then on nothing of it is taken back. */
  sealedAtMs: number | null;
  /** Counters at the end (core `JobStats` as JSON), so that a finished job's page needs no replay. */
  stats: string | null;
}

export type JobPatch = Partial<
  Pick<
    JobRecord,
    "startedAtMs" | "finishedAtMs" | "state" | "round" | "revision" | "reason" | "output" | "outputBlob" | "stats"
  >
>;

export interface RoundRecord {
  job: string;
  round: number;
  tasks: number;
  grainTasks: number;
  /** Blob with what earlier rounds produced, or null. */
  input: string | null;
}

/** A run of grains that one coordinator may cut slices from. */
export interface ExtentRecord {
  job: string;
  round: number;
  lo: number;
  hi: number;
  owner: string;
  epoch: number;
}

export type Standing = "candidate" | "provisional" | "confirmed" | "sealed" | "rejected" | "retracted";

/** A result without its partials. `id` rises in commit order. */
export interface ResultRecord {
  id: number;
  job: string;
  round: number;
  lo: number;
  hi: number;
  node: string;
  own: boolean;
  backend: Backend;
  lease: string;
  kernel: string;
  build: string;
  computeMs: number;
  atMs: number;
  standing: Standing;
  /** Reason of the verdict, machine-readable; empty while a candidate. */
  verdict: string;
  /** Root of the Merkle tree over the partials, which the node signed; empty where results need no signature. */
  root: Uint8Array;
  signature: Uint8Array;
}

export interface NodeRecord {
  id: string;
  publicKey: Uint8Array;
  name: string | null;
  own: boolean;
  firstSeenMs: number;
  lastSeenMs: number;
  acceptedSlices: number;
  rejectedSlices: number;
  coreSeconds: number;
  /** What the core knows of the identity, as JSON; empty while there is nothing. */
  trust: string;
  /** What it answered until then is not believed; null while it was never proven wrong. */
  taintedAtMs: number | null;
}

export interface KeyRecord {
  id: string;
  /** scrypt or SHA-256 hash of the secret, as access/ writes it. */
  secretHash: string;
  label: string;
  scopes: string[];
  createdAtMs: number;
  revokedAtMs: number | null;
  /** Of its jobs, where they do not say; null: as is usual here. "paid" may be used by all its jobs. */
  supply: "volunteers" | "paid" | null;
  /** Id of the region that its jobs come from, where they do not say. */
  region: string | null;
}

export type Write =
  | { type: "job.insert"; job: JobRecord }
  | { type: "job.update"; id: string; patch: JobPatch }
  /** The round becomes the job's current one. */
  | { type: "round.insert"; round: RoundRecord }
  | { type: "extent.claim"; extent: ExtentRecord }
  /** Conditional on the extents under lo..hi still carrying `epoch`; otherwise the batch fails as fenced. */
  | { type: "result.insert"; result: ResultRecord; partials: Uint8Array; epoch: number }
  | { type: "result.verdict"; id: number; standing: Standing; verdict: string }
  /** Provisional results that stand for good. */
  | { type: "results.confirm"; ids: readonly number[]; verdict: string }
  /**
   * A job that had ended, or was in a later round, is open again in `round`: later rounds and what they hold are
   * retracted, and its extents are this coordinator's.
   */
  | { type: "job.reopen"; id: string; round: number; revision: number; owner: string; epoch: number }
  /** What stands in a completed job stands for ever. */
  | { type: "job.seal"; id: string; atMs: number }
  | { type: "node.trust"; id: string; trust: string; taintedAtMs: number | null }
  | { type: "node.upsert"; node: NodeRecord }
  | { type: "key.upsert"; key: KeyRecord }
  /** Replaces the document, or removes it where `value` is null. */
  | { type: "document.put"; room: string; key: string; value: string | null }
  | LedgerWrite;

export type StoreErrorCode =
  /** Nothing of the batch was written (disk full, constraint). */
  | "refused"
  /** Another coordinator owns the extents or the database now. Nothing was written. */
  | "fenced"
  /** The batch may or may not be durable. */
  | "unknown";

export class StoreError extends Error {
  override name = "StoreError";
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** An open job, as a coordinator takes it up. */
export interface SnapshotJob {
  job: JobRecord;
  rounds: RoundRecord[];
  extents: ExtentRecord[];
  /** Results of the asked-for round, by default the current one, in id order. */
  results: ResultRecord[];
}

/** Where results of a node that was proven wrong stand: the earliest round of each job. */
export interface Taint {
  job: string;
  round: number;
}

/** What a coordinator needs to go on after a restart. */
export interface Snapshot {
  /** Raised by every `open`; extents of open jobs were adopted under it. */
  epoch: number;
  /** Highest id of a result or of other work so far. */
  lastResultId: number;
  /** Jobs that have not ended, in order of creation, with their rounds, extents and results. */
  jobs: SnapshotJob[];
  nodes: NodeRecord[];
  keys: KeyRecord[];
  counts: Record<JobState, number>;
}

export interface JobFilter {
  state?: JobState;
  workload?: string;
  submitter?: string;
  /** From the last page. Newest first. */
  cursor?: string;
  /** 1 to 200. */
  limit: number;
}

export interface Store {
  readonly ledger: LedgerReader;
  /**
   * Opens for this coordinator: raises the epoch, adopts the extents of open jobs, reads what is open. Again after
   * a commit of unknown outcome: until then every commit is refused as unknown.
   */
  open(coordinator: string): Promise<Snapshot>;
  /** Makes all of the batch durable, or none. Rejects with StoreError. One call at a time. */
  commit(batch: readonly Write[]): Promise<void>;
  /** What is read was committed. Before `open` and after `close`, reads and commits reject with StoreError. */
  job(id: string): Promise<JobRecord | null>;
  jobByIdempotencyKey(submitter: string, key: string): Promise<JobRecord | null>;
  /** Throws RangeError for a limit out of range or a cursor that no page gave. */
  jobs(filter: JobFilter): Promise<{ jobs: JobRecord[]; nextCursor: string | null }>;
  rounds(job: string): Promise<RoundRecord[]>;
  results(job: string, round: number): Promise<ResultRecord[]>;
  /** Packed partials by result id, in the order asked; throws on an unknown id. At most 256 ids. */
  partials(ids: readonly number[]): Promise<Uint8Array[]>;
  /** Small texts that are read as a whole, by room: what the autoscaler keeps. In order of their keys. */
  documents(room: string): Promise<{ key: string; value: string }[]>;
  /** Completed jobs that are not sealed, and open ones past the round, that rest on what is not believed any more. */
  tainted(): Promise<Taint[]>;
  /** A job with the results of one of its rounds. */
  jobAt(id: string, round: number): Promise<SnapshotJob | null>;
  /** Completed jobs that ended before then and are not sealed, the oldest first. */
  sealable(beforeMs: number, limit: number): Promise<string[]>;
  close(): Promise<void>;
}
