/**
 * What the HTTP side needs of the grid: the port between routes and coordinator. Routes never see the
 * core, the store or a socket; `coordinator.ts` implements this, and `fake-grid.ts` does for tests.
 */
import type {
  FeedEvent,
  JobEvent,
  JobList,
  JobState,
  JobView,
  NetworkStatus,
  NodeView,
  Reason,
  VerificationRequest,
  WorkloadType,
} from "../../protocol/rest.ts";
import type { Caller } from "../access/caller.ts";
import type { Blobs } from "../blobs/blobs.ts";
import type { JobTerms } from "../core/state.ts";
import type { Shelf } from "../shell/reading.ts";
import type { KeyRecord } from "../store/store.ts";
import type { Uploads } from "../uploads/uploads.ts";
import type { GridReceipts, GridVolunteers } from "./ledger.ts";

export type GridErrorCode =
  /** No such workload type. `available` lists those there are. */
  | "unknown_workload"
  /** A type of the published list that has no kernel yet. `available` lists those that have. */
  | "planned_workload"
  /** `errors` names every field of the payload that is wrong, as `payload.iterations`. */
  | "invalid_payload"
  /** The idempotency key was used with another body. */
  | "idempotency_mismatch"
  /** A list filter or cursor that the store cannot read. */
  | "invalid_filter"
  /** A stated limit is reached (open jobs, queue of commits); `retryAfterSeconds` says when to come back. */
  | "overloaded"
  /** The store refused or lost the commit; nothing was accepted. */
  | "storage_unavailable"
  /** What a volunteer says of itself is not signed by it, not fresh, or not the caller's to say. */
  | "invalid_statement"
  /** The job has more ranges than a receipt holds. */
  | "receipt_too_large"
  /** An upload is larger than files may be. */
  | "upload_too_large"
  /** The job's output was swept. */
  | "result_gone"
  /** An upload has no bytes. */
  | "empty_upload"
  /** What was sent has another hash than was said. */
  | "hash_mismatch"
  /** Another request writes to the upload, or it is at another byte. */
  | "upload_conflict"
  /** The coordinator is draining and takes no more work. */
  | "shutting_down";

export interface GridErrorDetails {
  /** The request's field that is wrong, as a path. */
  field?: string;
  /** What to do about it, in a sentence. */
  remedy?: string;
  errors?: { field: string; message: string }[];
  available?: string[];
  retryAfterSeconds?: number;
}

/** A refusal that the caller can act on. Anything else that a Grid method throws is a defect (500). */
export class GridError extends Error {
  override name = "GridError";
  constructor(
    readonly code: GridErrorCode,
    message: string,
    readonly details: GridErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface SubmitRequest {
  workload: string;
  payload: unknown;
  /** 1 to 10. */
  priority: number;
  /** As the submitter asks to have results believed; the workload's defaults without it. */
  verification?: VerificationRequest | undefined;
  /** Key id, or "local" (keyless loopback), or "operator". */
  submitter: string;
  /** Scoped to the submitter. */
  idempotencyKey: string | null;
  /** SHA-256 (hex) of the body's bytes as they arrived. */
  bodyHash: string;
  /** Absent: for volunteers, without a deadline. */
  terms?: JobTerms;
  /** Where to tell of its end. */
  webhook?: string | null;
}

export interface Submitted {
  /** The job as it is now, which for a replay may be long after it was accepted. */
  job: JobView;
  /** The idempotency key named a job that was accepted before; nothing was added. */
  replayed: boolean;
  /** Of the job's first round, in seconds of one plain WASM core. */
  estimatedCoreSeconds: number;
}

export interface JobQuery {
  state?: JobState;
  workload?: string;
  submitter?: string;
  cursor?: string;
  /** 1 to 200. */
  limit: number;
}

/** A job's output: `output` is null until the job is completed. */
export interface JobOutput {
  job: JobView;
  output: unknown;
}

/** An event of one job with its number, which rises within the job and survives as SSE id. */
export interface NumberedJobEvent {
  id: number;
  event: JobEvent;
}

/** An event of the pages' feed with its number, which rises, also over restarts, and survives as SSE id. */
export interface NumberedFeedEvent {
  id: number;
  event: FeedEvent;
}

export type Unsubscribe = () => void;

export interface GridHealth {
  status: "ok" | "degraded";
  /** Why it is degraded; empty when ok. */
  reasons: Reason[];
  /** Seconds since this process began to serve. */
  uptime: number;
  version: string;
}

/** API keys as the record knows them; hashes only. Creation, secrets and revocation are `access/`'s. */
export interface KeyStore {
  /** All keys, revoked ones included. Read at start only, and for lists. */
  list(): readonly KeyRecord[];
  /** Inserts or replaces by id; durable when it resolves. Rejects with GridError("storage_unavailable"). */
  save(record: KeyRecord): Promise<void>;
}

export interface Grid {
  /** Resolves once the job is durable. Rejects with GridError. */
  submit(request: SubmitRequest): Promise<Submitted>;
  /** Cancels an open job; one that has ended is returned as it is. Null when there is no such job. */
  cancel(id: string, by: string): Promise<JobView | null>;
  job(id: string): Promise<JobView | null>;
  /** Newest first. */
  jobs(query: JobQuery): Promise<JobList>;
  result(id: string): Promise<JobOutput | null>;

  /** The page of a session has gone: what the session held is free. False where the token is none that this grid gave. */
  depart(token: string): boolean;

  nodes(): NodeView[];
  status(): NetworkStatus;
  workloadTypes(): WorkloadType[];
  /** Wire names that have no kernel yet. */
  plannedWorkloads(): readonly string[];

  /**
   * Events of an existing job. Those after `after` that are still kept are delivered before this returns;
   * with `after` null, or older than what is kept, one `state` event of the present comes instead.
   * Nothing is delivered for a job that ended with event `after`. The last event of a job is a `state`
   * with a final status.
   */
  subscribeJob(id: string, after: number | null, listener: (event: NumberedJobEvent) => void): Unsubscribe;
  /**
   * The pages' feed: before this returns a `snapshot`, or the changes after `after` where all of them are still kept;
   * then changes at most every 500 ms.
   */
  subscribeFeed(after: number | null, listener: (event: NumberedFeedEvent) => void): Unsubscribe;

  /** A kernel file that some open job or the current build pins, by SHA-256 (hex). */
  kernelFile(sha256: string): Promise<Uint8Array | null>;
  /** Where a blob is for this asker, whom a session's token or an account makes known; null where it is not for them. */
  shelfOf(sha256: string, token: string | null, caller: Caller): Shelf | null;
  /** What volunteers and submitters fetch by hash. */
  blobs: Pick<Blobs, "stat" | "read">;
  /** What is of its owner alone: uploads and what jobs made of them. */
  files: Blobs;

  readonly uploads: Uploads;
  keys: KeyStore;
  readonly receipts: GridReceipts;
  readonly volunteers: GridVolunteers;
  health(): GridHealth;
}

/** States that a job never leaves. */
export const isFinal = (state: JobState): boolean =>
  state === "completed" || state === "failed" || state === "cancelled";
