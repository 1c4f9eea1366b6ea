/** Lets so many through at a time and so many wait, first come, first served. */
export class Turnstile {
  #inside = 0;
  readonly #line: (() => void)[] = [];

  constructor(
    private readonly insideMax: number,
    private readonly waitingMax: number,
  ) {}

  /** Resolves with what to call, once or more, on the way out. Rejects when the line is full, or `signal` aborts. */
  enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.reject(new Error("gone"));
    if (this.#inside < this.insideMax) return Promise.resolve(this.#pass());
    if (this.#line.length >= this.waitingMax) return Promise.reject(new Error("full"));
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        signal.removeEventListener("abort", give);
        resolve(this.#pass());
      };
      const give = (): void => {
        const at = this.#line.indexOf(turn);
        if (at >= 0) this.#line.splice(at, 1);
        reject(new Error("gone"));
      };
      signal.addEventListener("abort", give, { once: true });
      this.#line.push(turn);
    });
  }

  get waiting(): number {
    return this.#line.length;
  }

  #pass(): () => void {
    this.#inside++;
    let isInside = true;
    return () => {
      if (!isInside) return;
      isInside = false;
      this.#inside--;
      this.#line.shift()?.();
    };
  }
}
