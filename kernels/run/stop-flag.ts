/**
 * A word of shared memory by which one thread stops another at once. A message is heard when its turn comes among the
 * other messages; a flag is seen at the next look. Only isolated pages, and Node, have shared memory.
 */
export class StopFlag {
  readonly #word: Int32Array<SharedArrayBuffer>;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.#word = new Int32Array(buffer);
  }

  /** Null where this context may not share memory. */
  static create(): StopFlag | null {
    const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
    // Node has no such word, and shares memory.
    if (crossOriginIsolated === false || typeof SharedArrayBuffer !== "function") return null;
    return new StopFlag(new SharedArrayBuffer(4));
  }

  raise(): void {
    Atomics.store(this.#word, 0, 1);
  }

  lower(): void {
    Atomics.store(this.#word, 0, 0);
  }

  get raised(): boolean {
    return Atomics.load(this.#word, 0) !== 0;
  }
}
