import { describe, expect, it } from "vitest";
import { TestGrid } from "./harness.ts";
import type { Lease } from "./state.ts";

/** Core-seconds that each submitter got while `rounds` leases were computed, one after another. */
function shares(grid: TestGrid, node: string, leases: number, again?: (job: string) => void): Record<string, number> {
  const got: Record<string, number> = {};
  for (let count = 0; count < leases; count++) {
    const lease = grid.leasesOf(node)[0] as Lease;
    const job = grid.state.jobs.get(lease.job);
    if (!job) throw new Error("no job");
    got[job.submitter] = (got[job.submitter] ?? 0) + (lease.hi - lease.lo) * lease.coreSecondsPerGrain;
    grid.answer(lease, { ms: (1000 * (lease.hi - lease.lo) * lease.coreSecondsPerGrain) / 10 });
    if (!grid.state.jobs.has(job.id)) again?.(job.id);
  }
  return got;
}

describe("turns", () => {
  it("share core-seconds alike between submitters whose slices differ a hundredfold", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.submit("big", { grains: 5_000, cost: 400, output: "rows" }, { submitter: "ada" });
    grid.submit("small", { grains: 100_000, cost: 0.5, output: "rows" }, { submitter: "bob" });
    grid.join("own", { own: true, speed: 10 });
    const got = shares(grid, "own", 300);
    expect(got.ada).toBeGreaterThan(10_000);
    expect((got.ada as number) / (got.bob as number)).toBeGreaterThan(0.9);
    expect((got.ada as number) / (got.bob as number)).toBeLessThan(1.1);
  });

  it("charge a submitter whose every job is one slice, too", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    let next = 0;
    const submit = () => grid.submit(`one${next++}`, { grains: 1, cost: 400, output: "rows" }, { submitter: "ada" });
    submit();
    grid.submit("small", { grains: 100_000, cost: 0.5, output: "rows" }, { submitter: "bob" });
    grid.join("own", { own: true, speed: 10 });
    const got = shares(grid, "own", 300, submit);
    expect((got.ada as number) / (got.bob as number)).toBeGreaterThan(0.8);
    expect((got.ada as number) / (got.bob as number)).toBeLessThan(1.25);
  });

  it("starve nobody: a latecomer is served within a turn of each of the others", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    for (let index = 0; index < 5; index++) {
      grid.submit(`j${index}`, { grains: 10_000, cost: 3, output: "rows" }, { submitter: `s${index}` });
    }
    grid.join("own", { own: true, speed: 10 });
    shares(grid, "own", 50);
    grid.submit("late", { grains: 1_000, cost: 3, output: "rows" }, { submitter: "late" });
    expect(shares(grid, "own", 12).late).toBeGreaterThan(0);
  });

  it("let a job of higher priority go first, and an older one catch up", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, priorityMs: 1_000 });
    grid.submit("low", { grains: 1_000, cost: 1, output: "rows" }, { priority: 1 });
    grid.submit("high", { grains: 1_000, cost: 1, output: "rows" }, { priority: 9 });
    grid.join("own", { own: true, speed: 1 });
    const order: string[] = [];
    for (let count = 0; count < 12; count++) {
      const lease = grid.leasesOf("own")[0] as Lease;
      order.push(lease.job);
      grid.now += 1_000;
      grid.answer(lease);
    }
    expect(order[0]).toBe("high");
    expect(order.slice(0, 7)).toEqual(Array(7).fill("high"));
    expect(order).toContain("low");
  });

  it("give back what was charged for grains that nobody computed", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 5 });
    grid.submit("j", { grains: 100, cost: 1 });
    const before = grid.state.submitters.get("ada")?.deficit as number;
    const [lease] = grid.leasesOf("v");
    grid.leave("v").pass(6_000);
    expect(lease?.hi).toBeGreaterThan(1);
    expect(grid.state.submitters.get("ada")?.deficit).toBe(before + (lease?.hi as number));
  });
});
