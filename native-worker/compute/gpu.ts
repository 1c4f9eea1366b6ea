/**
 * The GPU child: runs WGSL kernels through Dawn, in a process that can be killed. It ends when its device is
 * lost, as it would when its driver crashed: the parent starts another one.
 */
import { KernelError } from "../../kernels/run/errors.ts";
import { GpuRunner } from "../../kernels/run/gpu.ts";
import { openGpu } from "../../kernels/run/gpu-device.ts";
import { loadNodeGpu } from "../../kernels/run/node-gpu.ts";
import type { FromCompute, ToCompute } from "./messages.ts";
import { type Run, Serving } from "./serve.ts";

export const gpuVariables = { enginesDir: "QUEZTL_ENGINES_DIR", software: "QUEZTL_ALLOW_SOFTWARE_GPU" } as const;
const lostExitCode = 75;

/** Serves the parent until that goes away. */
export async function serveGpu(): Promise<void> {
  // Without its parent nobody wants its answers.
  process.on("disconnect", () => process.exit(0));
  const post = (message: FromCompute): void => {
    if (process.connected) process.send?.(message);
  };
  const serving = new Serving(post, "wgsl");
  const opening = open((sha256) => serving.files.get(sha256), post);
  process.on("message", (message: ToCompute) =>
    serving.take(message, async (...args) => {
      const run = await opening;
      if (!run) throw new KernelError("device_lost", "There is no GPU any more.");
      return run(...args);
    }),
  );
  await opening;
}

async function open(
  loadFile: (sha256: string) => Promise<Uint8Array>,
  post: (message: FromCompute) => void,
): Promise<Run | null> {
  try {
    const gpu = await loadNodeGpu(process.env[gpuVariables.enginesDir] ?? "");
    const opened = gpu
      ? await openGpu(gpu, process.env[gpuVariables.software] === "1")
      : ({ ok: false, message: "The webgpu package is not installed." } as const);
    if (!opened.ok) {
      post({ type: "ready", gpu: null, message: opened.message });
      return null;
    }
    const runner = new GpuRunner(opened.device, loadFile);
    // What runs fails with `device_lost` first; then this process goes.
    void opened.device.lost.then(() => setTimeout(() => process.exit(lostExitCode), 50));
    post({ type: "ready", gpu: opened.facts, message: "" });
    return (run, signal, onFraction) => runner.run(run, signal, onFraction);
  } catch (error) {
    post({ type: "ready", gpu: null, message: `Dawn could not be loaded: ${String(error).slice(0, 300)}` });
    return null;
  }
}
