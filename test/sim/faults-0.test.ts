import { describe, expect, it } from "vitest";
import { explore, report } from "./explore.ts";
import { mustHappen, seedsOf } from "./seeds.ts";

describe("the grid under faults, part 1 of 2", () => {
  const seeds = seedsOf(0, 2);
  it.runIf(seeds.length > 0)(`keeps its promises in ${seeds.length} runs`, () => {
    const found = explore(seeds);
    console.log(report(found));
    expect(found.runs).toBe(seeds.length);
    if (seeds.length >= 20) expect(mustHappen.filter((kind) => !found.kinds.has(kind))).toEqual([]);
  });
});
