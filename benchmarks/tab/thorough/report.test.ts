/** What the benchmark concludes from what it saw; the measuring itself is tried in test/e2e/bench-tab.test.ts. */
import { expect, it } from "vitest";
import { smoothnessOf } from "./blocking.ts";
import { computedOf, type View } from "./donor.ts";
import type { Transfer } from "./first.ts";
import { coresBefore, kindOf, lastBusy, processesOf } from "./processes.ts";
import { atMost, report, rowsOf } from "./report.ts";
import { fullPlan, type Measured } from "./suite.ts";
import { rateOf, type Window } from "./throughput.ts";
import { median } from "./wait.ts";

const none: Measured = {
  throughput: [],
  first: [],
  transfer: [],
  leaving: [],
  stops: [],
  smoothness: [],
  failures: [],
};
const verdicts = (measured: Partial<Measured>): (string | undefined)[] =>
  rowsOf({ ...none, ...measured }).map(({ verdict }) => verdict);

it("finds the last moment at which something computed", () => {
  const samples = (cpu: number[]) => cpu.map((cpuMs, index) => ({ atMs: 1_000 + 20 * index, cpuMs }));
  expect(lastBusy(samples([0, 20, 40, 60, 61, 62, 62]), 1_010)).toBe(1_060);
  // What computed before the press does not count, nor does what is idle.
  expect(lastBusy(samples([0, 20, 20, 21, 22, 22]), 1_030)).toBe(null);
  // Something that goes on again is found.
  expect(lastBusy(samples([0, 20, 20, 20, 40, 40]), 1_010)).toBe(1_080);
  // Intervals shorter than the scheduler's are put together.
  const fine = Array.from({ length: 30 }, (_, index) => ({ atMs: 1_000 + 2 * index, cpuMs: Math.min(40, 2 * index) }));
  expect(lastBusy(fine, 1_000)).toBe(1_040);
});

it("knows processes by their kind, as written by the system or by a zygote, and never watches none", () => {
  expect(kindOf("/usr/lib/chromium/chromium\0--type=gpu-process\0--headless\0")).toBe("gpu-process");
  expect(kindOf("/usr/lib/chromium/chromium --type=renderer --lang=en-US")).toBe("renderer");
  expect(kindOf("/usr/lib/chromium/chromium\0--headless\0")).toBe(undefined);
  expect(() => processesOf(process.pid, "renderer")).toThrow("No process");
});

it("tells how busy the threads were before a moment", () => {
  const samples = [0, 20, 40, 60, 60, 60].map((cpuMs, index) => ({ atMs: 1_000 + 20 * index, cpuMs }));
  expect(coresBefore(samples, 1_060, 60)).toBe(1);
  expect(coresBefore(samples, 1_100, 40)).toBe(0);
  expect(coresBefore([], 1_000, 50)).toBe(0);
});

it("counts parts of grains only while they are computed", () => {
  const meter = { backend: "wasm", slot: 0, speed: null };
  const meters = [
    { ...meter, workload: "monte_carlo", fraction: 0.5, grains: 3 },
    { ...meter, workload: null, fraction: 0.9, grains: 2 },
  ];
  expect(computedOf({ meters } as unknown as View)).toBe(5.5);
});

it("says by how much a target is missed, and never that an unmeasured one is met", () => {
  expect(atMost(5, 5, String)).toBe("met");
  expect(atMost(7, 5, String)).toBe("short by 2");
  expect(atMost(Number.NaN, 5, String)).toBe("not measured");
});

const window = (grains: number): Window => ({ grains, ms: 10_000, cores: 1, stored: grains, visibility: "visible" });
const throughput = (hidden: number) => ({
  backend: "wasm" as const,
  visible: [window(10), window(12)],
  hidden: [window(hidden), window(hidden)],
  longHidden: window(hidden),
  frozen: window(0),
  frozenFreedMs: 100,
  thawedPhase: "stopped",
});

it("judges hidden tabs by all their windows", () => {
  expect(rateOf([window(10), window(12)])).toBeCloseTo(1.1);
  expect(verdicts({ throughput: [throughput(9)] })).toEqual([undefined, "met", "met", undefined, "met"]);
  expect(verdicts({ throughput: [throughput(5.5)] }).slice(1, 3)).toEqual([
    "short by 30.0 points",
    "short by 30.0 points",
  ]);
});

it("judges the worst leaving, by the limit of its way", () => {
  const leaving = (way: "close" | "silent", lostSeconds: number, freedMs: number) => {
    const grains = { computedMs: 1, computedGrains: 1, storedGrains: 1, storedAfterReturn: 1 };
    return { way, lostSeconds, lostAfterReturnSeconds: 0, freedMs, ...grains };
  };
  const all = [leaving("close", 1, 100), leaving("close", 5.5, 1_200), leaving("silent", 2, 18_500)];
  expect(verdicts({ leaving: all })).toEqual(["short by 0.50 s", "short by 200 ms", "met", "met"]);
});

it("judges the longest stop of each state", () => {
  const stop = (computedOnMs: number) => ({
    state: "paused",
    phase: "idle",
    coresBefore: 0,
    computedOnMs,
    saidMs: 10,
    freedMs: null,
  });
  expect(verdicts({ stops: [stop(0), stop(1_500)] })).toEqual(["short by 500 ms"]);
});

it("leaves kernels out of the bytes before them, and names what came uncompressed", () => {
  const transfer = (part: Transfer["part"], bytes: number, encoding: string) => ({ path: "/", part, bytes, encoding });
  const all = [transfer("page", 100_000, "br"), transfer("agent", 60_000, "none"), transfer("kernels", 90_000, "none")];
  const text = report({ ...none, transfer: all });
  expect(text).toContain("1 of them uncompressed (58.6 KB)");
  expect(text).toContain("short by 6.3 KB");
  expect(verdicts({ transfer: all.slice(1) }).at(-1)).toBe("met");
});

it("tells what could not be measured", () => {
  expect(report({ ...none, failures: ["close: the tab never computed"] })).toContain("FAILED close: the tab never");
});

it("tells late frames from the usual ones", () => {
  const frames = [...Array.from({ length: 97 }, () => 16.7), 40, 60, 100];
  const found = smoothnessOf("computing", 1_000, {
    tasks: [
      [10, 70],
      [90, 55],
    ],
    frames,
  });
  expect(found).toMatchObject({ longTasks: 2, longestTaskMs: 70, frameP50Ms: 16.7, frameP99Ms: 100, late: 0.03 });
  expect(smoothnessOf("at rest", 1_000, { tasks: [], frames: [] })).toMatchObject({ longestTaskMs: 0, late: 0 });
  expect(verdicts({ smoothness: [found] })).toEqual(["short by 20 ms"]);
});

it("takes medians of odd and even numbers of values", () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3])]).toEqual([2, 2.5]);
});

it("leaves at every phase of the time between two results", () => {
  const phases = fullPlan.leaving[0]?.computeMs.map((computeMs) => computeMs % 5_000).sort((a, b) => a - b) ?? [];
  expect(phases).toHaveLength(5);
  for (const [index, phase] of phases.entries()) expect(Math.floor(phase / 1_000)).toBe(index);
});
