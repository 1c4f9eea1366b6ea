/** What the agent's worker asks of a compute worker. Plain data only: errors cross as outcomes. */
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import type { FailReason, KernelFiles } from "../../protocol/messages.ts";

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
      /** Compute dispatches that the GPU has been given by this worker so far; 0 for WASM. */
      dispatches: number;
    }
  | { ok: false; reason: FailReason | "aborted"; message: string; grain: number | null };

export interface ComputeApi {
  run(run: GrainRun, onFraction: (fraction: number) => void): Promise<RunOutcome>;
  /** Ends the running grain at its next pause, within 100 ms. */
  abort(): void;
  calibrate(workload: string, files: KernelFiles): Promise<RunOutcome>;
}

export type GpuProbe = { ok: true; gpu: GpuFacts } | { ok: false; message: string };

export interface GpuApi extends ComputeApi {
  /** Finds an adapter and opens a device; `onLost` is called once if that device is lost. */
  open(allowSoftware: boolean, onLost: (message: string) => void): Promise<GpuProbe>;
}
