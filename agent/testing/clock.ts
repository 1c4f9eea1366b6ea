import type { ClockPort } from "../ports.ts";

interface Timer {
  atMs: number;
  everyMs: number | null;
  run(): void;
}

/** Time that passes only when the test says so. */
export class VirtualClock implements ClockPort {
  readonly #timers = new Set<Timer>();
  #nowMs = 0;

  now(): number {
    return this.#nowMs;
  }

  every(ms: number, run: () => void): () => void {
    return this.#add({ atMs: this.#nowMs + ms, everyMs: ms, run });
  }

  after(ms: number, run: () => void): () => void {
    return this.#add({ atMs: this.#nowMs + ms, everyMs: null, run });
  }

  random(): number {
    return 0.5;
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Runs what is due within the next `ms`, in order; promises settle in between. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    await settled();
    for (;;) {
      const [next] = [...this.#timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
      if (!next) break;
      this.#nowMs = next.atMs;
      if (next.everyMs === null) this.#timers.delete(next);
      else next.atMs += next.everyMs;
      next.run();
      await settled();
    }
    this.#nowMs = endMs;
  }

  #add(timer: Timer): () => void {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}

/** Promises that need no time are done. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
}
