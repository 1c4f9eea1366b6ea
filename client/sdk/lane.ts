/** A bound on what happens at once, with a bounded queue before it: callers wait their turn, first come first served. */
import { onAbort } from "./abort.ts";
import { GridProblem } from "./problem.ts";

export class Lane {
  #active = 0;
  /** Those who wait, in order. A set, so that one who gives up leaves without a search. */
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly width: number,
    private readonly queueMax: number,
  ) {}

  /**
   * Runs `task` when its turn comes; it is told whether others wait behind it. Rejects with `too_many_calls` when the
   * queue is full, and with the signal's reason when it aborts before the turn.
   */
  async run<T>(task: (crowded: boolean) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#active >= this.width) await this.#turn(signal);
    else this.#active++;
    try {
      return await task(this.#waiting.size > 0);
    } finally {
      // The place is handed on, not given up: nobody can slip in between.
      const [next] = this.#waiting;
      if (next) next();
      else this.#active--;
    }
  }

  #turn(signal?: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.queueMax) {
      throw new GridProblem({
        code: "too_many_calls",
        title: "Too many calls wait",
        detail: `${this.queueMax} calls of this grid wait already, the most there may be.`,
        remedy: "Await some of them before you make more.",
      });
    }
    return new Promise((resolve, reject) => {
      const go = (): void => {
        this.#waiting.delete(go);
        forget();
        resolve();
      };
      const forget = onAbort(signal, () => {
        this.#waiting.delete(go);
        reject(signal!.reason);
      });
      this.#waiting.add(go);
    });
  }
}
