import fc from "fast-check";
import { expect, it } from "vitest";
import { keptIdle, keptMs, type Levels, noteWanted } from "./idle.ts";
import { defaultSettings as settings } from "./settings.ts";

const bootMs = 90_000;

/** What keeping for so long costs beside giving back, in ms of an instance. */
const cost = (gapsMs: readonly number[], keepMs: number): number =>
  gapsMs.reduce((sum, gapMs) => sum + (gapMs < keepMs ? gapMs : keepMs + bootMs), 0);

it("keeps for what a boot costs until it knows more, and then for what was cheapest", () => {
  expect(keptMs([], bootMs, settings)).toBe(settings.idleMs);
  expect(keptMs([1, 1], bootMs, settings)).toBe(settings.idleMs);
  expect(keptMs([600_000, 700_000, 900_000], bootMs, settings)).toBe(settings.idleMsMin);
  expect(keptMs([50_000, 60_000, 900_000], bootMs, settings)).toBe(60_001);
});

it("is never dearer than any other time would have been, save for its limits", () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 3, maxLength: 32 });
  const time = fc.integer({ min: settings.idleMsMin, max: settings.idleMsMax });
  fc.assert(
    fc.property(gaps, time, (gapsMs, otherMs) => {
      const keepMs = keptMs(gapsMs, bootMs, settings);
      expect(keepMs).toBeGreaterThanOrEqual(settings.idleMsMin);
      expect(keepMs).toBeLessThanOrEqual(settings.idleMsMax);
      expect(cost(gapsMs, keepMs)).toBeLessThanOrEqual(cost(gapsMs, otherMs) + gapsMs.length);
    }),
  );
});

it("keeps the first instances for their own reasons, and the higher ones as those below", () => {
  const levels: Levels = [];
  let nowMs = 0;
  const pass = (wanted: number, ms: number): void => {
    noteWanted(levels, wanted, 10, nowMs);
    nowMs += ms;
  };
  // The first is wanted again every 30 s, the second after ten minutes; beyond that nothing was ever wanted.
  for (let round = 0; round < 4; round++) {
    pass(2, 10_000);
    for (let times = 0; times < 20; times++) {
      pass(0, 30_000);
      pass(1, 1_000);
    }
  }
  pass(2, 1_000);
  pass(0, 20_000);
  expect(keptIdle(levels, 0, 10, nowMs, bootMs, settings)).toBe(1);
  nowMs += 20_000;
  expect(keptIdle(levels, 0, 10, nowMs, bootMs, settings)).toBe(0);
  expect(keptIdle(levels, 3, 10, nowMs, bootMs, settings)).toBe(3);
  expect(keptIdle(levels, 3, 2, nowMs, bootMs, settings)).toBe(2);
});

it("remembers a bounded number of gaps of a bounded number of instances", () => {
  const levels: Levels = [];
  for (let n = 0; n < 200; n++) noteWanted(levels, n % 2 === 0 ? 5_000 : 0, 5_000, n * 1_000);
  expect(levels).toHaveLength(1_024);
  expect(Math.max(...levels.map(({ gapsMs }) => gapsMs.length))).toBe(32);
});
