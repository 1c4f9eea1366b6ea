/** The graphics processor of a tab: runs WGSL kernels. */
import * as Comlink from "comlink";
import { KernelError } from "../../kernels/run/errors.ts";
import { GpuRunner } from "../../kernels/run/gpu.ts";
import { openGpu } from "../../kernels/run/gpu-device.ts";
import { calibrationRun, type GrainRun } from "../../kernels/run/grains.ts";
import type { GpuApi } from "./compute-api.ts";
import { loadWgsl, RunLine } from "./kernel-worker.ts";

let runner: GpuRunner | null = null;
const line = new RunLine();

const run = (grains: GrainRun, onFraction: (fraction: number) => void) =>
  line.run(
    grains,
    (signal) => {
      if (!runner) throw new KernelError("device_lost", "The graphics processor is not open.");
      return runner.run(grains, signal, onFraction);
    },
    () => runner?.dispatches ?? 0,
  );

const api: GpuApi = {
  async open(allowSoftware, onLost) {
    const opened = await openGpu(navigator.gpu, allowSoftware);
    if (!opened.ok) return opened;
    runner = new GpuRunner(opened.device, loadWgsl);
    void opened.device.lost.then((info) => {
      runner = null;
      onLost(info.message || info.reason || "the driver gave no reason");
    });
    return { ok: true, gpu: opened.facts };
  },
  run,
  abort: () => line.abort(),
  calibrate: (workload, files) => run(calibrationRun(workload, files), () => {}),
};

Comlink.expose(api);
