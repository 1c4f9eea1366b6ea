import { expect, it } from "vitest";
import type { Job } from "./job.ts";
import { mapOver } from "./map.ts";

/** A grid that doubles, and whose jobs end when a test says so. */
function puppet() {
  const jobs: { values: number[]; end(): void; cancelled: boolean; key: string | undefined }[] = [];
  const submit = async (_type: string, payload: never, options: { idempotencyKey?: string }) => {
    const { values } = (payload as { inputs: { values: number[] } }).inputs;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const job = { values, end, cancelled: false, key: options.idempotencyKey };
    jobs.push(job);
    return {
      result: async () => {
        await ended;
        return { outputs: values.map((value) => 2 * value) };
      },
      cancel: async () => {
        job.cancelled = true;
        end();
      },
    } as unknown as Job<{ outputs: unknown[] }>;
  };
  return { jobs, grid: { submit } };
}

const count = function* (end: number, read: (value: number) => void = () => {}) {
  for (let value = 0; value < end; value++) {
    read(value);
    yield value;
  }
};
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

it("gives outputs in the order of the inputs, whichever job ends first", async () => {
  const { jobs, grid } = puppet();
  const found: unknown[] = [];
  const all = (async () => {
    for await (const row of mapOver(grid, count(7), { source: "x", batch: 3 })) found.push(row);
  })();
  await turn();
  expect(jobs.map(({ values }) => values)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
  for (const job of jobs.toReversed()) job.end();
  await all;
  expect(found).toEqual(Array.from({ length: 7 }, (_, index) => ({ index, value: 2 * index })));
});

it("reads inputs only as far ahead as it may", async () => {
  const { jobs, grid } = puppet();
  let read = 0;
  const rows = mapOver(
    grid,
    count(1_000, (value) => (read = value + 1)),
    { source: "x", batch: 10, inFlight: 2 },
  );
  const first = rows.next();
  await turn();
  expect([jobs.length, read]).toEqual([2, 20]);
  jobs[0]?.end();
  expect(await first).toEqual({ value: { index: 0, value: 0 }, done: false });
  await turn();
  expect(read).toBe(20);
  await rows.return();
  expect(jobs.map(({ cancelled }) => cancelled)).toEqual([false, true]);
});

it("names its jobs where it has a name, and leaves them be", async () => {
  const { jobs, grid } = puppet();
  const rows = mapOver(grid, count(4), { source: "x", batch: 2, inFlight: 2, name: "night" });
  const first = rows.next();
  await turn();
  jobs[0]?.end();
  await first;
  await rows.return();
  expect(jobs.map(({ key, cancelled }) => [key, cancelled])).toEqual([
    ["night.0", false],
    ["night.2", false],
  ]);
});

it("refuses sizes that are none, by their name", async () => {
  const { grid } = puppet();
  for (const wrong of [{ batch: 0 }, { inFlight: 1.5 }, { batch: 1e9 }]) {
    const [field] = Object.keys(wrong);
    await expect(mapOver(grid, [1], { source: "x", ...wrong }).next()).rejects.toMatchObject({ field });
  }
});
