import { describe, expect, it } from "vitest";
import { packPartials } from "../../protocol/partials.ts";
import { toyPartial } from "./fixtures.ts";
import { TestGrid, tested } from "./harness.ts";
import type { Job, Lease, Result } from "./state.ts";
import { trustOf } from "./trust.ts";

/** A trusted volunteer has answered ten grains of a job that wants every grain twice. */
function answered(redundancy = 2): { grid: TestGrid; job: Job; result: Result } {
  const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1, newcomerAudits: 1, rejectedMs: 0 });
  grid.join("v", { speed: 1000, network: "a" });
  trustOf(grid.state, "v").passed = 1;
  const job = grid.submit("j", { cost: 0.01 }, { verification: { ...tested, redundancy } });
  grid.answer(grid.leasesOf("v")[0] as Lease, {}, {}, 0.99);
  return { grid, job, result: job.results.get(1) as Result };
}

/** The record brings the result's partials, and the judge says how a replica compares. */
function judged(grid: TestGrid, { lo, hi, node }: Lease, differs: number | null = null): void {
  const own = Array.from({ length: 10 }, (_, grain) => toyPartial(1, 0, grain));
  grid.do({ type: "brought", job: "j", result: 1, partials: packPartials(own) });
  const request = grid.requests.at(-1);
  expect(request).toMatchObject({ type: "agree", lo, hi, node, theirs: packPartials(own.slice(lo, hi)) });
  const reason = differs === null ? null : "bytes differ";
  const wrong = differs === null ? 0 : 1;
  grid.do({ type: "agreed", job: "j", result: 1, lo, node, grain: differs, reason, wrong, proof: true });
}

const joinTrusted = (grid: TestGrid, node: string, network: string): void => {
  grid.join(node, { speed: 1000, network });
  trustOf(grid.state, node).passed = 1;
};

describe("replicas", () => {
  it("are computed by another identity of another network, after the result arrived", () => {
    const { grid, job, result } = answered();
    expect(result).toMatchObject({ standing: "candidate", audits: [] });
    grid.pass(1_000);
    expect(grid.leasesOf("v")).toEqual([]);
    joinTrusted(grid, "same", "a");
    expect(grid.leasesOf("same")).toEqual([]);
    joinTrusted(grid, "other", "b");
    const [lease] = grid.leasesOf("other") as [Lease];
    expect(lease).toMatchObject({ lo: 0, hi: 10, audit: 1, replica: true });
    const seq = grid.answer(lease);
    expect(grid.ackOf(seq)).toBeUndefined();
    judged(grid, lease);
    expect(grid.ackOf(seq)).toBeNull();
    expect(result).toMatchObject({ standing: "provisional", grounds: "replica", replication: null });
    expect(job.stats.cost).toMatchObject({ computed: 0.2, accepted: 0.1, replica: 0.1 });
    expect(trustOf(grid.state, "v").cosigners).toEqual(new Set(["other"]));
    expect(grid.writes).toContainEqual(
      expect.objectContaining({ type: "work.done", node: "other", purpose: "replica" }),
    );
  });

  it("are as many as were asked for, all of different networks", () => {
    const { grid, result } = answered(3);
    joinTrusted(grid, "b", "b");
    const [first] = grid.leasesOf("b") as [Lease];
    grid.answer(first);
    judged(grid, first);
    expect(result.standing).toBe("candidate");
    expect(grid.leasesOf("b")).toEqual([]);
    joinTrusted(grid, "b2", "b");
    expect(grid.leasesOf("b2")).toEqual([]);
    joinTrusted(grid, "c", "c");
    const [second] = grid.leasesOf("c") as [Lease];
    grid.answer(second);
    judged(grid, second);
    expect(result).toMatchObject({ standing: "provisional", agreements: 2 });
  });

  it("go to others when their node goes, without what it brought", () => {
    const { grid, result } = answered();
    joinTrusted(grid, "b", "b");
    const [lease] = grid.leasesOf("b") as [Lease];
    grid.answer(lease, { lo: 2, hi: 5 });
    judged(grid, { ...lease, lo: 2, hi: 5 });
    grid.leave("b").pass(6_000);
    expect(result.replication?.open.ranges).toEqual([
      [0, 2],
      [5, 10],
    ]);
    joinTrusted(grid, "c", "c");
    expect(grid.leasesOf("c")).toMatchObject([{ lo: 0, hi: 2 }]);
  });

  it("that disagree are decided by an own node: against the replica", () => {
    const { grid, result } = answered();
    joinTrusted(grid, "b", "b");
    const [lease] = grid.leasesOf("b") as [Lease];
    grid.answer(lease);
    judged(grid, lease, 3);
    expect(result.audits).toMatchObject([{ grain: 3, state: "bringing" }]);
    const audit = result.audits[0] as Result["audits"][0];
    audit.state = "comparing";
    grid.do({ type: "compared", job: "j", result: 1, grain: 3, reason: null, proof: true });
    expect(result.standing).toBe("candidate");
    expect(trustOf(grid.state, "b")).toMatchObject({ passed: 0, wrongGrains: 1, banned: null });
    expect(result.replication?.open.ranges).toEqual([[0, 10]]);
  });

  it("that disagree are decided by an own node: against the result", () => {
    const { grid, job, result } = answered();
    joinTrusted(grid, "b", "b");
    const [lease] = grid.leasesOf("b") as [Lease];
    grid.answer(lease);
    judged(grid, lease, 3);
    (result.audits[0] as Result["audits"][0]).state = "comparing";
    grid.do({ type: "compared", job: "j", result: 1, grain: 3, reason: "bytes differ", proof: true });
    expect(result.standing).toBe("rejected");
    expect(job.results.size).toBe(0);
    expect(grid.state.replicas.size).toBe(0);
    expect(trustOf(grid.state, "b").wrongGrains).toBe(0);
  });

  it("are computed by own nodes where nobody else may, whose word is an audit", () => {
    const { grid, result } = answered();
    grid.join("own", { own: true, speed: 1000 });
    const [lease] = grid.leasesOf("own") as [Lease];
    expect(lease).toMatchObject({ replica: true, lo: 0, hi: 10 });
    grid.answer(lease);
    judged(grid, lease);
    expect(result).toMatchObject({ standing: "confirmed", grounds: "audit" });
  });

  it("count anew once somebody who agreed is proven wrong elsewhere", () => {
    const { grid, result } = answered();
    joinTrusted(grid, "b", "b");
    const [lease] = grid.leasesOf("b") as [Lease];
    grid.answer(lease, { lo: 0, hi: 4 });
    judged(grid, { ...lease, lo: 0, hi: 4 });
    expect(result.replication?.agreed).toBe(4);
    grid.answer(grid.leasesOf("b")[0] as Lease, { lo: 4, hi: 10 });
    judged(grid, { ...lease, lo: 4, hi: 10 }, 7);
    (result.audits[0] as Result["audits"][0]).state = "comparing";
    grid.do({ type: "compared", job: "j", result: 1, grain: 7, reason: null, proof: true });
    expect(result.replication).toMatchObject({ agreed: 0 });
    expect(result.replication?.open.size).toBe(10);
  });
});
