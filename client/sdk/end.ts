import { onAbort } from "./abort.ts";

/** Ends a request: by the caller's signal, or by the clock. */
export class End {
  readonly #controller = new AbortController();
  readonly #forget: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  timedOut = false;

  constructor(
    readonly ms: number,
    outer: AbortSignal | undefined,
  ) {
    this.#forget = onAbort(outer, () => this.#controller.abort(outer?.reason));
    this.#timer = setTimeout(() => {
      this.timedOut = true;
      this.#controller.abort();
    }, ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
  stopClock(): void {
    clearTimeout(this.#timer);
  }
  abort(): void {
    this.clear();
    this.#controller.abort();
  }
  clear(): void {
    clearTimeout(this.#timer);
    this.#forget();
  }
}
