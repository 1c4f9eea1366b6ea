/**
 * What the core hears and what it asks for. Events are facts; effects are data that the shell
 * performs. An effect that depends on a commit stands in that commit's `afterwards`.
 */
import type { Round, Verification, Workload } from "../../kernels/contract.ts";
import type {
  Capabilities,
  CoordinatorMessage,
  FailReason,
  HeldLease,
  KernelFiles,
  NodeMessage,
  Preferences,
  RefuseCode,
  ResultMessage,
} from "../../protocol/messages.ts";
import type { Reason } from "../../protocol/rest.ts";
import type { StoredJob } from "./restore.ts";
import type { Job, JobStats, JobTerms, Lease } from "./state.ts";
import type { TrustRecord } from "./trust.ts";

export interface NewJob {
  id: string;
  submitter: string;
  workload: Workload;
  payload: unknown;
  payloadBlob: string | null;
  priority: number;
  kernel: string;
  files: KernelFiles;
  hasCheck: boolean;
  /** Absent: for volunteers, without a deadline. */
  terms?: JobTerms;
  verification: Verification;
}

export type CoreEvent =
  | { type: "submit"; job: NewJob; record: JobRecordSeed }
  | { type: "job.durable"; job: string }
  | { type: "cancel"; job: string; reason: Reason }
  | { type: "extent.durable"; job: string; round: number; hi: number }
  | { type: "round.durable"; job: string }
  | {
      type: "hello";
      connection: number;
      node: string;
      own: boolean;
      /** It is an instance of the autoscaler's. */
      hired?: boolean;
      session: string;
      /** Where it connects from, as an IPv4 /24, an IPv6 /48, or "loopback"; empty or absent where unknown. */
      network?: string;
      capabilities: Capabilities;
      preferences: Preferences;
      holding: readonly HeldLease[];
      /** What the store remembers of this identity. */
      history: { acceptedSlices: number; rejectedSlices: number; coreSeconds: number };
    }
  | { type: "disconnected"; connection: number }
  /** The session's page said that it has gone, with a token that only this session was given. */
  | { type: "departed"; node: string; session: string }
  /** The autoscaler means to end this node, or no longer. */
  | { type: "retire"; node: string; retiring: boolean }
  /** Nobody pays for this job any more. */
  | { type: "unpaid"; job: string }
  | { type: "result"; connection: number; result: ResultMessage }
  | { type: "message"; connection: number; message: Exclude<NodeMessage, { type: "hello" | "result" }> }
  /** `wrong`: grains that were found wrong, at least. */
  | { type: "checked"; job: string; result: number; reason: string | null; wrong?: number }
  | { type: "compared"; job: string; result: number; grain: number; reason: string | null; proof: boolean }
  /** A replica's answer was held against the result: the first grain that differs, and how many do, at least. */
  | {
      type: "agreed";
      job: string;
      result: number;
      lo: number;
      node: string;
      grain: number | null;
      reason: string | null;
      wrong: number;
      proof: boolean;
    }
  /** `outlier`: a node whose observations are not distributed like the others'. */
  | { type: "merged"; job: string; round: number; enough: boolean; preview: unknown; outlier?: string }
  | { type: "finished"; job: string; round: number; attempt: number; output: string | null; outputBlob: string | null }
  | { type: "next"; job: string; round: number; attempt: number; next: Round; input: string | null }
  | { type: "judge.failed"; job: string; message: string }
  | { type: "restored"; job: string; result: number; partials: Uint8Array }
  /** The partials of a result that `bring` asked for. */
  | { type: "brought"; job: string; result: number; partials: Uint8Array }
  /** A job that ended, or is past the round, rests on what is not believed any more. */
  | { type: "reopen"; stored: StoredJob }
  /** All results of a restored job were brought. */
  | { type: "restored.all"; job: string }
  | { type: "place" }
  | { type: "tick" }
  | { type: "drain" };

/** Fields of the job's record that the core does not use but the store keeps. */
export interface JobRecordSeed {
  payloadJson: string | null;
  idempotencyKey: string | null;
  bodyHash: string | null;
  /** Where to tell of its end; absent: nowhere. */
  webhook?: string | null;
}

