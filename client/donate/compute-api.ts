/** What the agent's worker asks of a compute worker. Plain data only: errors cross as outcomes. */

import type { Picture } from "../../kernels/contract.ts";
import type { GrainRun, SavedGrain } from "../../kernels/run/grains.ts";
import type { Capabilities, FailReason, KernelFiles } from "../../protocol/messages.ts";

export type RunOutcome =
  | {
      ok: true;
      partials: Uint8Array[];
      computeMs: number;
      build: string;
      /** Core-seconds that these grains are worth. */
      coreSeconds: number;
      /** What the page may show of the last grain, or "". */
      finding: string;
      /** Samples of the last grain, to draw; null where there are none. */
      picture: Picture | null;
      /** Compute dispatches that this worker has given to the GPU so far; 0 for WASM. */
      dispatches: number;
    }
  | { ok: false; reason: FailReason | "aborted"; message: string; grain: number | null };

/** A workload whose speed is measured before its first lease. */
export interface Calibration {
  workload: string;
  files: KernelFiles;
}

export interface Progress {
  /** Of the grain being computed. */
  grain: number;
  /** Of the whole request. */
  request: number;
  /** As in RunOutcome. */
  dispatches: number;
  /** Where a long grain stands, when it was just saved. */
  saved?: SavedGrain;
}

/** What holds for a worker until it is told otherwise. */
export interface Settings {
  /** Share of the time that it computes, above 0 to 1. */
  duty: number;
  /** Bytes of memory that one kernel may have. */
  memoryBytesMax: number;
}

export interface ComputeApi {
  run(run: GrainRun, onProgress: (progress: Progress) => void): Promise<RunOutcome>;
  /** Ends the running grains at their next pause, within 100 ms. */
  abort(): void;
  /** `stop`: the word of a StopFlag, where memory can be shared. */
  configure(settings: Settings, stop: SharedArrayBuffer | null): void;
  /** Operations per second of those workloads that this worker can run. */
  calibrate(workloads: readonly Calibration[]): Promise<{ workload: string; opsPerSecond: number }[]>;
}

export type GpuCapabilities = NonNullable<Capabilities["gpu"]>;
export type GpuProbe = { ok: true; gpu: GpuCapabilities } | { ok: false; message: string };

export interface GpuApi extends ComputeApi {
  /**
   * Finds an adapter and opens a device; `onLost` is called once if that device is lost. `chunkShare`, above 0 to 1,
   * shortens what it computes at a time.
   */
  open(allowSoftware: boolean, chunkShare: number, onLost: (message: string) => void): Promise<GpuProbe>;
}
