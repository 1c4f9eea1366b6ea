/** The scenario in short: ours keeps its promises on a square wave, and what HPA and thresholds do costs more and takes longer. */
import { expect, test } from "vitest";
import { clairvoyantDollars } from "./autoscale/clairvoyant.ts";
import { Elasticity } from "./autoscale/fleet.ts";
import { compare, dominates, machines } from "./autoscale/table.ts";
import { hourS, traces } from "./autoscale/traces.ts";

test("on a square wave, beside the rules that look at load", async () => {
  const { ours, others, leastDollars } = await compare("square wave", 1, 3 * hourS, { sweep: [[400, 0]] });
  const [mine] = ours;
  if (!mine) throw new Error("nothing ran");
  expect(mine.leftCoreSeconds).toBe(0);
  expect(mine.most).toBeLessThanOrEqual(machines.max);
  expect(mine.leakedMinutes).toBe(0);
  const best = mine.clairvoyantDollars ?? Number.NaN;
  expect(mine.dollars).toBeGreaterThanOrEqual(best);
  expect(best).toBeGreaterThanOrEqual(leastDollars);
  expect(mine.dollars).toBeLessThan(2 * leastDollars);
  const rule = (name: string) => others.find((other) => other.name === name) ?? others[0]!;
  expect(dominates(mine, rule("thresholds by 1"))).toBe(true);
  expect(rule("HPA at 0.8").dollars).toBeGreaterThan(mine.dollars);
  expect(rule("always max").waitP99S).toBeLessThan(mine.waitP99S);
}, 120_000);

test("who knows all beforehand starts as few instances as will do, for as long as they may take", async () => {
  const one = { cores: 2, bootS: 60, dollarsPerHour: 3_600, max: 10 };
  const job = [{ atS: 0, coreSeconds: 1_200 }];
  const scene = { arrivals: job, volunteers: [], replication: 1, lengthS: 3_600 };
  // A second costs a dollar. One instance for ten minutes, or two for five, and a minute to boot each.
  expect(await clairvoyantDollars(scene, one, 600)).toBeCloseTo(600 + 60, 3);
  expect(await clairvoyantDollars(scene, one, 300)).toBeCloseTo(600 + 2 * 60, 3);
  // What comes later is done by the same one.
  const two = [...job, { atS: 600, coreSeconds: 1_200 }];
  expect(await clairvoyantDollars({ ...scene, arrivals: two }, one, 600)).toBeCloseTo(1_200 + 60, 3);
  // Volunteers who do half of it are free.
  const half = { ...scene, volunteers: [{ fromS: 0, toS: 600, cores: 2 }], replication: 2 };
  expect(await clairvoyantDollars(half, one, 600)).toBeCloseTo(300 + 60 / 2, 3);
  await expect(clairvoyantDollars(scene, { ...one, max: 1 }, 300)).rejects.toThrow(/no plan/);
});

test("elasticity is what SPEC means by it", () => {
  const elasticity = new Elasticity();
  // Two minutes each: as demanded, then demand doubles and supply stands, then supply follows.
  for (const [demand, supplied] of [
    [10, 10],
    [20, 10],
    [20, 20],
  ] as const)
    for (let second = 0; second < 120; second++) elasticity.note(demand, supplied);
  const { under, over, underTime, overTime, instability } = elasticity.score();
  expect([over, overTime]).toEqual([0, 0]);
  expect(under).toBeCloseTo(50 / 3);
  expect(underTime).toBeCloseTo(100 / 3);
  // Of five steps of a minute the one in which demand rose alone, and the one in which supply did.
  expect(instability).toBeCloseTo(40);
});

test("a trace is the same from the same seed", () => {
  for (const make of Object.values(traces)) expect(make(3, hourS)).toEqual(make(3, hourS));
  expect(traces.bursty?.(3, hourS)).not.toEqual(traces.bursty?.(4, hourS));
});
