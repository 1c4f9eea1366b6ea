/** When the loop looks for work, and what it releases after a commit. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { CoreEvent, Effect } from "../core/events.ts";
import type * as Grid from "../core/grid.ts";
import { createState } from "../core/grid.ts";
import { CoreLoop } from "./loop.ts";

const steps = vi.hoisted(() => [] as string[]);
vi.mock("../core/grid.ts", async (importOriginal) => {
  const real = await importOriginal<typeof Grid>();
  const step = (...args: Parameters<typeof real.step>): Effect[] => {
    steps.push(args[1].type);
    return real.step(...args);
  };
  return { ...real, step };
});

const tick: CoreEvent = { type: "tick" };
let commits: { resolve(): void }[] = [];
let flushes = 0;

function aLoop(expecting = (): boolean => false): CoreLoop {
  return new CoreLoop(createState(), {
    core: { ticket: () => "t" },
    commit: () => new Promise((resolve) => commits.push({ resolve })),
    toWrites: () => {
      throw new Error("the core writes nothing here");
    },
    perform: () => {},
    flush: () => {
      flushes++;
    },
    fatal: (error) => {
      throw error;
    },
    now: () => 0,
    expecting,
  });
}

const aWrite = { type: "result.verdict", id: 1, standing: "confirmed", verdict: "own" } as const;

beforeEach(() => {
  steps.length = 0;
  commits = [];
  flushes = 0;
});
afterEach(() => vi.useRealTimers());

it("looks for work at the end of every turn while nothing is being committed", () => {
  aLoop().dispatchAll([tick, tick]);
  expect(steps).toEqual(["tick", "tick", "place"]);
  expect(flushes).toBe(1);
});

it("leaves the look for work to the end of a commit that is under way", async () => {
  const loop = aLoop();
  let durable = false;
  loop.write([aWrite], () => {
    durable = true;
  });
  steps.length = 0;
  loop.dispatch(tick);
  expect(steps).toEqual(["tick"]);
  expect(durable).toBe(false);
  commits[0]?.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  expect(durable).toBe(true);
  expect(steps).toEqual(["tick", "place"]);
});

it("does not wait for a commit that takes long", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const loop = aLoop();
  loop.write([aWrite]);
  steps.length = 0;
  vi.advanceTimersByTime(50);
  loop.dispatch(tick);
  expect(steps).toEqual(["tick", "place"]);
});

it("holds a commit for an answer that is due, so that one sync serves both", () => {
  let due = true;
  const loop = aLoop(() => due);
  loop.write([aWrite]);
  expect(commits).toHaveLength(0);
  due = false;
  loop.dispatch(tick);
  expect(commits).toHaveLength(1);
});

it("holds no commit for long, whatever is due, and each batch once", async () => {
  vi.useFakeTimers();
  const loop = aLoop(() => true);
  for (let batch = 1; batch <= 2; batch++) {
    loop.write([aWrite]);
    vi.advanceTimersByTime(1);
    loop.dispatch(tick);
    expect(commits).toHaveLength(batch - 1);
    vi.advanceTimersByTime(1);
    expect(commits).toHaveLength(batch);
    commits.at(-1)?.resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
});
