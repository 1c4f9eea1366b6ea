import { expect, test } from "vitest";
import { Governor, PressureGovernor } from "./governor.ts";

const beat = 1000 / 60;
function run(governor: Governor, frames: number, lateEvery: number): void {
  for (let frame = 1; frame <= frames; frame++) governor.frame(frame % lateEvery === 0 ? 2 * beat : beat);
}

test("smooth frames let threads compute all the time, also on slow displays", () => {
  for (const ms of [beat, 1000 / 30, 1000 / 144]) {
    const governor = new Governor();
    for (let frame = 0; frame < 600; frame++) governor.frame(ms);
    expect(governor.share).toBe(1);
  }
});

test("late frames lower the share step by step, never to nothing; smooth ones raise it again", () => {
  const governor = new Governor();
  run(governor, 120, 4);
  expect(governor.share).toBe(0.75);
  run(governor, 120 * 20, 4);
  expect(governor.share).toBe(0.25);
  run(governor, 120 * 3, 1_000);
  expect(governor.share).toBeCloseTo(0.55);
  run(governor, 120 * 20, 1_000);
  expect(governor.share).toBe(1);
});

test("in between the share stays; a gap is no frame", () => {
  const governor = new Governor();
  run(governor, 240, 10);
  expect(governor.share).toBe(1);
  for (let frame = 0; frame < 600; frame++) governor.frame(frame % 2 === 0 ? 60_000 : beat);
  expect(governor.share).toBe(1);
});

test("a display that every frame misses from the second window on is noticed", () => {
  const governor = new Governor();
  run(governor, 120, 1_000);
  for (let frame = 0; frame < 120; frame++) governor.frame(3 * beat);
  expect(governor.share).toBe(0.75);
});

test("pressure lowers the share step by step, never to nothing; without it the share rises again", () => {
  const governor = new PressureGovernor();
  expect([governor.tick("nominal"), governor.share]).toEqual([false, 1]);
  expect([governor.tick("serious"), governor.share]).toEqual([true, 0.8]);
  expect(governor.tick("critical")).toBe(true);
  expect(governor.share).toBeCloseTo(0.48);
  for (let ticks = 0; ticks < 10; ticks++) governor.tick("critical");
  expect(governor.share).toBe(0.25);
  for (let ticks = 0; ticks < 8; ticks++) governor.tick(ticks % 2 ? "fair" : null);
  expect(governor.share).toBe(1);
});

test("where the tab's own load makes the pressure, the share settles instead of going on and off", () => {
  const governor = new PressureGovernor();
  const shares: number[] = [];
  for (let ticks = 0; ticks < 60; ticks++) {
    // A device that others leave half of: it is pressed when this tab takes more than that.
    governor.tick(governor.share > 0.5 ? "serious" : "fair");
    shares.push(governor.share);
  }
  const late = shares.slice(20);
  expect(Math.min(...late)).toBeGreaterThan(0.4);
  expect(Math.max(...late)).toBeLessThan(0.65);
});
