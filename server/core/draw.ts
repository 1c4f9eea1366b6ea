/** Numbers drawn from one step's entropy: unpredictable to nodes, and the same when the step is replayed. */

/** The first number is the entropy itself; the others follow by splitmix32. */
export class Draw {
  #state = 0;
  #first: number | null = null;

  /** `entropy` is uniform in [0, 1). */
  renew(entropy: number): void {
    this.#first = entropy;
    this.#state = Math.floor(entropy * 2 ** 32) >>> 0;
  }

  /** Uniform in [0, 1). */
  next(): number {
    if (this.#first !== null) {
      const first = this.#first;
      this.#first = null;
      return first;
    }
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = this.#state ^ (this.#state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    mixed ^= mixed >>> 15;
    return (mixed >>> 0) / 2 ** 32;
  }

  /** `count` different numbers of 0..below-1, or all of them. Floyd's algorithm: no list of what could be drawn. */
  several(count: number, below: number): number[] {
    const drawn = new Set<number>();
    for (let top = Math.max(0, below - count); top < below; top++) {
      const number = Math.min(top, Math.floor(this.next() * (top + 1)));
      drawn.add(drawn.has(number) ? top : number);
    }
    return [...drawn];
  }

  /** An integer at or next to `mean`, whose expectation is `mean`. */
  round(mean: number): number {
    const whole = Math.floor(mean);
    return whole + (this.next() < mean - whole ? 1 : 0);
  }
}
