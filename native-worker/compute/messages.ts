/** Between the worker and its compute threads and GPU child. */
import type { FailReason, KernelFiles } from "../../protocol/messages.ts";

export interface ComputeTask {
  type: "run";
  id: number;
  workload: string;
  files: KernelFiles;
  payload: unknown;
  round: number;
  tasks: number;
  grainTasks: number;
  input: Uint8Array | null;
  inputs: Uint8Array | null;
  inputsFirstTask: number;
  lo: number;
  hi: number;
}

export type ToCompute =
  | ComputeTask
  | { type: "abort"; id: number }
  | { type: "file"; sha256: string; bytes: Uint8Array | null; message: string }
  /** A workload's own short run. */
  | { type: "calibrate"; id: number; workload: string; files: KernelFiles };

export type FromCompute =
  | { type: "ready"; gpu: GpuFacts | null; message: string }
  | { type: "done"; id: number; partials: Uint8Array[]; computeMs: number; build: string }
  | { type: "failed"; id: number; reason: FailReason | "aborted"; message: string; grain: number | null }
  | { type: "fraction"; id: number; fraction: number }
  /** Kernel files are fetched by the parent, which has the network. */
  | { type: "need"; sha256: string; role: string };

export interface GpuFacts {
  name: string;
  vendor: string;
  architecture: string;
  software: boolean;
  features: string[];
  limits: Record<string, number>;
}
