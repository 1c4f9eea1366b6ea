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

/** What a shader declares. */
export type ShaderFacts = NonNullable<NonNullable<CustomPayload["admitted"]>["shader"]>;

export type Word =
  | { type: "compiled"; wasm: Uint8Array }
  /** A task of the trial is done. */
  | { type: "task" }
  | { type: "tried"; taskMs: number; resumable: boolean }
  /** Nothing runs here: own nodes with a GPU try it. */
  | { type: "shader"; shader: ShaderFacts }
  | { type: "fault"; fault: Fault };
