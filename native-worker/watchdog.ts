/**
 * The dead-man's switch of a rented machine: its worker ends after a time, and when nothing is heard of the coordinator
 * any more, whatever becomes of whoever launched it. The start-up script powers the machine off when its worker ends.
 */
export interface WatchdogOptions {
  /** Ends this long after the start; null: never. */
  endAfterMs: number | null;
  /** Ends after so long without a coordinator; null: never. */
  endIfSilentMs: number | null;
  /** Milliseconds that only rise. */
  now(): number;
}

export class Watchdog {
  readonly #startedMs: number;
  #heardMs: number;

  constructor(private readonly options: WatchdogOptions) {
    this.#startedMs = options.now();
    this.#heardMs = this.#startedMs;
  }

  /** Looks once; returns why the worker must end, or null. */
  look(online: boolean): { code: "lifetime" | "coordinator_silent"; message: string } | null {
    const now = this.options.now();
    const { endAfterMs, endIfSilentMs } = this.options;
    if (online) this.#heardMs = now;
    if (endAfterMs !== null && now - this.#startedMs >= endAfterMs) {
      return { code: "lifetime", message: `It was launched for ${endAfterMs / 1000} s, and they are over.` };
    }
    if (endIfSilentMs !== null && now - this.#heardMs >= endIfSilentMs) {
      return {
        code: "coordinator_silent",
        message: `Nothing was heard of the coordinator for ${endIfSilentMs / 1000} s.`,
      };
    }
    return null;
  }
}
