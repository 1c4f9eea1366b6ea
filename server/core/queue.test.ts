import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createState } from "./grid.ts";
import { newJob } from "./harness.ts";
import { createJob } from "./jobs.ts";
import { JobQueue } from "./queue.ts";
import type { Job } from "./state.ts";

const sorted = (jobs: readonly Job[]): Job[] =>
  [...jobs].sort((a, b) => a.queueKey - b.queueKey || a.sequence - b.sequence);

function jobs(keys: readonly number[]): Job[] {
  const state = createState();
  return keys.map((queueKey, index) => ({ ...createJob(state, newJob(`j${index}`), 0), queueKey }));
}

describe("a queue of jobs", () => {
  it("keeps the order of a sorted list through any pushes, removals and moves", () => {
    const keys = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 40 });
    const moves = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 20 }), fc.boolean()), { maxLength: 40 });
    fc.assert(
      fc.property(keys, moves, (start, steps) => {
        const queue = new JobQueue();
        let list = jobs(start);
        for (const job of list) queue.push(job);
        for (const [at, key, removes] of steps) {
          const job = list[at % Math.max(1, list.length)];
          if (!job) break;
          if (removes) {
            queue.remove(job);
            list = list.filter((other) => other !== job);
            expect(job.queueIndex).toBe(-1);
          } else {
            job.queueKey = key;
            queue.moved(job);
          }
          expect(queue.top).toBe(sorted(list)[0]);
        }
        for (const job of list) expect(queue.jobs[job.queueIndex]).toBe(job);
        for (const job of sorted(list)) {
          expect(queue.top).toBe(job);
          queue.remove(job);
        }
        expect(queue.size).toBe(0);
      }),
    );
  });

  it("finds the first in order that fits, among those it looks at", () => {
    const queue = new JobQueue();
    const list = jobs([5, 3, 9, 1, 7]);
    for (const job of list) queue.push(job);
    expect(queue.find((job) => job.queueKey > 3, 64)?.queueKey).toBe(5);
    expect(queue.find(() => false, 64)).toBeUndefined();
    expect(queue.find((job) => job.queueKey === 9, 1)).toBeUndefined();
  });

  it("refuses to remove what is not in it", () => {
    const [job] = jobs([1]);
    expect(() => new JobQueue().remove(job as Job)).toThrow("job j0 is not in this queue");
  });
});
