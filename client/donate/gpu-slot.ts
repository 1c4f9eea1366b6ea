/**
 * The GPU as one slot: found once, reopened once after a loss, with chunks of half the length, given up after the second. Every change is
 * told with a sentence for the owner.
 */
import * as Comlink from "comlink";
import { ComputeError } from "../../agent/ports.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import type { Calibration, GpuApi, GpuCapabilities, Progress, RunOutcome, Settings } from "./compute-api.ts";
import type { GpuView } from "./view.ts";
import type { ComputeWorker } from "./worker-roles.ts";
import { WorkerSlot } from "./worker-slot.ts";

/** Losses after which the tab computes on the CPU only. */
const lossesMax = 2;
/** Opening a device takes some 100 ms; a driver that takes longer than this is as good as none. */
const openMsMax = 15_000;

export class GpuSlot {
  readonly #slot: WorkerSlot<GpuApi>;
  #capabilities: GpuCapabilities | null = null;
  #losses = 0;
  #opening: Promise<void> | null = null;
  #closed = false;
  view: GpuView = { state: "off", message: "", name: "" };
  /** Dispatches of the present worker, and of those before it. */
  #dispatches = 0;
  #dispatchesBefore = 0;

  constructor(
    create: () => ComputeWorker,
    private readonly allowSoftware: boolean,
    private readonly onChange: (reason: string) => void,
  ) {
    this.#slot = new WorkerSlot<GpuApi>(create, () => {
      // A new worker has no device yet; the next grain opens one.
      this.#opening = null;
    });
  }

  get dispatches(): number {
    return this.#dispatchesBefore + this.#dispatches;
  }
  get capabilities(): GpuCapabilities | null {
    return this.#capabilities;
  }

  /** Looks for a usable adapter; afterwards `view` and `capabilities` say what was found. */
  open(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<void> {
    this.view = { state: "checking", message: "", name: "" };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error("the graphics driver did not answer")), openMsMax);
    });
    try {
      const lost = Comlink.proxy((message: string) => this.#lost(message));
      const probe = await Promise.race([this.#slot.api().open(this.allowSoftware, 1 / 2 ** this.#losses, lost), late]);
      if (probe.ok) {
        this.#capabilities = probe.gpu;
        this.view = { state: "on", message: "", name: probe.gpu.name || probe.gpu.vendor || "GPU" };
      } else this.#giveUp("unavailable", probe.message);
    } catch (error) {
      this.#giveUp(
        "unavailable",
        `The graphics processor cannot be used: ${error instanceof Error ? error.message : error}.`,
      );
    } finally {
      clearTimeout(timer);
    }
  }

  async run(
    run: GrainRun,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<Extract<RunOutcome, { ok: true }>> {
    await this.open();
    if (!this.#capabilities) throw new ComputeError("device_lost", this.view.message || "there is no usable GPU");
    try {
      const outcome = await this.#slot.run(run, signal, (progress) => {
        this.#dispatches = progress.dispatches;
        onProgress(progress);
      });
      this.#dispatches = outcome.dispatches;
      return outcome;
    } catch (error) {
      // Nobody asked for the end of this grain: its device went away under it.
      if (error instanceof DOMException && !signal.aborted) throw new ComputeError("device_lost", "the GPU was lost");
      throw error;
    }
  }

  async calibrate(workloads: readonly Calibration[]): Promise<{ workload: string; opsPerSecond: number }[]> {
    await this.open();
    if (!this.#capabilities) return [];
    return this.#slot.api().calibrate(workloads);
  }

  configure(settings: Settings): void {
    this.#slot.configure(settings);
  }

  close(): void {
    this.#closed = true;
    this.#slot.close();
  }

  #lost(message: string): void {
    if (this.#closed) return;
    this.#losses += 1;
    this.#dispatchesBefore += this.#dispatches;
    this.#dispatches = 0;
    this.#slot.close();
    this.#opening = null;
    if (this.#losses >= lossesMax) {
      this.#giveUp(
        "lost",
        `The graphics processor was lost twice (${message}). This tab goes on with the CPU; press Stop and Donate to try it again.`,
      );
      this.#opening = Promise.resolve();
      this.onChange(this.view.message);
      return;
    }
    void this.open().then(() =>
      this.onChange(`the GPU was lost (${message}); ${this.#capabilities ? "it was opened again" : this.view.message}`),
    );
  }

  #giveUp(state: "unavailable" | "lost", message: string): void {
    this.#capabilities = null;
    this.view = { state, message, name: "" };
  }
}
