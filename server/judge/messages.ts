/** Between the coordinator and its judge threads. */
import type { Round } from "../../kernels/contract.ts";
import type { CoreEvent, JudgeRequest } from "../core/events.ts";

/** What a thread must know of a job's round before its first piece of work. */
export interface JudgeOpen {
  type: "open";
  job: string;
  workload: string;
  /** Modules that export default the workload and its host. */
  workloadModule: string;
  hostModule: string;
  payload: unknown;
  round: number;
  tasks: number;
  grainTasks: number;
}

/** Bytes that are to be kept. */
export interface KeptFile {
  sha256: string;
  bytes: Uint8Array;
}

export type JudgeWork = Exclude<JudgeRequest, { type: "forget" }>;
export type ToJudge = JudgeOpen | JudgeWork | { type: "forget"; job: string };

export type JudgeAnswer =
  | Extract<CoreEvent, { type: "checked" | "compared" | "agreed" | "merged" | "judge.failed" }>
  | {
      type: "finished";
      job: string;
      round: number;
      attempt: number;
      output: string;
      /** What is kept beside the output, which names it by its hash. */
      files: KeptFile[];
    }
  | { type: "next"; job: string; round: number; attempt: number; next: Round };
