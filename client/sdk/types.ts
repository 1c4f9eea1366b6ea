/** What each workload takes and gives, derived from the registry: a new workload is typed without a line here. */
import type { Workload } from "../../kernels/contract.ts";
import type * as registry from "../../kernels/registry.ts";
import type {
  JobEvent,
  JobResult,
  JobState,
  SubmitAnswer,
  VerificationRequest,
  WorkloadType,
} from "../../protocol/rest.ts";

type Registry = typeof registry;

/** What each workload is asked, by wire name. */
export type Payloads = {
  [Type in keyof Registry]: Registry[Type] extends Workload<infer Payload, infer _Task, infer _Result>
    ? Payload
    : never;
};

/** What each workload answers, by wire name. */
export type Results = {
  [Type in keyof Registry]: Registry[Type] extends Workload<infer _Payload, infer _Task, infer Result> ? Result : never;
};

/** Wire names of the workloads that this version knows. */
export type WorkloadName = keyof Payloads;

/** What a workload is asked; `unknown` for one that this version does not know. */
export type PayloadOf<Type extends string> = Type extends WorkloadName ? Payloads[Type] : unknown;

/** What a workload answers; `unknown` for one that this version does not know. */
export type ResultOf<Type extends string> = Type extends WorkloadName ? Results[Type] : unknown;

/** A finished job: its result, and how that was verified. */
export type JobReport<Result> = Omit<JobResult, "result"> & { result: Result };

/** An event of a job, with its number. `progress({ after: id })` goes on behind it. */
export type ProgressEvent = JobEvent & { id: string };

/** The coordinator's answer to a submission; `replayed` when its idempotency key named a job that was there before. */
export type Accepted = SubmitAnswer & { replayed: boolean };

export interface WorkloadTypes {
  workload_types: WorkloadType[];
  /** Wire names that have no kernel yet. */
  planned: string[];
}

export interface CallOptions {
  /** Gives the call up, its retries and its waiting included. */
  signal?: AbortSignal;
}

export interface SubmitOptions extends CallOptions {
  /** 1 (whenever) to 10 (first); the coordinator's default is 5. */
  priority?: number;
  /** `paid`: instances may be launched for it; `volunteers`: none. By default `paid` where instances cost nothing. */
  supply?: "volunteers" | "paid";
  /** When it should be done. */
  deadline?: Date;
  /** Dollars that its instances may cost; used up, the job is left to volunteers. */
  budget?: number;
  /** Where the work comes from, as `eu-west-1`. */
  region?: string;
  /** Whose machines may see the inputs; all volunteers' without it. */
  placement?: "own" | "trusted" | "volunteers";
  /** How sure the result must be; the workload's defaults without it. */
  verification?: VerificationRequest;
  /** Told over HTTP of the job's end, and should its output be taken back. */
  webhook?: string;
  /**
   * Names this submission: the same key with the same payload is the same job, from any process, for ever. Without it
   * each call makes up its own, which covers its own retries.
   */
  idempotencyKey?: string;
}

export interface ProgressOptions extends CallOptions {
  /** The `id` of the last event seen. */
  after?: string;
}

export interface JobFilter extends CallOptions {
  state?: JobState;
  workloadType?: string;
  submitter?: string;
}
