import { describe, expect, it } from "vitest";
import { toyDefaults, toyOracle } from "./fixtures.ts";
import { TestGrid } from "./harness.ts";
import { waitingReasons } from "./reasons.ts";
import type { Lease } from "./state.ts";

const first = (grid: TestGrid, node: string) => grid.leasesOf(node)[0] as Lease;
const cancel = (grid: TestGrid) =>
  grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "by its owner" } });
const types = (grid: TestGrid) => grid.requests.map(({ type }) => type);

describe("jobs", () => {
  it("are accepted, and cut, only once they are durable", () => {
    const grid = new TestGrid();
    grid.join("v", { speed: 1 });
    grid.slowDisk = true;
    const job = grid.submit("j");
    expect([grid.take("accepted"), grid.leasesOf("v")]).toEqual([[], []]);
    expect(waitingReasons(grid.state, job).map(({ code }) => code)).toEqual(["admitting"]);
    grid.sync();
    expect(grid.take("accepted")).toEqual([{ type: "accepted", job: "j" }]);
    expect(grid.leasesOf("v")).not.toEqual([]);
    expect(grid.writes.map(({ type }) => type)).toEqual(["job.insert", "round.insert", "extent.claim"]);
  });

  it("are called off: leases end, the record says why, the node forgets", () => {
    const grid = new TestGrid();
    grid.join("v", { speed: 1 });
    grid.submit("j");
    const leases = grid.leasesOf("v");
    grid.take("send");
    cancel(grid);
    expect(grid.leasesOf("v")).toEqual([]);
    const told = grid.take("send").map(({ message }) => message);
    for (const { id } of leases) expect(told).toContainEqual({ type: "revoke", lease: id, reason: "cancelled" });
    expect(told).toContainEqual({ type: "forget", job: "j" });
    expect(grid.writes.at(-1)).toMatchObject({ state: "cancelled", reason: { code: "cancelled" } });
    expect(grid.take("ended")).toEqual([{ type: "ended", job: "j", state: "cancelled" }]);
    expect(grid.state.totals.cancelled).toBe(1);
    const writes = grid.writes.length;
    cancel(grid);
    expect(grid.writes.length).toBe(writes);
  });

  it("that are called off before they are durable never run", () => {
    const grid = new TestGrid();
    grid.join("v");
    grid.slowDisk = true;
    grid.submit("j");
    cancel(grid);
    grid.sync();
    expect(grid.leasesOf("v")).toEqual([]);
    expect(grid.writes.map(({ type }) => type)).toEqual(["job.insert", "round.insert", "extent.claim", "job.ended"]);
  });

  it("fail when the judge fails", () => {
    const grid = new TestGrid();
    grid.submit("j");
    grid.do({ type: "judge.failed", job: "j", message: "boom" });
    expect(grid.take("ended")).toMatchObject([{ state: "failed" }]);
    expect(grid.writes.at(-1)).toMatchObject({ reason: { code: "judge_failed", message: "boom" } });
  });

  it("claim their next extent before the last runs out, and no grain twice", () => {
    const grid = new TestGrid({ extentGrains: 8, leasesPerSlot: 1 });
    grid.join("own", { own: true, speed: 5 });
    const job = grid.submit("j", { grains: 20, output: "rows" });
    while (grid.state.jobs.has("j")) grid.answer(first(grid, "own"));
    expect(job.confirmedGrains).toBe(20);
    const claims = grid.writes.flatMap((write) => (write.type === "extent.claim" ? [[write.lo, write.hi]] : []));
    expect(claims).toEqual([
      [0, 8],
      [8, 16],
      [16, 20],
    ]);
  });
});

describe("rounds", () => {
  it("follow each other once the next is durable, and results of the last are refused", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("own", { own: true, speed: 100 });
    const job = grid.submit("j", { grains: 10, cost: 0.1, rounds: 2 });
    const old = first(grid, "own");
    grid.answer(old, { ms: 10 });
    expect(types(grid)).toEqual(["take", "merge", "finish"]);
    grid.slowDisk = true;
    grid.do({
      type: "next",
      job: "j",
      round: 0,
      attempt: 0,
      next: { tasks: 7, grainTasks: 1, input: null },
      input: "blob",
    });
    expect(grid.leasesOf("own")).toEqual([]);
    grid.take("send");
    grid.sync();
    expect(first(grid, "own")).toMatchObject({ round: 1, lo: 0, hi: 7 });
    expect(grid.take("send").map(({ message }) => message)).toContainEqual(
      expect.objectContaining({ type: "job", round: 1, input: "blob", tasks: 7 }),
    );
    expect(grid.ackOf(grid.answer(old, { lo: 0, hi: 10 }))).toBe("round_over");
    grid.do({
      type: "next",
      job: "j",
      round: 0,
      attempt: 0,
      next: { tasks: 5, grainTasks: 1, input: null },
      input: null,
    });
    expect(job.tasks).toBe(7);
    grid.answer(first(grid, "own"));
    const output = toyOracle({ ...toyDefaults, rounds: 2 });
    grid.do({ type: "finished", job: "j", round: 0, attempt: 0, output: "of the wrong round", outputBlob: null });
    grid.do({ type: "finished", job: "j", round: 1, attempt: 0, output, outputBlob: null });
    expect(grid.writes.at(-1)).toMatchObject({ type: "job.ended", state: "completed", round: 1, output });
  });

  it("end early when what is verified is enough: the rest is called off, what still comes is spare", () => {
    const grid = new TestGrid({ leasesPerSlot: 2 });
    grid.join("own", { own: true, speed: 1 });
    grid.submit("j", { grains: 100 });
    const [one, two] = grid.leasesOf("own");
    grid.answer(one as Lease);
    grid.do({ type: "merged", job: "j", round: 0, enough: true, preview: 1 });
    expect(types(grid)).toEqual(["take", "merge", "finish"]);
    expect(grid.leasesOf("own")).toEqual([]);
    expect(grid.ackOf(grid.answer(two as Lease))).toBeNull();
    expect(grid.writes.filter(({ type }) => type === "result.insert")).toHaveLength(1);
    grid.do({ type: "merged", job: "j", round: 0, enough: true, preview: 1 });
    expect(types(grid).filter((type) => type === "finish")).toHaveLength(1);
  });
});

describe("draining", () => {
  it("gives out nothing new, takes what comes, and sends newcomers away to come back", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 1 });
    grid.submit("j", { grains: 100 });
    grid.do({ type: "drain" });
    expect(grid.ackOf(grid.answer(first(grid, "v")))).toBeNull();
    expect(grid.leasesOf("v")).toEqual([]);
    grid.join("w");
    expect(grid.take("close")).toMatchObject([{ code: "shutting_down", retryMs: 2_000 }]);
    grid.pass(1_000);
    expect(grid.state.nodes.get("v")?.idleReasons).toMatchObject([{ code: "draining" }]);
  });
});
