/** Virtual time: what is due goes off in order of time, and of scheduling where times are equal. */
interface Due {
  at: number;
  order: number;
  run: () => void;
}

export class Timeline {
  now = 0;
  #heap: Due[] = [];
  #order = 0;

  /** Runs `run` at `at`, or now where that is past. Milliseconds. */
  at(at: number, run: () => void): void {
    const due = { at: Math.max(at, this.now), order: this.#order++, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(due);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(due, heap[parent] as Due)) break;
      heap[index] = heap[parent] as Due;
      index = parent;
    }
    heap[index] = due;
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** Runs what is due until `end`, or until `done` says so. */
  run(end: number, done: () => boolean = () => false): void {
    while (this.#heap.length > 0 && (this.#heap[0] as Due).at <= end) {
      const due = this.#pop();
      this.now = due.at;
      due.run();
      if (done()) return;
    }
    this.now = Math.max(this.now, end);
  }

  #pop(): Due {
    const heap = this.#heap;
    const top = heap[0] as Due;
    const last = heap.pop() as Due;
    if (heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Due, heap[child] as Due)) child++;
      if (!before(heap[child] as Due, last)) break;
      heap[index] = heap[child] as Due;
      index = child;
    }
    heap[index] = last;
    return top;
  }
}

const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
