/** The graphics processor of a tab: runs WGSL kernels. */
import { KernelError } from "../../kernels/run/errors.ts";
import { GpuRunner } from "../../kernels/run/gpu.ts";
import { GpuPaces } from "../../kernels/run/gpu-chunks.ts";
import { openGpu } from "../../kernels/run/gpu-device.ts";
import type { GpuApi, GpuProbe } from "./compute-api.ts";
import { avoidEval } from "./jitless.ts";
import { KernelService } from "./kernel-service.ts";
import { fetchByHash } from "./ports.ts";
import { serve } from "./worker-roles.ts";

avoidEval();
let runner: GpuRunner | null = null;

class GpuService extends KernelService implements GpuApi {
  async open(allowSoftware: boolean, chunkShare: number, onLost: (message: string) => void): Promise<GpuProbe> {
    const opened = await openGpu(navigator.gpu, allowSoftware);
    if (!opened.ok) return opened;
    const load = (sha256: string) => fetchByHash(`/k/${sha256}.wgsl`, sha256);
    runner = new GpuRunner(opened.device, load, new GpuPaces(chunkShare), {
      stopped: () => this.stopped,
      duty: () => this.duty,
    });
    void opened.device.lost.then((info) => {
      runner = null;
      onLost(info.message || info.reason || "the driver gave no reason");
    });
    // A browser does not tell how much memory its GPU has.
    return { ok: true, gpu: { ...opened.facts, vramBytes: null } };
  }
}

serve(
  new GpuService(
    async (run, signal, onProgress) => {
      if (!runner) throw new KernelError("device_lost", "The graphics processor is not open.");
      return runner.run(run, signal, (fraction) => onProgress({ grain: fraction, request: fraction }));
    },
    () => runner?.dispatches ?? 0,
  ),
);
