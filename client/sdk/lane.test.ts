import { expect, it } from "vitest";
import { Lane } from "./lane.ts";

/** A task that ends when told to. */
function task() {
  let end!: (error?: Error) => void;
  const ended = new Promise<void>((resolve, reject) => {
    end = (error) => (error ? reject(error) : resolve());
  });
  const state = { started: false, crowded: false };
  const run = (crowded: boolean) => {
    state.started = true;
    state.crowded = crowded;
    return ended;
  };
  return { run, end, state };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

it("runs as many at once as it is wide, the others in order", async () => {
  const lane = new Lane(2, 10);
  const tasks = [task(), task(), task(), task()];
  const runs = tasks.map(({ run }) => lane.run(run));
  const started = () => tasks.map(({ state }) => state.started);
  expect(started()).toEqual([true, true, false, false]);
  tasks[1]!.end();
  await runs[1];
  await settle();
  expect(started()).toEqual([true, true, true, false]);
  expect(tasks[2]!.state.crowded).toBe(true);
  tasks[0]!.end(new Error("failed"));
  await expect(runs[0]).rejects.toThrow("failed");
  await settle();
  expect(started()).toEqual([true, true, true, true]);
  expect(tasks[3]!.state.crowded).toBe(false);
  tasks[2]!.end();
  tasks[3]!.end();
  await Promise.all(runs.slice(2));
  const after = task();
  const run = lane.run(after.run);
  expect(after.state.started).toBe(true);
  after.end();
  await run;
});

it("lets those go who give up, and keeps no place for them", async () => {
  const lane = new Lane(1, 10);
  const [first, second, third] = [task(), task(), task()];
  const controller = new AbortController();
  const runs = [lane.run(first.run), lane.run(second.run, controller.signal), lane.run(third.run)];
  controller.abort(new Error("gave up"));
  await expect(runs[1]).rejects.toThrow("gave up");
  await expect(lane.run(second.run, controller.signal)).rejects.toThrow("gave up");
  first.end();
  await runs[0];
  await settle();
  expect([second.state.started, third.state.started]).toEqual([false, true]);
  third.end();
  await runs[2];
});

it("refuses who would be one too many to wait, and says what to do", async () => {
  const lane = new Lane(1, 1);
  const first = task();
  const runs = [lane.run(first.run), lane.run(async () => {})];
  await expect(lane.run(async () => {})).rejects.toMatchObject({
    code: "too_many_calls",
    remedy: expect.stringContaining("Await"),
  });
  first.end();
  await Promise.all(runs);
});
