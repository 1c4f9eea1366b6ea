/**
 * One compute worker and what runs on it. A kernel that does not pause within 500 ms of an abort is
 * stopped for good: its worker is terminated and the next grain gets a fresh one.
 */
import * as Comlink from "comlink";
import { ComputeError } from "../../agent/ports.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import type { ComputeApi, Progress, RunOutcome } from "./compute-api.ts";
import type { ComputeWorker } from "./worker-roles.ts";

export const hardStopMs = 500;

const abortError = (): DOMException => new DOMException("the grain was abandoned", "AbortError");

export class WorkerSlot<Api extends ComputeApi = ComputeApi> {
  #worker: ComputeWorker | null = null;
  #api: Comlink.Remote<Api> | null = null;
  #fail: ((error: Error) => void) | null = null;
  #duty = 1;
  /** Workers terminated because they did not stop in time. */
  hardStops = 0;

  constructor(
    private readonly create: () => ComputeWorker,
    private readonly onReplaced: () => void = () => {},
  ) {}

  /** The worker's API, starting the worker when there is none. */
  api(): Comlink.Remote<Api> {
    if (this.#api) return this.#api;
    const worker = this.create();
    worker.onerror = (event) => {
      event.preventDefault();
      this.#broken(event.message || "a compute worker could not start");
    };
    worker.onmessageerror = () => this.#broken("a compute worker sent something unreadable");
    this.#worker = worker;
    this.#api = Comlink.wrap<Api>(worker);
    if (this.#duty < 1) this.#tellDuty(this.#api);
    return this.#api;
  }

  /** Share of the time that it computes: of this worker, and of those that replace it. */
  setDuty(duty: number): void {
    if (duty === this.#duty) return;
    this.#duty = duty;
    if (this.#api) this.#tellDuty(this.#api);
  }

  #tellDuty(api: Comlink.Remote<Api>): void {
    (api as Comlink.Remote<ComputeApi>).setDuty(this.#duty).catch(() => {});
  }

  /** Runs some grains; rejects with ComputeError, or AbortError after an abort. */
  async run(
    run: GrainRun,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<Extract<RunOutcome, { ok: true }>> {
    if (signal.aborted) throw abortError();
    const api = this.api();
    let hardStop: ReturnType<typeof setTimeout> | undefined;
    const broken = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    broken.catch(() => {});
    const onAbort = (): void => {
      void api.abort();
      hardStop = setTimeout(() => {
        this.hardStops += 1;
        this.#replace();
        this.#fail?.(abortError());
      }, hardStopMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const progress = Comlink.proxy(onProgress);
    try {
      const outcome = await Promise.race([api.run(run, progress) as Promise<RunOutcome>, broken]);
      if (outcome.ok) return outcome;
      if (outcome.reason === "aborted") throw abortError();
      throw new ComputeError(outcome.reason, outcome.message, outcome.grain);
    } finally {
      clearTimeout(hardStop);
      signal.removeEventListener("abort", onAbort);
      this.#fail = null;
    }
  }

  /** Ends the worker at once; whatever runs rejects. */
  close(): void {
    const fail = this.#fail;
    this.#drop();
    fail?.(abortError());
  }

  #broken(message: string): void {
    const fail = this.#fail;
    this.#replace();
    fail?.(new ComputeError("internal", message));
  }

  #replace(): void {
    this.#drop();
    this.onReplaced();
  }

  #drop(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#api = null;
  }
}
