import type { Job } from "./state.ts";

/**
 * A binary heap of one submitter's runnable jobs of one class. The smallest `queueKey` goes first: the
 * time a job last got a slice (or came), less its priority in minutes. Since all jobs age alike, the
 * order of two waiting jobs never changes, and no re-sorting is needed.
 */
export class JobQueue {
  #heap: Job[] = [];

  get size(): number {
    return this.#heap.length;
  }

  get top(): Job | undefined {
    return this.#heap[0];
  }

  get jobs(): readonly Job[] {
    return this.#heap;
  }

  push(job: Job): void {
    job.queueIndex = this.#heap.length;
    this.#heap.push(job);
    this.#up(job.queueIndex);
  }

  remove(job: Job): void {
    const index = job.queueIndex;
    if (this.#heap[index] !== job) throw new Error(`job ${job.id} is not in this queue`);
    const last = this.#heap.pop() as Job;
    job.queueIndex = -1;
    if (last !== job) {
      this.#heap[index] = last;
      last.queueIndex = index;
      this.#up(index);
      this.#down(last.queueIndex);
    }
  }

  /** Puts a job back in order after its key changed. */
  moved(job: Job): void {
    this.#up(job.queueIndex);
    this.#down(job.queueIndex);
  }

  /** Jobs in order of the heap's array; the first is the top. For the rare walk past a job that does not fit. */
  find(fits: (job: Job) => boolean, most: number): Job | undefined {
    const top = this.#heap[0];
    if (!top || fits(top)) return top;
    let best: Job | undefined;
    const end = Math.min(this.#heap.length, most);
    for (let index = 1; index < end; index++) {
      const job = this.#heap[index] as Job;
      if ((!best || before(job, best)) && fits(job)) best = job;
    }
    return best;
  }

  #up(start: number): void {
    let index = start;
    const job = this.#heap[index] as Job;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent] as Job;
      if (!before(job, above)) break;
      this.#heap[index] = above;
      above.queueIndex = index;
      index = parent;
    }
    this.#heap[index] = job;
    job.queueIndex = index;
  }

  #down(start: number): void {
    let index = start;
    const job = this.#heap[index] as Job;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heap.length) break;
      const right = this.#heap[child + 1];
      if (right && before(right, this.#heap[child] as Job)) child++;
      const below = this.#heap[child] as Job;
      if (!before(below, job)) break;
      this.#heap[index] = below;
      below.queueIndex = index;
      index = child;
    }
    this.#heap[index] = job;
    job.queueIndex = index;
  }
}

function before(a: Job, b: Job): boolean {
  return a.queueKey < b.queueKey || (a.queueKey === b.queueKey && a.sequence < b.sequence);
}
