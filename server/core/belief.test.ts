import { describe, expect, it } from "vitest";
import { type ToyPayload, toyPartial } from "./fixtures.ts";
import { TestGrid } from "./harness.ts";
import { waitingReasons } from "./reasons.ts";
import type { Audit, Job, Lease, Result } from "./state.ts";

/** A volunteer's result over ten grains, with `own` in reach or not. */
function volunteered(options: { own?: boolean; entropy?: number; payload?: Partial<ToyPayload>; check?: boolean }): {
  grid: TestGrid;
  job: Job;
  result: Result;
} {
  const grid = new TestGrid({ leasesPerSlot: 1 });
  grid.join("v", { speed: 1000 });
  const job = grid.submit("j", { cost: 0.01, ...options.payload }, { hasCheck: options.check ?? false });
  if (options.own ?? true) grid.join("own", { own: true });
  grid.answer(grid.leasesOf("v")[0] as Lease, {}, {}, options.entropy ?? 0.5);
  return { grid, job, result: job.results.get(1) as Result };
}

const compared = (grid: TestGrid, reason: string | null, grain = 5) =>
  grid.do({ type: "compared", job: "j", result: 1, grain, reason, proof: true });

describe("belief", () => {
  it.each([
    [0, 0],
    [0.5, 5],
    [0.999999, 9],
  ])("draws the grain to audit by entropy that came after the result: %f -> %i", (entropy, grain) => {
    const { grid, result } = volunteered({ entropy });
    expect(result.audits).toMatchObject([{ grain, state: "leased", partial: toyPartial(1, 0, grain) }]);
    expect(grid.leasesOf("own")[0]).toMatchObject({ lo: grain, hi: grain + 1, audit: 1 });
  });

  it("audits all the same where a complete certificate is declared that nothing checks", () => {
    const { result } = volunteered({ payload: { certificate: "complete" }, check: false });
    expect(result.audits).toMatchObject([{ state: "leased" }]);
    const checked = volunteered({ payload: { certificate: "complete" }, check: true });
    expect(checked.result.audits).toEqual([]);
  });

  it("confirms a result whose audit agrees, writes the verdict, and acknowledges the auditor after it", () => {
    const { grid, job } = volunteered({});
    const seq = grid.answer(grid.leasesOf("own")[0] as Lease);
    expect(grid.requests.at(-1)).toMatchObject({ type: "compare", grain: 5, mine: toyPartial(1, 0, 5) });
    expect(grid.ackOf(seq)).toBeUndefined();
    compared(grid, null);
    expect(grid.ackOf(seq)).toBeNull();
    expect(grid.writes.at(-1)).toEqual({ type: "result.verdict", id: 1, standing: "confirmed", verdict: "audit" });
    expect(job.stats.auditedResults).toBe(1);
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "compare", "merge", "finish"]);
  });

  it("rejects a result whose audit disagrees: its grains are cut again, and its node waits", () => {
    const { grid, job } = volunteered({});
    const seq = grid.answer(grid.leasesOf("own")[0] as Lease);
    compared(grid, "grain 5: bytes differ");
    expect(grid.ackOf(seq)).toBeNull();
    const verdict = { type: "result.verdict", id: 1, standing: "rejected", verdict: "audit: grain 5: bytes differ" };
    expect(grid.writes).toContainEqual(verdict);
    expect(grid.requests.at(-1)).toEqual({ type: "drop", job: "j", result: 1 });
    expect(job.coverage.entries).toEqual([]);
    expect(grid.leasesOf("v")).toEqual([]);
    expect(grid.leasesOf("own")).toHaveLength(1);
    expect(grid.state.nodes.get("v")).toMatchObject({ rejectedSlices: 1, waitsUntilMs: grid.now + 5_000 });
  });

  it("lets a node wait twice as long with each rejection, until one of its results counts", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 1 });
    const job = grid.submit("j", { grains: 1000, cost: 1 });
    const waits: number[] = [];
    for (const reason of ["differs", "differs", null, "differs"]) {
      grid.answer(grid.leasesOf("v")[0] as Lease);
      const id = Math.max(...job.results.keys());
      const result = job.results.get(id) as Result;
      const audit = result.audits[0] as Audit;
      audit.state = "comparing";
      grid.state.audits.clear();
      // Outside a tolerance: that proves nothing, and the node rests.
      grid.do({ type: "compared", job: "j", result: id, grain: audit.grain, reason, proof: false });
      waits.push((grid.state.nodes.get("v")?.waitsUntilMs as number) - grid.now);
      grid.now += 60_000;
      grid.say("v", { type: "progress", leases: [] }).pass(1_000);
    }
    expect(waits.filter((ms) => ms > 0)).toEqual([5_000, 10_000, 5_000]);
  });

  it("waits for an own node, and says so", () => {
    const { grid, job, result } = volunteered({ own: false });
    expect(result.audits[0]?.state).toBe("queued");
    expect(waitingReasons(grid.state, job).map(({ code }) => code)).toEqual(["no_own_node"]);
    grid.join("own", { own: true });
    expect(result.audits[0]?.state).toBe("leased");
    expect(waitingReasons(grid.state, job)).toEqual([]);
  });

  it("audits again when the auditor went away", () => {
    const { grid, result } = volunteered({});
    grid.leave("own").pass(6_000);
    expect(result.audits[0]?.state).toBe("queued");
    grid.join("other", { own: true });
    expect(grid.leasesOf("other")[0]?.audit).toBe(1);
  });

  it("lets an own node's result count at once, without a judge's word", () => {
    const grid = new TestGrid();
    grid.join("own", { own: true, speed: 1000 });
    const job = grid.submit("j", { cost: 0.01 });
    grid.answer(grid.leasesOf("own")[0] as Lease);
    expect(job.stats).toMatchObject({ ownResults: 1, auditedResults: 0, acceptedGrains: 10 });
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "merge", "finish"]);
    grid.do({ type: "finished", job: "j", round: 0, attempt: 0, output: "{}", outputBlob: null });
    expect(grid.writes.at(-1)).toMatchObject({ type: "job.ended", state: "completed", output: "{}" });
  });

  it("needs no audit where a certificate proves everything", () => {
    const { grid, job, result } = volunteered({ payload: { certificate: "complete" }, check: true });
    expect(result).toMatchObject({ audits: [], checking: true });
    grid.do({ type: "checked", job: "j", result: 1, reason: null });
    expect(job.stats.certifiedResults).toBe(1);
  });

  it("needs the audit and the certificate where that is evidence only, in either order", () => {
    for (const order of ["checked", "compared"] as const) {
      const { grid, job, result } = volunteered({ payload: { certificate: "evidence" }, check: true });
      grid.answer(grid.leasesOf("own")[0] as Lease);
      const checked = () => grid.do({ type: "checked", job: "j", result: 1, reason: null });
      if (order === "checked") checked();
      else compared(grid, null);
      expect(result.standing).toBe("candidate");
      if (order === "checked") compared(grid, null);
      else checked();
      expect(result.standing).toBe("confirmed");
      expect(job.confirmedGrains).toBe(10);
    }
  });

  it("rejects by certificate while the audit is out, and still acknowledges the auditor", () => {
    const { grid } = volunteered({ payload: { certificate: "evidence" }, check: true });
    const audit = grid.leasesOf("own")[0] as Lease;
    const seq = grid.answer(audit);
    grid.do({ type: "checked", job: "j", result: 1, reason: "wrong value" });
    expect(grid.ackOf(seq)).toBeNull();
    compared(grid, null);
    expect(grid.writes.filter(({ type }) => type === "result.verdict")).toHaveLength(1);
  });

  it("acknowledges an auditor whose job ended while its answer was compared", () => {
    const { grid } = volunteered({});
    const seq = grid.answer(grid.leasesOf("own")[0] as Lease);
    grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "" } });
    expect(grid.ackOf(seq)).toBeNull();
  });

  it("has the judge forget a job of rows that it only compared for", () => {
    const { grid } = volunteered({ payload: { output: "rows" } });
    grid.answer(grid.leasesOf("own")[0] as Lease);
    compared(grid, null);
    expect(grid.requests.map(({ type }) => type)).toEqual(["compare", "forget"]);
  });

  it("is not held up by audits that no own node can do", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 0.5, capabilities: { engines: ["ffmpeg"] } });
    grid.submit("hard", { grains: 100, cost: 0.5, engines: ["ffmpeg"] });
    for (let count = 0; count < 100; count++) grid.answer(grid.leasesOf("v")[0] as Lease, { hi: count + 1 });
    grid.submit("easy", { grains: 1 });
    grid.answer(grid.leasesOf("v")[0] as Lease);
    grid.join("own", { own: true });
    expect(grid.leasesOf("own")[0]).toMatchObject({ job: "easy", audit: 101 });
  });

  it("forgets the audits of an ended job, however many", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, sliceGrainsMax: 1 });
    grid.join("v", { speed: 1000 });
    grid.submit("j", { grains: 500, cost: 0.01 });
    for (let count = 0; count < 400; count++) grid.answer(grid.leasesOf("v")[0] as Lease);
    grid.do({ type: "cancel", job: "j", reason: { code: "cancelled", message: "" } });
    expect(grid.state.audits.size).toBe(0);
  });
});
