import { expect, test } from "vitest";
import { Random } from "../random.ts";
import { type Baseline, runBaseline } from "./baselines.ts";
import type { Strategy } from "./population.ts";
import { wilson } from "./wilson.ts";

const run = (baseline: Baseline, strategy: Strategy, saboteurs: number, units = 20_000) =>
  runBaseline(baseline, { random: new Random(7), saboteurs, strategy, volunteers: 200, units });

test("without saboteurs a quorum costs the double, adaptive replication less; what is wrong are corruptions", () => {
  const twice = run("quorum 2", "always lie", 0);
  expect(twice.overhead).toBeGreaterThan(2);
  expect(twice.overhead).toBeLessThan(2.15);
  // Two silent corruptions do not agree.
  expect(twice.wrong).toBe(0);
  const adaptive = run("BOINC adaptive", "always lie", 0);
  expect(adaptive.overhead).toBeGreaterThan(1.1);
  expect(adaptive.overhead).toBeLessThan(1.9);
});

test("two saboteurs that meet in a quorum are believed: with one in five, about one unit in 25 of those that two decide", () => {
  const { wrong, accepted } = run("quorum 2", "always lie", 0.2);
  // Of pairs: 0.04 lie together, 0.32 are split and decided by a third, who is a liar in one of five: 0.04 + 0.064.
  const [lo, hi] = wilson(wrong, accepted);
  expect(lo).toBeGreaterThan(0.05);
  expect(hi).toBeLessThan(0.16);
});

test("saboteurs that lie only when they hold all copies are never found out by a quorum", () => {
  const paired = run("quorum 2", "paired", 0.2);
  expect(paired.wrong / paired.accepted).toBeGreaterThan(0.005);
  const honest = run("quorum 2", "paired", 0);
  expect(honest.wrong).toBe(0);
});

test("a sleeper gets through adaptive replication", () => {
  const sleeper = run("BOINC adaptive", "sleeper", 0.2, 60_000);
  expect(sleeper.wrong / sleeper.accepted).toBeGreaterThan(0.002);
});

test("Wilson's interval holds the share, also at its ends", () => {
  expect(wilson(0, 1_000)[0]).toBe(0);
  // The rule of three says 0.003 for 95%; Wilson's is a little wider.
  expect(wilson(0, 1_000)[1]).toBeCloseTo(0.0038, 4);
  // Table: 10 of 100.
  expect(wilson(10, 100)[0]).toBeCloseTo(0.0552, 4);
  expect(wilson(10, 100)[1]).toBeCloseTo(0.1744, 4);
});
