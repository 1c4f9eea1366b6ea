/**
 * One compute worker and what runs on it. It is stopped by a message, and where memory can be shared by a flag too,
 * which it sees at its next look however many messages wait. A kernel that does not pause within 500 ms of an abort is
 * stopped for good: its worker is terminated and the next grain gets a fresh one.
 */
import * as Comlink from "comlink";
import { ComputeError } from "../../agent/ports.ts";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { silenceMessage, silenceMsMax } from "../../kernels/run/silence.ts";
import { StopFlag } from "../../kernels/run/stop-flag.ts";
import type { ComputeApi, Progress, RunOutcome, Settings } from "./compute-api.ts";
import type { ComputeWorker } from "./worker-roles.ts";

export const hardStopMs = 500;

const abortError = (): DOMException => new DOMException("the grain was abandoned", "AbortError");

export class WorkerSlot<Api extends ComputeApi = ComputeApi> {
  #worker: ComputeWorker | null = null;
  #api: Comlink.Remote<Api> | null = null;
  #fail: ((error: Error) => void) | null = null;
  #settings: Settings | null = null;
  readonly #flag = StopFlag.create();
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
    this.#configure(this.#api);
    return this.#api;
  }

  /** Of this worker, and of those that replace it. */
  configure(settings: Settings): void {
    const before = this.#settings;
    this.#settings = { ...settings };
    if (before?.duty === settings.duty && before.memoryBytesMax === settings.memoryBytesMax) return;
    if (this.#api) this.#configure(this.#api);
  }

  #configure(api: Comlink.Remote<Api>): void {
    const settings = this.#settings ?? { duty: 1, memoryBytesMax: Number.POSITIVE_INFINITY };
    (api as Comlink.Remote<ComputeApi>).configure(settings, this.#flag?.buffer ?? null).catch(() => {});
  }

  /** Runs some grains; rejects with ComputeError, or AbortError after an abort. */
  async run(
    run: GrainRun,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<Extract<RunOutcome, { ok: true }>> {
    if (signal.aborted) throw abortError();
    const api = this.api();
    this.#flag?.lower();
    let hardStop: ReturnType<typeof setTimeout> | undefined;
    const broken = new Promise<never>((_resolve, reject) => {
      this.#fail = reject;
    });
    broken.catch(() => {});
    const onAbort = (): void => {
      this.#flag?.raise();
      void api.abort();
      hardStop = setTimeout(() => {
        this.hardStops += 1;
        this.#replace();
        this.#fail?.(abortError());
      }, hardStopMs);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    const silence = this.#watch(run);
    const progress = Comlink.proxy((told: Progress) => {
      silence.heard();
      onProgress(told);
    });
    try {
      const outcome = await Promise.race([api.run(run, progress) as Promise<RunOutcome>, broken]);
      if (outcome.ok) return outcome;
      if (outcome.reason === "aborted") throw abortError();
      throw new ComputeError(outcome.reason, outcome.message, outcome.grain);
    } finally {
      clearTimeout(hardStop);
      silence.end();
      signal.removeEventListener("abort", onAbort);
      this.#fail = null;
    }
  }

  /** Ends the worker when a researcher's own code does not come back. */
  #watch(run: GrainRun): { heard(): void; end(): void } {
    const ms = silenceMsMax(run);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const heard = (): void => {
      clearTimeout(timer);
      if (ms === null) return;
      timer = setTimeout(() => {
        const fail = this.#fail;
        this.hardStops += 1;
        this.#replace();
        fail?.(new ComputeError("timeout", silenceMessage(ms)));
      }, ms);
    };
    heard();
    return { heard, end: () => clearTimeout(timer) };
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
