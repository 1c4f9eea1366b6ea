/** Computes grains on this device: a worker for each CPU thread, one for the GPU. */
import {
  ComputeError,
  type ComputeListener,
  type ComputePort,
  type GrainsAnswer,
  type GrainsRequest,
} from "../../agent/ports.ts";
import type { Backend, Capabilities } from "../../protocol/messages.ts";
import { browserCapabilities } from "./capabilities.ts";
import type { Calibration, ComputeApi, Progress, RunOutcome, Settings } from "./compute-api.ts";
import { GpuSlot } from "./gpu-slot.ts";
import type { GpuView, Meter, PageView } from "./view.ts";
import type { ComputeWorker } from "./worker-roles.ts";
import { WorkerSlot } from "./worker-slot.ts";

/** Weight of the newest request in a slot's speed. */
const speedWeight = 0.3;

export interface BrowserComputeOptions {
  createCompute: () => ComputeWorker;
  createGpu: () => ComputeWorker;
  allowSoftwareGpu: boolean;
  /** Workloads that the owner allows, with the kernels that the coordinator serves now. */
  calibrations(): Promise<Calibration[]>;
}

export class BrowserCompute implements ComputePort {
  readonly #slots = new Map<number, WorkerSlot<ComputeApi>>();
  readonly #meters = new Map<string, Meter>();
  #gpu: GpuSlot | null = null;
  #settings: Settings = { duty: 1, memoryBytesMax: Number.POSITIVE_INFINITY };
  #listener: (capabilities: Capabilities, reason: string) => void = () => {};
  /** What the last grain found, in the workload's words. */
  finding = "";
  /** Samples of the grain that finished last, numbered. */
  picture: PageView["picture"] = null;

  constructor(private readonly options: BrowserComputeOptions) {}

  async run(slot: number, request: GrainsRequest, signal: AbortSignal, on: ComputeListener): Promise<GrainsAnswer> {
    const meter = this.#meter(request.backend, slot);
    meter.workload = request.job.workload;
    meter.fraction = 0;
    try {
      const outcome = await this.#runOn(slot, request, signal, (progress) => {
        meter.fraction = progress.request;
        if (progress.saved) on.saved(progress.saved.grain, progress.saved.bytes);
        else on.fraction(progress.grain);
      });
      const speed = outcome.computeMs > 0 ? outcome.coreSeconds / (outcome.computeMs / 1000) : null;
      if (speed !== null)
        meter.speed = meter.speed === null ? speed : meter.speed + speedWeight * (speed - meter.speed);
      meter.grains += outcome.partials.length;
      if (outcome.finding !== "") this.finding = outcome.finding;
      if (outcome.picture) this.picture = { ...outcome.picture, serial: (this.picture?.serial ?? 0) + 1 };
      return { partials: outcome.partials, computeMs: outcome.computeMs, build: outcome.build };
    } finally {
      meter.workload = null;
      meter.fraction = 0;
    }
  }

  async #runOn(
    slot: number,
    request: GrainsRequest,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<Extract<RunOutcome, { ok: true }>> {
    const { job, backend, ...rest } = request;
    const { workload, files, round, tasks, grainTasks } = job;
    const run = { workload, files, round, tasks, grainTasks, ...rest };
    if (backend === "wasm") return this.#wasm(slot).run(run, signal, onProgress);
    if (backend !== "webgpu") throw new ComputeError("kernel_unavailable", "A browser has no native engines.");
    if (!this.#gpu) throw new ComputeError("device_lost", "The GPU is switched off.");
    return this.#gpu.run(run, signal, onProgress);
  }

  async calibrate(backend: Backend): Promise<{ workload: string; opsPerSecond: number }[]> {
    const workloads = await this.options.calibrations();
    if (backend === "webgpu") return (await this.#gpu?.calibrate(workloads)) ?? [];
    return this.#wasm(0).api().calibrate(workloads);
  }

  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void {
    this.#listener = listener;
  }

  /** Looks for a GPU, unless one is in use already; tells what this device then is. */
  async openGpu(): Promise<Capabilities> {
    this.#gpu ??= new GpuSlot(this.options.createGpu, this.options.allowSoftwareGpu, (reason) => {
      this.#listener(this.capabilities(), reason.slice(0, 500));
    });
    this.#gpu.configure(this.#settings);
    await this.#gpu.open();
    return this.capabilities();
  }

  /** The owner switched the GPU off: its worker ends at once. */
  closeGpu(): void {
    this.#gpu?.close();
    this.#gpu = null;
  }

  /** Told to the coordinator after the owner moved the GPU's switch. */
  announce(reason: string): void {
    this.#listener(this.capabilities(), reason);
  }

  /** Of each CPU thread, and of the GPU. */
  configure(settings: Settings): void {
    this.#settings = settings;
    for (const slot of this.#slots.values()) slot.configure(settings);
    this.#gpu?.configure(settings);
  }

  capabilities(): Capabilities {
    return browserCapabilities(this.#gpu?.capabilities ?? null, this.#settings.memoryBytesMax);
  }

  async close(): Promise<void> {
    for (const slot of this.#slots.values()) slot.close();
    this.#slots.clear();
    this.closeGpu();
  }

  /** Meters of the slots that the owner allows, in a steady order. */
  meters(threads: number): Meter[] {
    const meters = Array.from({ length: threads }, (_, slot) => ({ ...this.#meter("wasm", slot) }));
    if (this.#gpu?.capabilities) meters.push({ ...this.#meter("webgpu", 0) });
    return meters;
  }

  get gpuView(): GpuView {
    return this.#gpu ? { ...this.#gpu.view } : { state: "off", message: "", name: "" };
  }
  get gpuDispatches(): number {
    return this.#gpu?.dispatches ?? 0;
  }

  #wasm(slot: number): WorkerSlot<ComputeApi> {
    let found = this.#slots.get(slot);
    if (!found) {
      found = new WorkerSlot<ComputeApi>(this.options.createCompute);
      found.configure(this.#settings);
      this.#slots.set(slot, found);
    }
    return found;
  }

  #meter(backend: Backend, slot: number): Meter {
    const key = `${backend} ${slot}`;
    let meter = this.#meters.get(key);
    if (!meter) {
      meter = { backend, slot, workload: null, fraction: 0, speed: null, grains: 0 };
      this.#meters.set(key, meter);
    }
    return meter;
  }
}
