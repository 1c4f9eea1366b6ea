import { describe, expect, it } from "vitest";
import { TestGrid } from "./harness.ts";
import type { Job, Lease } from "./state.ts";
import { isBanned } from "./trust.ts";

const state = Uint8Array.of(1, 2, 3);
const first = (grid: TestGrid, node: string) => grid.leasesOf(node)[0] as Lease;
const save = (grid: TestGrid, node: string, grain = 0, bytes = state) =>
  grid.say(node, { type: "checkpoint", lease: first(grid, node).id, grain, bytes });
const release = (grid: TestGrid, node: string) => {
  for (const { id } of grid.leasesOf(node)) grid.say(node, { type: "release", lease: id, reason: "stopped" });
};

/** Ann saved a grain's state and went; Ben has it now. Own nodes come with `own`. */
function handedOn(): { grid: TestGrid; job: Job } {
  const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1 });
  grid.join("ann", { network: "a" });
  const job = grid.submit("j", { grains: 1, cost: 60 });
  save(grid, "ann");
  grid.leave("ann").pass(6_000);
  grid.join("ben", { network: "b" });
  return { grid, job };
}

/** An own node computes the grain that is audited; the judge says how it compares. */
function audit(grid: TestGrid, reason: string | null): void {
  grid.answer(first(grid, "own"));
  grid.do({ type: "compared", job: "j", result: 1, grain: 0, reason, proof: true });
}

