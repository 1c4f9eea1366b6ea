/** When to try again: a growing, jittered pause that ends with its budget, and never before the coordinator's Retry-After. */
import { onAbort } from "./abort.ts";
import type { GridProblem } from "./problem.ts";

export interface RetryOptions {
  /** Milliseconds of the first pause; each later one is twice as long. */
  baseMs: number;
  /** The longest pause, unless the coordinator asks for a longer one. */
  capMs: number;
  /** For how long a call, or a stream that is cut, is tried again in all. 0: never. */
  totalMs: number;
  /** The same, until the coordinator has answered for the first time: a wrong address is told sooner. */
  firstMs: number;
}

export const retryDefault: RetryOptions = { baseMs: 250, capMs: 10_000, totalMs: 60_000, firstMs: 60_000 };

/** More tries than the budget of time would ever allow with sensible options. */
const triesMax = 200;

/** Pauses of one call. */
export class Backoff {
  #tries = 0;
  #sinceMs: number | null = null;

  constructor(
    private readonly options: Pick<RetryOptions, "baseMs" | "capMs" | "totalMs">,
    private readonly now: () => number = () => performance.now(),
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait after another failure, at least `atLeastMs`; null when the budget does not allow that. */
  next(atLeastMs = 0): number | null {
    const now = this.now();
    this.#sinceMs ??= now;
    const { baseMs, capMs, totalMs } = this.options;
    const longest = Math.min(capMs, baseMs * 2 ** this.#tries);
    // Between half and all of it: many clients that lost one coordinator do not come back in step.
    const pause = Math.max(atLeastMs, longest * (0.5 + this.random() / 2));
    this.#tries++;
    return this.#tries > triesMax || now + pause > this.#sinceMs + totalMs ? null : pause;
  }

  /** It went well: the next failure is a first one. */
  reset(): void {
    this.#tries = 0;
    this.#sinceMs = null;
  }
}

/** Whether the same request may go well a little later. */
export function isPassing({ code, status }: GridProblem): boolean {
  if (status === 0) return code === "unreachable" || code === "timeout";
  return [408, 425, 429, 502, 503, 504].includes(status) && code !== "not_built";
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const forget = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal!.reason);
    });
    const timer = setTimeout(() => {
      forget();
      resolve();
    }, ms);
  });
}
