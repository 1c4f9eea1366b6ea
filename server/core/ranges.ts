/** A half-open run of grains, [lo, hi). */
export type Range = readonly [lo: number, hi: number];

/**
 * A set of grain numbers, kept as sorted, disjoint, non-touching ranges. Its cost is in ranges, not
 * in grains: a job of a million open grains is one entry.
 */
export class RangeSet {
  #ranges: [number, number][] = [];
  #size = 0;

  static of(...ranges: Range[]): RangeSet {
    const set = new RangeSet();
    for (const [lo, hi] of ranges) set.add(lo, hi);
    return set;
  }

  /** Grains in the set. */
  get size(): number {
    return this.#size;
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Index of the first range that ends after `at`. */
  #find(at: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle] as [number, number])[1] > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  add(lo: number, hi: number): void {
    if (lo >= hi) return;
    let first = this.#find(lo);
    // A range that ends exactly at `lo` touches the new one and joins it.
    if (first > 0 && (this.#ranges[first - 1] as [number, number])[1] === lo) first--;
    let last = first;
    let from = lo;
    let to = hi;
    while (last < this.#ranges.length && (this.#ranges[last] as [number, number])[0] <= hi) {
      const [rangeLo, rangeHi] = this.#ranges[last] as [number, number];
      from = Math.min(from, rangeLo);
      to = Math.max(to, rangeHi);
      this.#size -= rangeHi - rangeLo;
      last++;
    }
    this.#ranges.splice(first, last - first, [from, to]);
    this.#size += to - from;
  }

  remove(lo: number, hi: number): void {
    if (lo >= hi) return;
    const first = this.#find(lo);
    let last = first;
    const rest: [number, number][] = [];
    while (last < this.#ranges.length && (this.#ranges[last] as [number, number])[0] < hi) {
      const [rangeLo, rangeHi] = this.#ranges[last] as [number, number];
      this.#size -= Math.min(hi, rangeHi) - Math.max(lo, rangeLo);
      if (rangeLo < lo) rest.push([rangeLo, lo]);
      if (rangeHi > hi) rest.push([hi, rangeHi]);
      last++;
    }
    if (last > first) this.#ranges.splice(first, last - first, ...rest);
  }

  /** The parts of [lo, hi) that are in the set. */
  within(lo: number, hi: number): Range[] {
    const parts: Range[] = [];
    for (let index = this.#find(lo); index < this.#ranges.length && lo < hi; index++) {
      const [rangeLo, rangeHi] = this.#ranges[index] as [number, number];
      if (rangeLo >= hi) break;
      parts.push([Math.max(lo, rangeLo), Math.min(hi, rangeHi)]);
    }
    return parts;
  }

  /** Whether all of [lo, hi) is in the set. */
  has(lo: number, hi: number): boolean {
    const range = this.#ranges[this.#find(lo)];
    return lo >= hi || (range !== undefined && range[0] <= lo && range[1] >= hi);
  }

  /** The first contiguous run, at most `grains` long, or null when the set is empty. Does not remove it. */
  first(grains: number): Range | null {
    const range = this.#ranges[0];
    return range ? [range[0], Math.min(range[1], range[0] + grains)] : null;
  }
}

/** Which result stands for which grains: disjoint entries, sorted by range. */
export interface Covering<Id> {
  lo: number;
  hi: number;
  result: Id;
}

export class Coverage<Id> {
  #entries: Covering<Id>[] = [];

  get entries(): readonly Covering<Id>[] {
    return this.#entries;
  }

  #find(at: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Covering<Id>).hi > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The parts of [lo, hi) that no result covers yet. */
  uncovered(lo: number, hi: number): Range[] {
    const parts: Range[] = [];
    let from = lo;
    for (let index = this.#find(lo); index < this.#entries.length && from < hi; index++) {
      const entry = this.#entries[index] as Covering<Id>;
      if (entry.lo >= hi) break;
      if (entry.lo > from) parts.push([from, entry.lo]);
      from = Math.max(from, entry.hi);
    }
    if (from < hi) parts.push([from, hi]);
    return parts;
  }

  /** The result that covers `grain`, or undefined. */
  at(grain: number): Id | undefined {
    const entry = this.#entries[this.#find(grain)];
    return entry && entry.lo <= grain ? entry.result : undefined;
  }

  /** Lets `result` stand for [lo, hi), which must be uncovered. */
  cover(lo: number, hi: number, result: Id): void {
    const index = this.#find(lo);
    const next = this.#entries[index];
    if (next && next.lo < hi) throw new Error(`grains [${lo},${hi}) are covered already from ${next.lo}`);
    this.#entries.splice(index, 0, { lo, hi, result });
  }

  /** Takes back everything that `result` stands for within [lo, hi), and returns those ranges. */
  uncover(lo: number, hi: number, result: Id): Range[] {
    const parts: Range[] = [];
    for (let index = this.#find(lo); index < this.#entries.length; ) {
      const entry = this.#entries[index] as Covering<Id>;
      if (entry.lo >= hi) break;
      if (entry.result === result) {
        parts.push([entry.lo, entry.hi]);
        this.#entries.splice(index, 1);
      } else index++;
    }
    return parts;
  }

  /** The ranges that `result` stands for within [lo, hi). */
  of(lo: number, hi: number, result: Id): Range[] {
    const parts: Range[] = [];
    for (let index = this.#find(lo); index < this.#entries.length; index++) {
      const entry = this.#entries[index] as Covering<Id>;
      if (entry.lo >= hi) break;
      if (entry.result === result) parts.push([entry.lo, entry.hi]);
    }
    return parts;
  }
}
