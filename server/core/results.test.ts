import { describe, expect, it } from "vitest";
import { build, TestGrid } from "./harness.ts";
import type { Lease } from "./state.ts";

/** One volunteer with a lease on all of job j: ten grains, of which the first slice takes one. */
function withVolunteer(grains = 10): { grid: TestGrid; lease: Lease } {
  const grid = new TestGrid();
  grid.join("v", { speed: 100 });
  grid.submit("j", { grains, cost: 0.01 });
  return { grid, lease: grid.leasesOf("v")[0] as Lease };
}

describe("results", () => {
  it("of an own node end an exact job, and the node's books balance", () => {
    const grid = new TestGrid();
    grid.join("own", { own: true, speed: 1000 });
    grid.submit("j", { grains: 4, output: "rows" });
    const [lease] = grid.leasesOf("own");
    const seq = grid.answer(lease as Lease);
    expect(grid.ackOf(seq)).toBeNull();
    expect(grid.take("ended")).toEqual([{ type: "ended", job: "j", state: "completed" }]);
    expect(grid.state.nodes.get("own")?.held.wasm).toBe(0);
  });

  it("are acknowledged only once they are durable", () => {
    const { grid, lease } = withVolunteer();
    grid.slowDisk = true;
    const seq = grid.answer(lease);
    expect(grid.ackOf(seq)).toBeUndefined();
    expect(grid.writes.some((write) => write.type === "result.insert")).toBe(false);
    grid.sync();
    expect(grid.ackOf(seq)).toBeNull();
    expect(grid.writes.filter((write) => write.type === "result.insert")).toHaveLength(1);
  });

  it("that come twice are written once and acknowledged twice", () => {
    const { grid, lease } = withVolunteer();
    const first = grid.answer(lease);
    const second = grid.answer(lease);
    expect([grid.ackOf(first), grid.ackOf(second)]).toEqual([null, null]);
    expect(grid.writes.filter((write) => write.type === "result.insert")).toHaveLength(1);
    expect(grid.state.jobs.get("j")?.stats.spareResults).toBe(1);
  });

  it("of a run of first grains advance the lease; the rest stays leased", () => {
    const { grid, lease } = withVolunteer();
    expect([lease.lo, lease.hi]).toEqual([0, 10]);
    grid.answer(lease, { lo: 0, hi: 4 });
    expect(grid.leasesOf("v")[0]).toMatchObject({ next: 4, done: 4 });
    grid.answer(lease, { lo: 4, hi: 10 });
    expect(grid.leasesOf("v")).toEqual([]);
    expect(grid.state.jobs.get("j")?.candidateGrains).toBe(10);
  });

  it("that overtake each other on the way end the lease all the same", () => {
    const { grid, lease } = withVolunteer();
    grid.answer(lease, { lo: 4, hi: 10 });
    grid.answer(lease, { lo: 0, hi: 4 });
    expect(grid.leasesOf("v")).toEqual([]);
  });

  it("that come after their lease expired count, and the copy of the work is called off", () => {
    const { grid, lease } = withVolunteer();
    grid.pass(19_000).leave("v").join("v", { session: "new" });
    const again = grid.leasesOf("v")[0] as Lease;
    expect(again.id).not.toBe(lease.id);
    grid.take("send");
    const seq = grid.answer(lease);
    expect(grid.ackOf(seq)).toBeNull();
    expect(grid.state.leases.size).toBe(0);
    expect(grid.take("send").map((effect) => effect.message)).toContainEqual({
      type: "revoke",
      lease: again.id,
      reason: "done_elsewhere",
    });
  });

  it("that overlap another's cover only what is missing", () => {
    const { grid, lease } = withVolunteer();
    grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
    const second = grid.leasesOf("v").at(-1) as Lease;
    grid.answer(second, { lo: 0, hi: 6 });
    grid.answer(lease, { lo: 4, hi: 10 });
    const job = grid.state.jobs.get("j");
    expect(job?.coverage.entries.map(({ lo, hi }) => [lo, hi])).toEqual([
      [0, 6],
      [6, 10],
    ]);
  });

  it.each([
    ["a forged ticket", { ticket: "forged" }, "not_your_lease"],
    ["another kernel", { kernel: build }, "other_kernel"],
    ["a round that is over", { round: 7 }, "round_over"],
    ["grains outside the lease", { lo: 5, hi: 11 }, "range_outside_lease"],
  ] as const)("with %s are refused", (_what, answer, reason) => {
    const { grid, lease } = withVolunteer(20);
    grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
    const before = grid.writes.length;
    const seq = grid.answer({ ...lease, hi: Math.min(lease.hi, 10) }, answer);
    expect(grid.ackOf(seq)).toBe(reason);
    expect(grid.writes.length).toBe(before);
  });

  it("for another node's lease are refused, while it lives and after", () => {
    const { grid, lease } = withVolunteer();
    grid.join("thief", { speed: 1 });
    const connection = grid.connections.get("thief") as number;
    expect(grid.ackOf(grid.answer(lease, { connection }))).toBe("not_your_lease");
    grid.say("v", { type: "release", lease: lease.id, reason: "stopped" });
    expect(grid.ackOf(grid.answer(lease, { connection }))).toBe("not_your_lease");
  });

  it("for a job that is gone are refused", () => {
    const { grid, lease } = withVolunteer();
    grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "" } });
    expect(grid.ackOf(grid.answer(lease))).toBe("job_ended");
  });
});
