/** Between the worker and its compute threads and GPU child. */
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import type { FailReason } from "../../protocol/messages.ts";

export type ToCompute =
  | { type: "run"; id: number; run: GrainRun }
  | { type: "abort"; id: number }
  /** A kernel file that was asked for; null, with the reason, where it is not to be had. */
  | { type: "file"; sha256: string; bytes: Uint8Array | null; message: string };

export type FromCompute =
  /** It can compute from now on; a GPU child says what it found, or why there is nothing. */
  | { type: "ready"; gpu: GpuFacts | null; message: string }
  | { type: "done"; id: number; partials: Uint8Array[]; computeMs: number; build: string }
  | { type: "failed"; id: number; reason: FailReason | "aborted"; message: string; grain: number | null }
  | { type: "fraction"; id: number; fraction: number }
  | { type: "saved"; id: number; grain: number; bytes: Uint8Array }
  /** Kernel files are fetched by the parent, which has the network. */
  | { type: "need"; sha256: string; role: KernelRole };

export type KernelRole = "wasm" | "wgsl";
