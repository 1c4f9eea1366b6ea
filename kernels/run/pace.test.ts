import { expect, it } from "vitest";
import { Pace } from "./pace.ts";

/** Steps of a kernel whose unit takes `msPerUnit(step)`, on a clock that ticks every `tickMs`. */
function steps(count: number, msPerUnit: (step: number) => number, tickMs = 0): number[] {
  const pace = new Pace();
  return Array.from({ length: count }, (_, step) => {
    const ms = pace.units * msPerUnit(step);
    pace.note(tickMs > 0 ? Math.floor(ms / tickMs) * tickMs : ms, false);
    return ms;
  });
}

it.each([1e-6, 1e-3, 0.4, 7, 29])("reaches about 30 ms with units of %d ms, and never 50", (msPerUnit) => {
  const taken = steps(40, () => msPerUnit);
  expect(Math.max(...taken)).toBeLessThanOrEqual(50);
  expect(taken.at(-1)).toBeGreaterThan(15);
});

it("stays below 50 ms on a clock that ticks every millisecond", () => {
  expect(Math.max(...steps(60, () => 1e-4, 1))).toBeLessThanOrEqual(50);
});

it("keeps to one unit when a unit is long", () => {
  expect(steps(5, () => 400)).toEqual([400, 400, 400, 400, 400]);
});

it("slows down within one step, and speeds up again", () => {
  const taken = steps(30, (step) => (step === 10 ? 0.04 : 0.01));
  expect(taken[11]).toBeLessThan(12);
  expect(taken.at(-1)).toBeGreaterThan(25);
});

it("does not take a range's short last step for speed", () => {
  const pace = new Pace();
  for (let i = 0; i < 10; i++) pace.note(pace.units * 0.5, false);
  const { units } = pace;
  pace.note(1, true);
  expect(pace.units).toBe(units);
  pace.note(90, true);
  expect(pace.units).toBeLessThan(units);
});
