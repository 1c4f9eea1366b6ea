/** The worker's compute: a thread for each WASM slot and, where there is a GPU, one child process. */
import type { ComputeListener, ComputePort, GrainsAnswer, GrainsRequest } from "../../agent/ports.ts";
import { ComputeError } from "../../agent/ports.ts";
import { messageOf } from "../../kernels/run/errors.ts";
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import { calibrationRun, calibrationSpeed } from "../../kernels/run/grains.ts";
import { hasWebGpuPackage } from "../../kernels/run/node-gpu.ts";
import { workloads } from "../../kernels/workloads.ts";
import type { Backend, Capabilities, KernelFiles } from "../../protocol/messages.ts";
import { childEndpoint, threadEndpoint } from "./endpoints.ts";
import { Lane } from "./lane.ts";
import type { KernelRole } from "./messages.ts";

export interface PoolOptions {
  /** A kernel file of the coordinator, checked against its hash. */
  kernel(sha256: string, role: KernelRole): Promise<Uint8Array>;
  /** Kernel files of a workload as this coordinator serves them, for calibration; null where it has none. */
  kernelFiles(workload: string): Promise<KernelFiles | null>;
  families: readonly string[];
  /** GPU adapters without hardware count only in tests. */
  allowSoftwareGpu: boolean;
  enginesDir: string;
  log(code: string, message: string): void;
  /** How the GPU child is started; tests bring another. */
  gpuEndpoint?: typeof childEndpoint;
}

/** After this many losses the GPU is left alone. */
const gpuLossesMax = 2;
const gpuProbeMsMax = 20_000;

export class ComputePool implements ComputePort {
  readonly #threads = new Map<number, Lane>();
  #gpu: Lane | null = null;
  #gpuLosses = 0;
  #capabilities: Capabilities | null = null;
  #listener: (capabilities: Capabilities, reason: string) => void = () => {};

  constructor(private readonly options: PoolOptions) {}

  /** Starts the GPU child and asks it what it found. Null, with a logged reason, when there is no usable GPU. */
  async probeGpu(): Promise<GpuFacts | null> {
    if (!hasWebGpuPackage(this.options.enginesDir)) {
      this.options.log("gpu", "The GPU is not used: the webgpu package is not installed (--with-gpu installs it).");
      return null;
    }
    const found = await new Promise<{ gpu: GpuFacts | null; message: string }>((resolve) => {
      const late = `It did not answer within ${gpuProbeMsMax / 1000} s.`;
      const timer = setTimeout(() => resolve({ gpu: null, message: late }), gpuProbeMsMax);
      const settle = (gpu: GpuFacts | null, message: string): void => {
        clearTimeout(timer);
        resolve({ gpu, message });
      };
      this.#gpu = this.#gpuLane(settle, (why) => settle(null, why));
      this.#gpu.start();
    });
    if (found.gpu) return found.gpu;
    this.options.log("gpu", `The GPU is not used. ${found.message}`);
    this.#gpu?.close();
    this.#gpu = null;
    return null;
  }

  /** What the node told of itself, to be told again without a GPU when that is lost. */
  describe(capabilities: Capabilities): void {
    this.#capabilities = capabilities;
  }

  run(slot: number, request: GrainsRequest, signal: AbortSignal, on: ComputeListener): Promise<GrainsAnswer> {
    const { job, backend, ...rest } = request;
    const lane = this.#lane(backend, slot);
    if (!lane) return Promise.reject(new ComputeError("device_lost", `This worker has no ${backend} any more.`));
    const { workload, files, round, tasks, grainTasks } = job;
    return lane.run({ workload, files, round, tasks, grainTasks, ...rest }, signal, on);
  }

  /** Skips what fails: an unmeasured speed is learnt from the first leases. */
  async calibrate(backend: Backend): Promise<{ workload: string; opsPerSecond: number }[]> {
    const speeds: { workload: string; opsPerSecond: number }[] = [];
    for (const workload of workloads.values()) {
      const lane = this.#lane(backend, 0);
      const { needs } = workload.plan(workload.calibration);
      if (!lane || !this.options.families.includes(workload.family.id) || !needs.backends.includes(backend)) continue;
      try {
        const files = await this.options.kernelFiles(workload.type);
        if (!files) continue;
        const run = calibrationRun(workload.type, files);
        const { computeMs } = await lane.run(run, new AbortController().signal, { fraction() {}, saved() {} });
        speeds.push({ workload: workload.type, opsPerSecond: calibrationSpeed(run, computeMs) });
      } catch (error) {
        if (error instanceof Error && error.name === "AbortError") break;
        this.options.log("calibration", `${workload.type} on ${backend}: ${messageOf(error)}`);
      }
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
        file: (sha256, role) => this.options.kernel(sha256, role),
        lostReason: "internal",
        onLost: (why) => this.options.log("thread_lost", why),
      });
      this.#threads.set(slot, lane);
    }
    return lane;
  }

  /** `found` and `lost` are told of the first child only; what follows is a loss or a recovery. */
  #gpuLane(found: (gpu: GpuFacts | null, message: string) => void, lost: (why: string) => void): Lane {
    const { enginesDir, allowSoftwareGpu } = this.options;
    let probing = true;
    return new Lane({
      start: (on) => (this.options.gpuEndpoint ?? childEndpoint)(on, enginesDir, allowSoftwareGpu),
      file: (sha256, role) => this.options.kernel(sha256, role),
      lostReason: "device_lost",
      onReady: (gpu, message) => {
        if (probing) found(gpu, message);
        else if (gpu) this.options.log("gpu", "The GPU is there again.");
        else this.#giveGpuUp(message);
        probing = false;
      },
      onLost: (why) => {
        if (probing) lost(why);
        else this.#onGpuLost(why);
        probing = false;
      },
    });
  }

  #onGpuLost(why: string): void {
    this.#gpuLosses++;
    this.options.log("gpu_lost", `The GPU was lost ${this.#gpuLosses} of ${gpuLossesMax} times. ${why}`);
    if (this.#gpuLosses >= gpuLossesMax) this.#giveGpuUp(`It was lost ${gpuLossesMax} times.`);
    else this.#gpu?.start();
  }

  #giveGpuUp(why: string): void {
    if (!this.#gpu || !this.#capabilities) return;
    this.#gpu.close();
    this.#gpu = null;
    this.#capabilities = { ...this.#capabilities, gpu: null };
    const reason = `The GPU is given up, the CPU goes on. ${why}`;
    this.options.log("gpu_given_up", reason);
    this.#listener(this.#capabilities, reason);
  }
}
