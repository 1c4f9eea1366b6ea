/** Virtual time: a heap of what is due, and promises in between. */
import type { Clock } from "../clock.ts";

interface Due {
  atMs: number;
  order: number;
  run: (() => void) | null;
}

export class VirtualTime implements Clock {
  #now: number;
  #order = 0;
  readonly #heap: Due[] = [];

  constructor(startMs: number) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now;
  }

  after(ms: number, run: () => void): () => void {
    const due: Due = { atMs: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#push(due);
    return () => {
      due.run = null;
    };
  }

  /** Lets time pass. Promises that resolve at a moment are followed up before the next moment comes. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#now + ms;
    await settle();
    for (let due = this.#heap[0]; due && due.atMs <= endMs; due = this.#heap[0]) {
      this.#pop();
      if (!due.run) continue;
      this.#now = Math.max(this.#now, due.atMs);
      due.run();
      await settle();
    }
    this.#now = endMs;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(due, heap[parent] as Due)) break;
      heap[at] = heap[parent] as Due;
      at = parent;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Due;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

const isBefore = (a: Due, b: Due): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** Long enough for every chain of promises here: the longest has some ten links. */
async function settle(): Promise<void> {
  for (let link = 0; link < 24; link++) await Promise.resolve();
}

/** Mulberry32: small, fast, good enough to vary a scenario. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
