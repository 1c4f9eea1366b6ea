/** Computes grains on this device: a worker for each CPU thread, one for the GPU. */
import type { ComputePort, GrainAnswer, GrainRequest } from "../../agent/ports.ts";
import { ComputeError } from "../../agent/ports.ts";
import type { Backend, Capabilities } from "../../protocol/messages.ts";
import { browserCapabilities } from "./capabilities.ts";
import type { ComputeApi, GrainOutcome } from "./compute-api.ts";
import { GpuSlot } from "./gpu-slot.ts";
import type { GpuView, Meter } from "./view.ts";
import { WorkerSlot } from "./worker-slot.ts";

/** Weight of the newest grain in a slot's speed. */
const speedWeight = 0.3;

export interface BrowserComputeOptions {
  createCompute: () => Worker;
  createGpu: () => Worker;
  /** False: no GPU worker is ever started. */
  gpu: boolean;
  allowSoftwareGpu: boolean;
}

export class BrowserCompute implements ComputePort {
  readonly #slots = new Map<number, WorkerSlot<ComputeApi>>();
  readonly #meters = new Map<string, Meter>();
  #gpu: GpuSlot | null = null;
  #listener: (capabilities: Capabilities, reason: string) => void = () => {};
  /** What the last grain found, in the workload's words. */
  finding = "";

  constructor(private readonly options: BrowserComputeOptions) {}

  async run(
    slot: number,
    request: GrainRequest,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<GrainAnswer> {
    const meter = this.#meter(request.backend, slot);
    meter.workload = request.job.workload;
    meter.fraction = 0;
    const seen = (fraction: number): void => {
      meter.fraction = fraction;
      onFraction(fraction);
    };
    try {
      const outcome = await this.#runOn(slot, request, signal, seen);
      const speed = outcome.computeMs > 0 ? outcome.coreSeconds / (outcome.computeMs / 1000) : null;
      if (speed !== null) meter.speed = meter.speed === null ? speed : meter.speed + speedWeight * (speed - meter.speed);
      meter.grains += 1;
      if (outcome.finding !== "") this.finding = outcome.finding;
      return { partial: outcome.partial, computeMs: outcome.computeMs, build: outcome.build };
    } finally {
      meter.workload = null;
      meter.fraction = 0;
    }
  }

  #runOn(
    slot: number,
    request: GrainRequest,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<Extract<GrainOutcome, { ok: true }>> {
    if (request.backend === "webgpu") {
      if (!this.#gpu) throw new ComputeError("device_lost", "the GPU is switched off");
      return this.#gpu.run(request, signal, onFraction);
    }
    if (request.backend === "wasm") return this.#wasm(slot).run(request, signal, onFraction);
    throw new ComputeError("kernel_unavailable", "a browser has no native engines");
  }

  async calibrate(workload: string, backend: Backend): Promise<number> {
    if (backend === "webgpu") {
      if (!this.#gpu) throw new ComputeError("device_lost", "the GPU is switched off");
      return this.#gpu.calibrate(workload);
    }
    const outcome = await this.#wasm(0).api().calibrate(workload);
    if (!outcome.ok) throw new ComputeError(outcome.reason, outcome.message);
    return outcome.opsPerSecond;
  }

  async capabilities(): Promise<Capabilities> {
    if (this.options.gpu && !this.#gpu) {
      this.#gpu = new GpuSlot(this.options.createGpu, this.options.allowSoftwareGpu, (reason) => {
        this.#listener(browserCapabilities(this.#gpu?.capabilities ?? null), reason.slice(0, 500));
      });
    }
    await this.#gpu?.open();
    return browserCapabilities(this.#gpu?.capabilities ?? null);
  }

  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void {
    this.#listener = listener;
  }

  async close(): Promise<void> {
    for (const slot of this.#slots.values()) slot.close();
    this.#gpu?.close();
    this.#slots.clear();
  }

  /** The GPU's switch was moved while the tab computes. */
  async setGpu(wanted: boolean): Promise<void> {
    if (wanted === this.options.gpu) return;
    this.options.gpu = wanted;
    if (!wanted) {
      this.#gpu?.close();
      this.#gpu = null;
    }
    const capabilities = await this.capabilities();
    this.#listener(capabilities, wanted ? "the owner switched the GPU on" : "the owner switched the GPU off");
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
