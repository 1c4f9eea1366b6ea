/** The benchmark measures what it says it does; speeds are no matter here. */
import { expect, it } from "vitest";
import { makeInputs, packResults, taskBytes } from "./echo/data.ts";
import { measureIdleLatency, measureIdleMemory } from "./idle.ts";
import { measureCell } from "./throughput.ts";

it("makes inputs and results that are all distinct", () => {
  const inputs = makeInputs(7, 500);
  const packed = Buffer.from(packResults(inputs));
  const seen = new Set<string>();
  for (let task = 0; task < 500; task++) {
    seen.add(inputs.subarray(task * taskBytes, (task + 1) * taskBytes).toString("hex"));
    const result = packed.subarray(task * (taskBytes + 2) + 2, (task + 1) * (taskBytes + 2));
    seen.add(result.toString("hex"));
    expect(result[50]).toBe(~(inputs[task * taskBytes + 50] as number) & 0xff);
  }
  expect(seen.size).toBe(1_000);
});

it.each([
  { slice: 1, sign: true, frames: "turn" as const },
  { slice: 10, sign: false, frames: "result" as const },
])("processes and verifies every task (slice $slice)", { timeout: 60_000 }, async (cell) => {
  const result = await measureCell({ nodes: 2, tasks: 300, ...cell });
  expect(result.verifiedTasks).toBe(300);
  expect(result.tasksPerSecond).toBeGreaterThan(0);
  expect(result.coordinatorUsPerTask).toBeGreaterThan(0);
});

it("measures single jobs and idle nodes", { timeout: 60_000 }, async () => {
  const { startMs, acceptedMs, resultMs } = await measureIdleLatency(5, "reduce");
  expect([startMs.length, acceptedMs.length, resultMs.length]).toEqual([5, 5, 5]);
  for (const [job, ms] of resultMs.entries()) expect(ms).toBeGreaterThan(startMs[job] as number);
  expect((await measureIdleMemory(20)).nodes).toBe(20);
});