/** A write, in the core's words; the shell turns it into the store's. */
export type CoreWrite =
  | { type: "job.insert"; job: string; record: JobRecordSeed }
  | {
      type: "job.ended";
      job: string;
      /** The job itself, which the core has forgotten by now. */
      of: Job;
      state: "completed" | "failed" | "cancelled";
      startedAtMs: number | null;
      atMs: number;
      reason: Reason | null;
      output: string | null;
      outputBlob: string | null;
      stats: JobStats;
      round: number;
      revision: number;
    }
  | { type: "round.insert"; job: string; round: number; tasks: number; grainTasks: number; input: string | null }
  | { type: "extent.claim"; job: string; round: number; lo: number; hi: number }
  | {
      type: "result.insert";
      id: number;
      message: ResultMessage;
      node: string;
      own: boolean;
      standing: "candidate" | "provisional" | "confirmed";
      verdict: string;
    }
  | {
      type: "result.verdict";
      id: number;
      standing: "provisional" | "confirmed" | "rejected" | "retracted";
      verdict: string;
    }
  /** Provisional results that passed with their node's other work. */
  | { type: "results.confirm"; job: string; ids: readonly number[]; verdict: string }
  /** Grains of a result that another computed, and how they compared. */
  | {
      type: "audit.done";
      result: number;
      /** checkpoint: the node computed the beginning of grain `lo`, from where the result's went on. */
      kind: "audit" | "replica" | "checkpoint";
      lo: number;
      hi: number;
      node: string;
      own: boolean;
      verdict: "agrees" | "differs" | "resumed";
      reason: string;
    }
  /** The job is open again in `round`: what came after is void. */
  | { type: "job.reopen"; job: string; round: number; revision: number }
  /** What is known of an identity changed in a way that must not be lost. */
  | { type: "node.trust"; trust: TrustRecord }
  /** A volunteer's work that is no result of its own: for the ledger. `id` is numbered with the results. */
  | { type: "work.done"; id: number; message: ResultMessage; node: string; purpose: "audit" | "replica" | "spare" };

export type JudgeRequest =
  /** Keeps the partials; answers `checked` where the workload has a check. */
  | {
      type: "take";
      job: string;
      round: number;
      result: number;
      lo: number;
      hi: number;
      partials: Uint8Array;
      check: boolean;
    }
  /** Merges what `result` stands for; answers `merged`. `node` is null for an own one. */
  | {
      type: "merge";
      job: string;
      round: number;
      result: number;
      node: string | null;
      ranges: readonly (readonly [number, number])[];
    }
  | { type: "drop"; job: string; result: number }
  /** Takes back what the results stood for; answers `merged`. */
  | { type: "unmerge"; job: string; round: number; results: readonly number[] }
  /** Answers `compared`. */
  | {
      type: "compare";
      job: string;
      result: number;
      grain: number;
      mine: Uint8Array;
      theirs: Uint8Array;
      backends: readonly [ResultMessage["backend"], ResultMessage["backend"]];
    }
  /** Holds packed partials of [lo, hi), another's, against the result's own; answers `agreed`. */
  | {
      type: "agree";
      job: string;
      result: number;
      lo: number;
      hi: number;
      node: string;
      mine: Uint8Array;
      theirs: Uint8Array;
      backends: readonly [ResultMessage["backend"], ResultMessage["backend"]];
      /** Both are of one determinism class: what is within the tolerance must be the same, or an own node decides. */
      oneClass: boolean;
    }
  /** Answers `finished` or `next`. The shell adds what the round's kernels were handed, where there was something. */
  | { type: "finish"; job: string; round: number; attempt: number; input?: Uint8Array }
  | { type: "forget"; job: string };

export type Effect =
  | { type: "commit"; writes: CoreWrite[]; afterwards: Effect[]; event?: CoreEvent }
  | { type: "send"; connection: number; message: CoordinatorMessage }
  /** The shell adds the slice's inputs. */
  | { type: "lease"; connection: number; lease: Lease; deadlineMs: number }
  | { type: "ack"; connection: number; seq: number; rejected: string | null }
  | { type: "close"; connection: number; code: RefuseCode; message: string; remedy: string; retryMs: number | null }
  | { type: "judge"; request: JudgeRequest }
  /** Reads the partials of a result from the record; answered with `brought`. */
  | { type: "bring"; job: string; result: number }
  /** A node was proven wrong: finished jobs and rounds that rest on its word are to be opened again. */
  | { type: "tainted"; node: string }
  | { type: "accepted"; job: string }
  /** An output that was given, or what rounds rested on, does not stand. */
  | { type: "retracted"; job: string; revision: number }
  | { type: "ended"; job: string; state: "completed" | "failed" | "cancelled" }
  /** For logs and metrics: something worth a line. */
  | { type: "note"; code: string; message: string; node?: string; job?: string };

export type { FailReason };

/** Pure helpers that the core is given. */
export interface CorePorts {
  /** A code that proves that this coordinator issued the lease; deterministic. */
  ticket(lease: { id: string; job: string; round: number; lo: number; hi: number; node: string }): string;
}
