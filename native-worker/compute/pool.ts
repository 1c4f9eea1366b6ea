/** The worker's compute: a thread for each WASM slot and, where there is a GPU, one child process. */
import type { ComputePort, GrainsAnswer, GrainsRequest } from "../../agent/ports.ts";
import { ComputeError } from "../../agent/ports.ts";
import { calibrationRun, calibrationSpeed } from "../../kernels/run/grains.ts";
import { workloads } from "../../kernels/workloads.ts";
import type { Backend, Capabilities, KernelFiles } from "../../protocol/messages.ts";
import type { HttpBlobs } from "../blobs.ts";
import { startComputeThread, startGpuChild } from "../roles.ts";
import { type Endpoint, Lane } from "./lane.ts";
import type { FromCompute, GpuFacts, ToCompute } from "./messages.ts";

export interface PoolOptions {
  blobs: HttpBlobs;
  /** Kernel files of a workload as this coordinator serves them, for calibration. */
  kernelFiles(workload: string): Promise<KernelFiles | null>;
  families: readonly string[];
  /** GPU adapters without hardware count only in tests. */
  allowSoftwareGpu: boolean;
  enginesDir: string;
  log(code: string, message: string): void;
}

/** After this many losses the GPU is left alone. */
const gpuLossesMax = 2;

export class ComputePool implements ComputePort {
  readonly #threads = new Map<number, Lane>();
  #gpu: Lane | null = null;
  #gpuLosses = 0;
  #capabilities: Capabilities | null = null;
  #listener: (capabilities: Capabilities, reason: string) => void = () => {};

  constructor(private readonly options: PoolOptions) {}

  /** Starts the GPU child and asks it what it found. Null, with a logged reason, when there is no usable GPU. */
  async probeGpu(): Promise<GpuFacts | null> {
    const facts = await new Promise<{ gpu: GpuFacts | null; message: string }>((resolve) => {
      this.#gpu = this.#gpuLane((gpu, message) => resolve({ gpu, message }));
      this.#gpu.start();
      setTimeout(() => resolve({ gpu: null, message: "The GPU did not answer within 20 s." }), 20_000).unref();
    });
    if (facts.gpu && (!facts.gpu.software || this.options.allowSoftwareGpu)) return facts.gpu;
    this.options.log(
      "gpu",
      facts.gpu ? `${facts.gpu.name} is a software adapter, which counts as no GPU.` : facts.message,
    );
    this.#gpu?.close();
    this.#gpu = null;
    return null;
  }

  /** What the node told of itself, to be told again without a GPU when that is lost. */
  describe(capabilities: Capabilities): void {
    this.#capabilities = capabilities;
  }

  run(
    slot: number,
    request: GrainsRequest,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<GrainsAnswer> {
    const lane = this.#lane(request.backend, slot);
    if (!lane) return Promise.reject(new ComputeError("device_lost", "There is no such backend any more."));
    const { job, payload, input, inputs, inputsFirstTask, lo, hi } = request;
    const { workload, files, round, tasks, grainTasks } = job;
    return lane.run(
      { workload, files, payload, round, tasks, grainTasks, input, inputs, inputsFirstTask, lo, hi },
      signal,
      onFraction,
    );
  }

  async calibrate(backend: Backend): Promise<{ workload: string; opsPerSecond: number }[]> {
    const speeds: { workload: string; opsPerSecond: number }[] = [];
    for (const workload of workloads.values()) {
      const plan = workload.plan(workload.calibration);
      if (!this.options.families.includes(workload.family.id) || !plan.needs.backends.includes(backend)) continue;
      const files = await this.options.kernelFiles(workload.type);
      const lane = this.#lane(backend, 0);
      if (!files || !lane) continue;
      const { computeMs } = await lane.calibrate(workload.type, files);
      const opsPerSecond = calibrationSpeed(calibrationRun(workload.type, files), computeMs);
      speeds.push({ workload: workload.type, opsPerSecond });
    }
    return speeds;
  }

  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    for (const lane of this.#threads.values()) lane.close();
    this.#gpu?.close();
  }

  #lane(backend: Backend, slot: number): Lane | null {
    if (backend !== "wasm") return backend === "webgpu" ? this.#gpu : null;
    let lane = this.#threads.get(slot);
    if (!lane) {
      lane = new Lane({
        start: threadEndpoint,
        file: (sha256, role) => this.options.blobs.kernel(sha256, role),
        onLost: (why) => this.options.log("thread_lost", why),
      });
      this.#threads.set(slot, lane);
    }
    return lane;
  }

  #gpuLane(onReady: (gpu: GpuFacts | null, message: string) => void): Lane {
    const { blobs, enginesDir, allowSoftwareGpu } = this.options;
    return new Lane({
      start: (on) =>
        childEndpoint(on, { QUEZTL_ENGINES_DIR: enginesDir, QUEZTL_ALLOW_SOFTWARE_GPU: allowSoftwareGpu ? "1" : "" }),
      file: (sha256, role) => blobs.kernel(sha256, role),
      onReady,
      onLost: (why) => this.#onGpuLost(why),
    });
  }

  #onGpuLost(why: string): void {
    this.#gpuLosses++;
    this.options.log("gpu_lost", `${why} (${this.#gpuLosses} of ${gpuLossesMax})`);
    if (this.#gpuLosses < gpuLossesMax || !this.#capabilities) return;
    this.#gpu?.close();
    this.#gpu = null;
    this.#capabilities = { ...this.#capabilities, gpu: null };
    this.#listener(this.#capabilities, `The GPU was lost ${gpuLossesMax} times; only the CPU is used now.`);
  }
}

type On = { message(message: FromCompute): void; gone(why: string): void };

function threadEndpoint(on: On): Endpoint {
  const worker = startComputeThread();
  worker.on("message", (message: FromCompute) => on.message(message));
  worker.on("error", (error) => on.gone(error.message));
  worker.on("exit", (code) => on.gone(`The compute thread ended with code ${code}.`));
  return { post: (message: ToCompute) => worker.postMessage(message), kill: () => void worker.terminate() };
}

function childEndpoint(on: On, env: Record<string, string>): Endpoint {
  const child = startGpuChild(env);
  child.on("message", (message) => on.message(message as FromCompute));
  child.on("error", (error) => on.gone(error.message));
  child.on("exit", (code, signal) => on.gone(`The GPU process ended (${signal ?? code}).`));
  return {
    post: (message: ToCompute) => {
      if (child.connected) child.send(message as never, () => {});
    },
    kill: () => child.kill("SIGKILL"),
  };
}
