import { expect, test } from "vitest";
import { itemsOf, joined, type Ordered, ordered } from "./ordered.ts";

test("items stay in order, however many there are and however they were joined", () => {
  const of = (lo: number, hi: number): Ordered<number> =>
    hi - lo === 1
      ? ordered([lo])
      : joined(of(lo, lo + Math.ceil((hi - lo) / 3)), of(lo + Math.ceil((hi - lo) / 3), hi));
  const all = of(0, 2_000);
  expect(all.count).toBe(2_000);
  expect(itemsOf(all)).toEqual(Array.from({ length: 2_000 }, (_, at) => at));
  expect(itemsOf(all, 3)).toEqual([0, 1, 2]);
  let long = ordered([0]);
  for (let at = 1; at < 50_000; at++) long = joined(long, ordered([at]));
  expect(itemsOf(long)).toHaveLength(50_000);
});
