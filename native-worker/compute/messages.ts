/** Between the worker and its compute threads and GPU child. */
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import type { FailReason, KernelFiles } from "../../protocol/messages.ts";

export type ComputeTask = GrainRun & { type: "run"; id: number };

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

export type { GpuFacts };
