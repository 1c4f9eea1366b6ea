/** The GPU child: runs WGSL kernels through Dawn, in a process that can be killed. */

import { GpuRunner } from "../../kernels/run/gpu.ts";
import { openGpu } from "../../kernels/run/gpu-device.ts";
import { calibrationRun } from "../../kernels/run/grains.ts";
import { hasWebGpuPackage, loadNodeGpu } from "../../kernels/run/node-gpu.ts";
import type { FromCompute, ToCompute } from "./messages.ts";
import { FileRequests, failure } from "./thread.ts";

/** Serves the parent until it goes away. */
export async function serveGpu(): Promise<void> {
  const post = (message: FromCompute): void => {
    process.send?.(message);
  };
  process.on("disconnect", () => process.exit(0));
  const enginesDir = process.env.QUEZTL_ENGINES_DIR ?? "";
  const opened = hasWebGpuPackage(enginesDir)
    ? await openGpu(await loadNodeGpu(enginesDir), process.env.QUEZTL_ALLOW_SOFTWARE_GPU === "1")
    : { ok: false as const, message: "The webgpu package is not installed; --with-gpu installs it." };
  if (!opened.ok) {
    post({ type: "ready", gpu: null, message: opened.message });
    return;
  }
  void opened.device.lost.then((info) => {
    process.stderr.write(`GPU lost: ${info.message}\n`);
    process.exit(3);
  });
  serve(opened.device, post);
  post({ type: "ready", gpu: opened.facts, message: "" });
}

function serve(device: GPUDevice, post: (message: FromCompute) => void): void {
  const files = new FileRequests(post);
  const runner = new GpuRunner(device, (sha256) => files.get(sha256, "wgsl"));
  const aborts = new Map<number, AbortController>();
  const run = async (
    message: Extract<ToCompute, { type: "run" | "calibrate" }>,
    signal: AbortSignal,
  ): Promise<void> => {
    const { id } = message;
    try {
      const grains = message.type === "run" ? message : calibrationRun(message.workload, message.files);
      post({
        type: "done",
        id,
        ...(await runner.run(grains, signal, (fraction) => post({ type: "fraction", id, fraction }))),
      });
    } catch (error) {
      post(failure(id, error));
    }
  };
  process.on("message", (raw) => {
    const message = raw as ToCompute;
    if (message.type === "file") files.arrived(message);
    else if (message.type === "abort") aborts.get(message.id)?.abort();
    else {
      const abort = new AbortController();
      aborts.set(message.id, abort);
      void run(message, abort.signal).finally(() => aborts.delete(message.id));
    }
  });
}
