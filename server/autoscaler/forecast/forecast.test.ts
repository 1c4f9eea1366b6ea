/** The forecaster on made series: what it learns, when it is heard, and what it does where nothing can be foretold. */
import { describe, expect, it } from "vitest";
import { historyStepMs } from "../shell/history.ts";
import type { ArrivalPoint } from "../shell/ports.ts";
import { day } from "./candidates.ts";
import { forecaster, newsvendor } from "./forecast.ts";

/** Mulberry32: the same noise in every run. */
function noise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

const pointOf = (step: number, arrived: number): ArrivalPoint => ({
  ...{ atMs: step * historyStepMs, arrived, expected: null, needed_rate: 0, volunteer_rate: 0, have: 0 },
});

interface Run {
  /** Steps in which it was heard. */
  heard: number;
  first: number;
  /** Share of those in which as much was held ready as came. */
  coverage: number;
  /** Mean of what was held ready, and of what came, in those steps. */
  held: number;
  came: number;
  said: (number | null)[];
}

/** Feeds a series step by step, as the autoscaler would; `undefined` is a step of which nothing is known. */
function run(series: (step: number) => number | undefined, steps: number, shortOverIdle = 4): Run {
  const forecast = forecaster({ shortOverIdle });
  const points: ArrivalPoint[] = [];
  const result: Run = { heard: 0, first: -1, coverage: 0, held: 0, came: 0, said: [] };
  for (let step = 0; step < steps; step++) {
    const value = series(step);
    const input = { points, stepMs: historyStepMs, nowMs: step * historyStepMs + 1, leadMs: 1_000 };
    const { rate, source } = forecast(input);
    const said = source === "forecast" ? rate : null;
    result.said.push(said);
    if (said !== null && value !== undefined) {
      if (result.first < 0) result.first = step;
      result.heard++;
      result.coverage += said >= value ? 1 : 0;
      result.held += said;
      result.came += value;
    }
    if (value !== undefined) points.push(pointOf(step, value));
  }
  if (result.heard > 0) {
    result.coverage /= result.heard;
    result.held /= result.heard;
    result.came /= result.heard;
  }
  return result;
}

/** Work comes in by day. */
const diurnal = (random: () => number) => (step: number) =>
  Math.max(0, 10 - 8 * Math.cos((2 * Math.PI * step) / day) + normal(random));

describe("a forecast", () => {
  it("is heard after its days in the shadow, and holds ready what comes in as many steps as it should", () => {
    for (const [ratio, share] of [
      [4, 0.8],
      [9, 0.9],
    ] as const) {
      const { first, heard, coverage, held, came } = run(diurnal(noise(ratio)), 14 * day, ratio);
      expect(first).toBeGreaterThanOrEqual(3 * day);
      expect(first).toBeLessThan(5 * day);
      expect(heard).toBeGreaterThan(8 * day);
      expect(coverage).toBeGreaterThan(share - 0.03);
      expect(coverage).toBeLessThan(share + 0.03);
      // One standard deviation of the noise is 1: that is what certainty costs.
      expect(held - came).toBeLessThan(1.7);
    }
  }, 30_000);

  it("sees a morning that is steep before it comes", () => {
    const steep = (step: number): number => (step % day >= 96 && step % day < 216 ? 20 : 1);
    const { said } = run(steep, 8 * day);
    const morning = 7 * day + 96;
    // The last value would say 1.
    expect(said[morning]).toBeGreaterThan(15);
    expect(said[morning - 30]).toBeLessThan(5);
  }, 30_000);

  it("is silent where the last value is as good: a random walk", () => {
    const random = noise(3);
    let value = 50;
    const walk = (): number => {
      value = Math.max(0, value + normal(random));
      return value;
    };
    expect(run(walk, 12 * day).heard).toBeLessThan(0.1 * 12 * day);
  }, 30_000);

  it("falls silent within an hour of a change of regime, and never holds more than came in a week", () => {
    const random = noise(4);
    const usual = diurnal(random);
    const change = 10 * day + 140;
    const { said } = run((step) => (step < change ? usual(step) : 0), 12 * day);
    expect(said[change - 1]).not.toBeNull();
    const after = said.slice(change + 12, change + 60).filter((each) => each !== null);
    expect(Math.max(0, ...(after as number[]))).toBeLessThan(10);
    expect(Math.max(...(said.filter((each) => each !== null) as number[]))).toBeLessThan(22);
  }, 30_000);

  it("is silent over a gap of six hours, and heard again after it", () => {
    const usual = diurnal(noise(5));
    const gap = 8 * day;
    const { said } = run((step) => (step >= gap && step < gap + 72 ? undefined : usual(step)), 10 * day);
    expect(said[gap - 1]).not.toBeNull();
    expect(said.slice(gap + 4, gap + 72).every((each) => each === null)).toBe(true);
    expect(said.slice(gap + 100, gap + 200).some((each) => each !== null)).toBe(true);
  }, 30_000);

  it("begins anew when the clock was set back, and knows nothing of nothing", () => {
    const forecast = forecaster();
    expect(forecast({ points: [], stepMs: historyStepMs, nowMs: 0, leadMs: 1 })).toEqual({ rate: 0, source: "none" });
    const at = (step: number) => ({
      points: [pointOf(step, 1)],
      stepMs: historyStepMs,
      nowMs: step * historyStepMs,
      leadMs: 1,
    });
    forecast(at(1_000));
    expect(forecast(at(10))).toEqual({ rate: 0, source: "none" });
  });

  it("learns four weeks in a blink, and looks for nothing", () => {
    const usual = diurnal(noise(6));
    const points = Array.from({ length: 28 * day }, (_, step) => pointOf(step, usual(step)));
    const forecast = forecaster();
    const input = { points, stepMs: historyStepMs, nowMs: 28 * day * historyStepMs, leadMs: 300_000 };
    const first = forecast(input);
    expect(first.source).toBe("forecast");
    expect(forecast(input)).toEqual(first);
  });

  it("takes its quantile from what being short costs", () => {
    expect([newsvendor(1), newsvendor(4), newsvendor(1e9), newsvendor(0)]).toEqual([0.5, 0.8, 0.95, 0.5]);
  });
});
