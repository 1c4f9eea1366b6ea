import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Coverage, RangeSet } from "./ranges.ts";

const most = 40;
const range = fc.tuple(fc.integer({ min: 0, max: most }), fc.integer({ min: 0, max: most }));
const moves = fc.array(fc.tuple(fc.boolean(), range), { maxLength: 40 });

/** Ranges of a plain set of numbers. */
function rangesOf(set: ReadonlySet<number>): number[][] {
  const found: number[][] = [];
  for (let at = 0; at <= most; at++) {
    if (!set.has(at)) continue;
    const last = found.at(-1);
    if (last?.[1] === at) last[1] = at + 1;
    else found.push([at, at + 1]);
  }
  return found;
}

describe("a set of ranges", () => {
  it("holds what a plain set holds, sorted, disjoint and joined where ranges touch", () => {
    fc.assert(
      fc.property(moves, range, (steps, [lo, hi]) => {
        const set = new RangeSet();
        const plain = new Set<number>();
        for (const [adds, [from, to]] of steps) {
          if (adds) set.add(from, to);
          else set.remove(from, to);
          for (let at = from; at < to; at++) adds ? plain.add(at) : plain.delete(at);
        }
        expect(set.ranges).toEqual(rangesOf(plain));
        expect(set.size).toBe(plain.size);
        const within = [...plain].filter((at) => at >= lo && at < hi);
        expect(set.within(lo, hi)).toEqual(rangesOf(new Set(within)));
        expect(set.has(lo, hi)).toBe(within.length === Math.max(0, hi - lo));
      }),
    );
  });

  it("gives its first run, cut to size, and keeps it", () => {
    const set = RangeSet.of([7, 9], [2, 5]);
    expect([set.first(2), set.first(9), set.size]).toEqual([[2, 4], [2, 5], 5]);
    expect(new RangeSet().first(1)).toBeNull();
  });
});

describe("coverage", () => {
  it("says which result stands for each grain, as a plain array does", () => {
    fc.assert(
      fc.property(moves, range, (steps, [lo, hi]) => {
        const coverage = new Coverage<number>();
        const plain: (number | undefined)[] = Array(most + 1).fill(undefined);
        for (const [index, [adds, [from, to]]] of steps.entries()) {
          if (adds) for (const [a, b] of coverage.uncovered(from, to)) coverage.cover(a, b, index);
          else coverage.uncover(0, most + 1, index >> 1);
          for (let at = 0; at <= most; at++) {
            if (adds && at >= from && at < to) plain[at] ??= index;
            if (!adds && plain[at] === index >> 1) plain[at] = undefined;
          }
        }
        expect(Array.from(plain, (_, at) => coverage.at(at))).toEqual(plain);
        const free = new Set([...plain.keys()].filter((at) => plain[at] === undefined && at >= lo && at < hi));
        expect(coverage.uncovered(lo, hi)).toEqual(rangesOf(free));
        const { entries } = coverage;
        for (let at = 1; at < entries.length; at++)
          expect(entries[at]?.lo).toBeGreaterThanOrEqual(entries[at - 1]?.hi ?? 0);
      }),
    );
  });

  it("refuses to let two results stand for one grain", () => {
    const coverage = new Coverage<number>();
    coverage.cover(2, 5, 1);
    expect(() => coverage.cover(4, 6, 2)).toThrow("grains [4,6) are covered already from 2");
    expect(() => coverage.cover(0, 3, 2)).toThrow("covered already");
    coverage.cover(0, 2, 2);
    expect(coverage.uncover(0, 9, 1)).toEqual([[2, 5]]);
    expect(coverage.of(0, 9, 2)).toEqual([[0, 2]]);
  });
});
