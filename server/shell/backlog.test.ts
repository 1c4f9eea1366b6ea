import { expect, test } from "vitest";
import { Backlog } from "./backlog.ts";

const mebi = 1 << 20;

test("a node that is sent much ahead is kept while it reads, however slowly", () => {
  const backlog = new Backlog();
  backlog.sent(40 * mebi);
  // 100 kB a second.
  for (let second = 0; second < 300; second++) {
    expect([second, backlog.isStuck(40 * mebi - second * 100_000, second * 1_000)]).toEqual([second, false]);
  }
});

test("one that reads nothing is not, nor one with more waiting than anybody is sent", () => {
  const backlog = new Backlog();
  backlog.sent(5 * mebi);
  expect(backlog.isStuck(5 * mebi, 0)).toBe(false);
  expect(backlog.isStuck(5 * mebi, 14_000)).toBe(false);
  expect(backlog.isStuck(5 * mebi, 15_000)).toBe(true);
  expect(new Backlog().isStuck(49 * mebi, 0)).toBe(true);
});

test("the clock begins anew once what waited was read", () => {
  const backlog = new Backlog();
  backlog.sent(5 * mebi);
  expect(backlog.isStuck(5 * mebi, 0)).toBe(false);
  expect(backlog.isStuck(0, 10_000)).toBe(false);
  backlog.sent(5 * mebi);
  expect(backlog.isStuck(5 * mebi, 20_000)).toBe(false);
  expect(backlog.isStuck(5 * mebi, 34_000)).toBe(false);
});