describe("checkpoints", () => {
  it("hand a grain that was begun to whoever takes it up, and say whose work it is", () => {
    const { grid } = handedOn();
    expect(first(grid, "ben").checkpoint).toMatchObject({ grain: 0, bytes: state, by: [{ node: "ann", own: false }] });
    const later = Uint8Array.of(9);
    save(grid, "ben", 0, later);
    release(grid, "ben");
    expect(first(grid, "ben").checkpoint).toMatchObject({ bytes: later, by: [{ node: "ann" }, { node: "ben" }] });
  });

  it("are forgotten with the grain, and with the job", () => {
    const { grid } = handedOn();
    grid.answer(first(grid, "ben"));
    expect([grid.state.checkpoints.size, grid.state.checkpointBytes]).toEqual([0, 0]);
    const other = handedOn();
    other.grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "" } });
    expect([other.grid.state.checkpoints.size, other.grid.state.checkpointBytes]).toEqual([0, 0]);
  });

  it("are taken only of grains that the node's own lease has yet to bring, and no more than fit", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1, checkpointBytesMax: 5 });
    grid.join("ann");
    grid.join("ben");
    grid.submit("j", { grains: 8, cost: 60 });
    grid.say("ben", { type: "checkpoint", lease: first(grid, "ann").id, grain: first(grid, "ann").lo, bytes: state });
    save(grid, "ann", first(grid, "ann").hi);
    expect(grid.state.checkpoints.size).toBe(0);
    save(grid, "ann", first(grid, "ann").lo);
    save(grid, "ben", first(grid, "ben").lo);
    expect([...grid.state.checkpoints.keys()]).toEqual([`j/${first(grid, "ben").lo}`]);
    expect(grid.state.checkpointBytes).toBe(3);
  });

  it("of volunteers are not for own nodes, whose results count at once; those of own nodes are for all", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1 });
    grid.join("ann");
    grid.submit("j", { grains: 1, cost: 60 });
    save(grid, "ann");
    grid.say("ann", { type: "bye", reason: "" }).leave("ann");
    grid.join("own", { own: true });
    expect(first(grid, "own").checkpoint).toBeNull();
    save(grid, "own");
    grid.say("own", { type: "bye", reason: "" }).leave("own");
    grid.join("other", { own: true });
    expect(first(grid, "other").checkpoint?.by).toEqual([{ node: "own", own: true }]);
    grid.answer(first(grid, "other"));
    const contribution = { type: "audit.done", kind: "checkpoint", node: "own", own: true, verdict: "resumed", lo: 0 };
    expect(grid.writes).toContainEqual(expect.objectContaining(contribution));
  });

  it("of a stranger make a result wait for an own node that computes the grain from its start", () => {
    const { grid, job } = handedOn();
    // Drawn or not.
    grid.answer(first(grid, "ben"), {}, {}, 0.999);
    expect(job.results.get(1)).toMatchObject({ standing: "candidate", audits: [{ grain: 0, state: "queued" }] });
    grid.join("own", { own: true });
    expect(first(grid, "own")).toMatchObject({ audit: 1, checkpoint: null });
    audit(grid, null);
    expect(job.results.get(1)?.standing).toBe("confirmed");
    expect(grid.writes).toContainEqual(
      expect.objectContaining({ kind: "checkpoint", node: "ann", verdict: "resumed" }),
    );
  });

  it("that are wrong fall back on who saved them, once an own node has gone on from there too", () => {
    const { grid, job } = handedOn();
    grid.answer(first(grid, "ben"));
    grid.join("own", { own: true });
    audit(grid, "bytes differ");
    expect(job.results.get(1)?.standing).toBe("candidate");
    expect(first(grid, "own")).toMatchObject({ audit: 1, checkpoint: { bytes: state } });
    audit(grid, null);
    expect(job.coverage.uncovered(0, 1)).toEqual([[0, 1]]);
    expect(grid.state.trust.get("ben")).toMatchObject({ wrongGrains: 0, taintedAtMs: null });
    expect(grid.state.trust.get("ann")).toMatchObject({ wrongGrains: 1 });
    expect(grid.state.trust.get("ann")?.taintedAtMs).not.toBeNull();
  });

  it("do not cover a lie of whoever went on from them", () => {
    for (const end of ["differs", "fails"] as const) {
      const { grid, job } = handedOn();
      grid.answer(first(grid, "ben"));
      grid.join("own", { own: true });
      audit(grid, "bytes differ");
      if (end === "differs") audit(grid, "bytes differ again");
      else {
        const { id: lease } = first(grid, "own");
        grid.say("own", { type: "fail", lease, grain: 0, reason: "kernel_trap", message: "no such state" });
      }
      expect(job.results.size).toBe(0);
      expect(grid.state.trust.get("ann")).toMatchObject({ wrongGrains: 0 });
      expect(grid.state.trust.get("ben")?.wrongGrains).toBe(1);
      expect([isBanned(grid.state, "ann"), job.phase]).toEqual([false, "running"]);
    }
  });

  it("that lead nowhere cost nobody anything: the grain begins anew", () => {
    const { grid, job } = handedOn();
    const { id: lease } = first(grid, "ben");
    grid.say("ben", { type: "fail", lease, grain: 0, reason: "kernel_trap", message: "no such state" });
    expect([job.failures.size, grid.state.checkpoints.size]).toEqual([0, 0]);
    expect(first(grid, "ben").checkpoint).toBeNull();
  });

  it("are remembered by the lease's number, when a restart has forgotten all else", () => {
    const { grid } = handedOn();
    const { id, ticket, job, round, lo, hi, backend } = first(grid, "ben");
    const again = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1 }, 2);
    again.submit("j", { grains: 1, cost: 60 });
    again.join("ben", { network: "b", holding: [{ lease: id, ticket, job, round, lo, hi, backend, next: 0 }] });
    expect(first(again, "ben")).toMatchObject({ id, checkpoint: { by: [] } });
    again.answer(first(again, "ben"), {}, {}, 0.999);
    again.join("own", { own: true });
    audit(again, "bytes differ");
    // Nobody can tell who lied: it does not count, and nobody is called a liar.
    expect(again.state.jobs.get("j")?.results.size).toBe(0);
    expect(again.state.trust.get("ben")?.wrongGrains).toBe(0);
  });
});

describe("code that an own node tries first", () => {
  const strange = (own: boolean): { grid: TestGrid; job: Job } => {
    const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1 });
    const job = grid.submit("j", { grains: 100, cost: 0.1 });
    job.triedFirst = true;
    grid.join("ann");
    if (own) grid.join("own", { own: true });
    return { grid, job };
  };

  it("is for volunteers once a grain of it is confirmed", () => {
    const { grid } = strange(true);
    expect(grid.leasesOf("ann")).toEqual([]);
    expect(first(grid, "own")).toMatchObject({ lo: 0, hi: 1 });
    grid.answer(first(grid, "own"));
    expect(grid.leasesOf("ann")).toHaveLength(1);
  });

  it("fails its job when it fails twice there, on whatever grains and for whatever reason", () => {
    const { grid } = strange(true);
    for (const reason of ["kernel_unavailable", "device_lost"] as const) {
      const { id: lease, lo: grain } = first(grid, "own");
      grid.say("own", { type: "fail", lease, grain, reason, message: "" }).pass(3_000);
    }
    expect(grid.take("ended")).toMatchObject([{ job: "j", state: "failed" }]);
  });
});
