/** Between the coordinator and the child process that compiles and tries researchers' code. */
import type { CustomPayload } from "../../kernels/workloads/custom/payload.ts";

export interface Order {
  payload: CustomPayload;
  /** Source of what AssemblyScript imports as "./queztl". */
  library: string;
}

export interface Fault {
  /** Within the payload, as "code". */
  field: string;
  /** Each with its place where it has one: "line 3, column 5: ...". */
  errors: string[];
  remedy: string;
}

export type Word =
  | { type: "compiled"; wasm: Uint8Array }
  /** A task of the trial is done. */
  | { type: "task" }
  | { type: "tried"; taskMs: number }
  | { type: "fault"; fault: Fault };
