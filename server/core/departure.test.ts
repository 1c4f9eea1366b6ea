/** A page that closes says so by HTTP: what its session held is free at once. */
import { expect, test } from "vitest";
import { TestGrid } from "./harness.ts";

test("what a departed session held goes to another node at once, and nothing more to it", () => {
  const grid = new TestGrid();
  grid.join("leaving", { session: "s1" });
  grid.submit("j", { grains: 4 });
  const before = grid.leasesOf("leaving");
  expect(before.length).toBeGreaterThan(0);
  grid.join("staying");
  grid.do({ type: "departed", node: "leaving", session: "s1" });
  expect(grid.leasesOf("leaving")).toEqual([]);
  expect(grid.leasesOf("staying").length).toBeGreaterThan(0);
  grid.pass(3_000);
  expect(grid.leasesOf("leaving")).toEqual([]);
});

test("words of an earlier session, or of nobody known, change nothing", () => {
  const grid = new TestGrid();
  grid.join("v", { session: "s2" });
  grid.submit("j", { grains: 4 });
  const before = grid.leasesOf("v");
  grid.do({ type: "departed", node: "v", session: "s1" });
  grid.do({ type: "departed", node: "nobody", session: "s1" });
  expect(grid.leasesOf("v")).toEqual(before);
});

test("a departed node that comes back gets work again, and may hand in by ticket what it had finished", () => {
  const grid = new TestGrid();
  grid.join("v", { session: "s1" });
  const job = grid.submit("j", { grains: 8 });
  const [lease] = grid.leasesOf("v");
  if (!lease) throw new Error("no lease");
  grid.do({ type: "departed", node: "v", session: "s1" });
  grid.leave("v").join("v", { session: "s2" });
  expect(grid.leasesOf("v").length).toBeGreaterThan(0);
  const seq = grid.answer(lease);
  expect(grid.effects).toContainEqual(expect.objectContaining({ type: "ack", seq, rejected: null }));
  expect(job.phase).not.toBe("failed");
});
