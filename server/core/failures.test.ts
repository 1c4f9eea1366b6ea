import { describe, expect, it } from "vitest";
import { TestGrid } from "./harness.ts";
import type { Lease } from "./state.ts";

const fail = (
  grid: TestGrid,
  lease: Lease,
  grain: number,
  reason: "kernel_trap" | "device_lost" | "kernel_unavailable" = "kernel_trap",
) => grid.say(lease.node, { type: "fail", lease: lease.id, grain, reason, message: "trap" });
const first = (grid: TestGrid, node: string) => grid.leasesOf(node)[0] as Lease;

describe("failures", () => {
  it("give the rest of the lease back at once, the grain after a pause that doubles", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1 });
    grid.join("v", { speed: 100 });
    const job = grid.submit("j", { cost: 0.01 });
    const pauses: number[] = [];
    for (let count = 0; count < 3; count++) {
      fail(grid, first(grid, "v"), 4);
      const [wait] = job.cooling;
      expect(wait).toMatchObject({ lo: 4, hi: 5 });
      pauses.push((wait?.untilMs as number) - grid.now);
      grid.now += pauses.at(-1) as number;
      for (const lease of grid.leasesOf("v")) grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
      grid.do({ type: "tick" });
      for (const lease of grid.leasesOf("v")) grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000]);
  });

  it("end the job when a grain fails twice on an own node", () => {
    const grid = new TestGrid();
    grid.join("own", { own: true, speed: 1 });
    grid.submit("j", { grains: 1 });
    fail(grid, first(grid, "own"), 0);
    grid.pass(1_000);
    fail(grid, first(grid, "own"), 0);
    expect(grid.take("ended")).toMatchObject([{ job: "j", state: "failed" }]);
    expect(grid.writes.at(-1)).toMatchObject({ type: "job.ended", reason: { code: "grain_failed:kernel_trap" } });
  });

  it("end the job when a grain fails on five different nodes; the same node again counts once", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.submit("j", { grains: 1 });
    for (const node of ["a", "a", "b", "c", "d", "e"]) {
      expect(grid.state.jobs.has("j")).toBe(true);
      grid.join(node, { session: "s" });
      grid.pass(1_000);
      while (grid.leasesOf(node).length === 0) grid.say(node, { type: "progress", leases: [] }).pass(1_000);
      fail(grid, first(grid, node), 0);
      grid.say(node, { type: "bye", reason: "" }).leave(node);
    }
    expect(grid.state.jobs.has("j")).toBe(false);
  });

  it("leave a grain to own nodes when three volunteers failed on it, and the others keep long slices", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, nodeFailuresMax: 9 });
    const job = grid.submit("j", { grains: 100, cost: 0.01 });
    grid.join("own", { own: true, slots: 0 });
    for (const node of ["a", "b", "c"]) {
      grid.join(node, { speed: 100 });
      grid.pass(1_000);
      fail(grid, first(grid, node), 0);
      grid.say(node, { type: "bye", reason: "" }).leave(node).pass(9_000).say("own", { type: "progress", leases: [] });
    }
    expect([...job.ownOnly]).toEqual([0]);
    expect(job.open.size).toBe(100);
    grid.join("d", { speed: 100 });
    expect(first(grid, "d").lo).toBe(1);
    for (const lease of grid.leasesOf("d")) grid.say("d", { type: "release", lease: lease.id, reason: "stopped" });
    expect(first(grid, "d")).toMatchObject({ lo: 1, hi: 100 });
    grid.say("own", {
      type: "preferences",
      preferences: { slots: { wasm: 1, webgpu: 0, native: 0 }, families: ["toys"], name: null },
    });
    expect(first(grid, "own")).toMatchObject({ lo: 0, hi: 1 });
  });

  it("of a lost device say nothing about the grain", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v");
    const job = grid.submit("j");
    fail(grid, first(grid, "v"), 0, "device_lost");
    expect([job.failures.size, job.cooling.length]).toEqual([0, 0]);
  });

  it("of the node's own making let the node rest, longer each time, and do not end the job soon", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("own", { own: true, speed: 1 });
    grid.submit("j", { grains: 1 });
    const rests: number[] = [];
    for (let count = 0; count < 11; count++) {
      fail(grid, first(grid, "own"), 0, "kernel_unavailable");
      expect(grid.state.jobs.has("j")).toBe(true);
      rests.push((grid.state.nodes.get("own")?.waitsUntilMs as number) - grid.now);
      while (grid.leasesOf("own").length === 0) {
        grid.say("own", { type: "progress", leases: [] });
        grid.pass(1_000);
      }
    }
    expect(rests.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000]);
    fail(grid, first(grid, "own"), 0, "kernel_unavailable");
    expect(grid.take("ended")).toMatchObject([{ job: "j", state: "failed" }]);
  });

  it("of a lease that is another's, or over, change nothing", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v").join("w");
    const job = grid.submit("j", { grains: 1 });
    const lease = first(grid, "v");
    fail(grid, { ...lease, node: "w" }, 0);
    expect(job.failures.size).toBe(0);
    grid.say("w", { type: "release", lease: lease.id, reason: "stopped" });
    expect(first(grid, "v").id).toBe(lease.id);
    grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
    fail(grid, lease, 0);
    expect(job.failures.size).toBe(0);
  });
});
