/**
 * A letter box between two devices of one person: a sealed identity lies here for some minutes under a name that both
 * derive from a code, and is taken once. The coordinator sees neither the code nor what is sealed.
 */

export const linkMsMax = 5 * 60_000;
/** At once; more are refused, lest the boxes of some push out those of others. */
export const linksMax = 1_000;

export class Links {
  /** Oldest first. */
  readonly #boxes = new Map<string, { sealed: string; endMs: number }>();

  constructor(private readonly now: () => number) {}

  get size(): number {
    return this.#boxes.size;
  }

  /** When it ends, in milliseconds since 1970; null where there is no room, or the name is taken. */
  put(name: string, sealed: string): number | null {
    this.#forget();
    if (this.#boxes.size >= linksMax || this.#boxes.has(name)) return null;
    const endMs = this.now() + linkMsMax;
    this.#boxes.set(name, { sealed, endMs });
    return endMs;
  }

  /** What lies there, which then lies there no more; null where nothing does. */
  take(name: string): string | null {
    this.#forget();
    const box = this.#boxes.get(name);
    this.#boxes.delete(name);
    return box?.sealed ?? null;
  }

  #forget(): void {
    for (const [name, { endMs }] of this.#boxes) {
      if (endMs > this.now()) return;
      this.#boxes.delete(name);
    }
  }
}
