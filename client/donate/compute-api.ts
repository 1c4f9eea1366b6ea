/** What the agent's worker asks of a compute worker. Plain data only: errors cross as outcomes. */
import type { GrainRequest } from "../../agent/ports.ts";
import type { Capabilities, FailReason } from "../../protocol/messages.ts";

export type GrainOutcome =
  | {
      ok: true;
      partial: Uint8Array;
      computeMs: number;
      build: string;
      /** Core-seconds that this grain is worth. */
      coreSeconds: number;
      /** What the page may show of it, or "". */
      finding: string;
      /** Compute dispatches that the GPU has been given by this worker so far; 0 for WASM. */
      dispatches: number;
    }
  | { ok: false; reason: FailReason | "aborted"; message: string };

export type CalibrationOutcome = { ok: true; opsPerSecond: number } | { ok: false; reason: FailReason; message: string };

export interface ComputeApi {
  run(request: GrainRequest, onFraction: (fraction: number) => void): Promise<GrainOutcome>;
  /** Ends the running grain at its next pause, within 100 ms. */
  abort(): void;
  calibrate(workload: string): Promise<CalibrationOutcome>;
}

export type GpuCapabilities = NonNullable<Capabilities["gpu"]>;
export type GpuProbe = { ok: true; gpu: GpuCapabilities } | { ok: false; message: string };

export interface GpuApi extends ComputeApi {
  /** Finds an adapter and opens a device; `onLost` is called once if that device is lost. */
  open(allowSoftware: boolean, onLost: (message: string) => void): Promise<GpuProbe>;
}
