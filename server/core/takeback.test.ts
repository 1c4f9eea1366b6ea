import { describe, expect, it } from "vitest";
import { TestGrid } from "./harness.ts";
import type { Audit, Job, Lease, Result } from "./state.ts";
import { trustOf } from "./trust.ts";

/** A trusted volunteer whose results rest on its word; no own node, so that audits stay in line. */
function trusted(options: { grains?: number; seed?: object; audit?: number } = {}): { grid: TestGrid; job: Job } {
  const grid = new TestGrid({ leasesPerSlot: 1, newcomerAudits: 1, rejectedMs: 0 });
  grid.join("v", { speed: 1, network: "a" });
  trustOf(grid.state, "v").passed = 1;
  const job = grid.submit("j", { grains: options.grains ?? 100, cost: 1 }, options.seed);
  return { grid, job };
}

/** The node answers its first lease, `audited` or not. */
function respond(grid: TestGrid, node: string, audited = false): Result {
  const lease = grid.leasesOf(node)[0] as Lease;
  grid.answer(lease, {}, {}, audited ? 0.01 : 0.99);
  const job = grid.state.jobs.get(lease.job) as Job;
  return job.results.get(Math.max(...job.results.keys())) as Result;
}

/** An own node computed an audited grain of the result; the judge's word on all its grains in line. */
function compared(grid: TestGrid, result: Result, reason: string | null, proof = true): void {
  const grain = (result.audits[0] as Audit).grain;
  (result.audits[0] as Audit).state = "comparing";
  grid.do({ type: "compared", job: "j", result: result.id, grain, reason, proof });
}

const verdicts = (grid: TestGrid) =>
  grid.writes.flatMap((write) => (write.type === "result.verdict" ? [`${write.id} ${write.standing}`] : []));

describe("what rests on a node's word", () => {
  it("counts provisionally, and is in the record so from the first", () => {
    const { grid, job } = trusted();
    const result = respond(grid, "v");
    expect(result).toMatchObject({ standing: "provisional", grounds: "trust", audits: [] });
    expect(job.provisionalGrains).toBe(result.hi - result.lo);
    expect(grid.writes.at(-1)).toMatchObject({ type: "result.insert", standing: "provisional", verdict: "trust" });
  });

  it("is taken back, all of it, when an own node's replay proves two grains of one result wrong", () => {
    const { grid, job } = trusted();
    const first = respond(grid, "v");
    const second = respond(grid, "v", true);
    second.audits.push({ ...(second.audits[0] as Audit), grain: (second.audits[0] as Audit).grain + 1 });
    compared(grid, second, "bytes differ");
    // One wrong grain may be a flipped bit: the verdict waits for the other audit.
    expect(verdicts(grid)).toEqual([]);
    compared(grid, second, "bytes differ");
    expect(verdicts(grid)).toEqual(expect.arrayContaining([`${first.id} retracted`, `${second.id} rejected`]));
    expect(job).toMatchObject({ provisionalGrains: 0, candidateGrains: 0, confirmedGrains: 0 });
    expect(job.stats.cost).toMatchObject({ accepted: 0, waste: first.hi - first.lo });
    expect(grid.requests).toContainEqual({ type: "unmerge", job: "j", round: 0, results: [first.id] });
    expect(grid.state.trust.get("v")?.banned?.reason).toMatch(/bytes differ/);
    expect(grid.take("close")).toMatchObject([{ code: "banned" }]);
    expect(grid.take("tainted")).toEqual([{ type: "tainted", node: "v" }]);
  });

  it("leaves what a complete certificate proves", () => {
    const { grid, job } = trusted({ seed: { hasCheck: true } });
    const certified = respond(grid, "v");
    certified.grounds = "certificate";
    certified.standing = "confirmed";
    job.candidateGrains -= certified.hi - certified.lo;
    job.confirmedGrains += certified.hi - certified.lo;
    certified.checking = false;
    const wrong = respond(grid, "v");
    grid.do({ type: "checked", job: "j", result: wrong.id, reason: "no hit", wrong: 2 });
    expect(verdicts(grid)).toEqual([`${wrong.id} rejected`]);
    expect(grid.state.trust.get("v")?.banned).not.toBeNull();
  });

  it("refuses a banned identity at the door", () => {
    const { grid } = trusted({ seed: { hasCheck: true } });
    const wrong = respond(grid, "v");
    grid.do({ type: "checked", job: "j", result: wrong.id, reason: "no hit", wrong: 2 });
    grid.take("close");
    grid.join("v", { session: "another" });
    expect(grid.take("close")).toMatchObject([{ code: "banned" }]);
    expect(grid.leasesOf("v")).toEqual([]);
  });

  it("bans nobody for a single wrong grain, and benches the machine when such grains come again", () => {
    const { grid } = trusted({ grains: 10_000 });
    for (let time = 1; time <= 2; time++) {
      grid.say("v", { type: "progress", leases: [] }).pass(1_000);
      const result = respond(grid, "v", true);
      compared(grid, result, "bytes differ");
      const trust = trustOf(grid.state, "v");
      expect(trust.passed).toBe(0);
      // Between the faults it is right.
      trust.rightGrains += 100;
      expect(trust.benched.has("toy/wasm")).toBe(time === 2);
    }
    expect(grid.state.trust.get("v")?.banned).toBeNull();
    // It may finish what it holds.
    respond(grid, "v");
    grid.pass(2_000);
    expect(grid.leasesOf("v")).toEqual([]);
  });

  it("proves nothing where a result is outside its tolerance", () => {
    const { grid, job } = trusted();
    const first = respond(grid, "v");
    const second = respond(grid, "v", true);
    compared(grid, second, "0.1 off", false);
    expect(verdicts(grid)).toEqual([`${second.id} rejected`]);
    expect(first.standing).toBe("provisional");
    expect(grid.state.trust.get("v")).toMatchObject({ banned: null, passed: 0 });
    expect(job.provisionalGrains).toBe(first.hi - first.lo);
  });
});

describe("at a job's end", () => {
  it("tests what rests on one node's word, and then confirms all of it", () => {
    const { grid, job } = trusted({ grains: 8, seed: { verification: { ...strict } } });
    while (job.provisionalGrains < 8) respond(grid, "v");
    expect(job.provisionalGrains).toBe(8);
    expect(job.closing.get("v")?.left).toBe(2);
    expect(grid.requests.some(({ type }) => type === "finish")).toBe(false);
    expect(grid.take("bring").length).toBeGreaterThan(0);
    for (const result of job.results.values()) {
      for (const audit of [...result.audits]) {
        audit.state = "comparing";
        grid.do({ type: "compared", job: "j", result: result.id, grain: audit.grain, reason: null, proof: true });
      }
    }
    expect(job.confirmedGrains).toBe(8);
    expect(grid.writes.find(({ type }) => type === "results.confirm")).toMatchObject({ verdict: "trust" });
    expect(grid.requests.at(-1)).toMatchObject({ type: "finish" });
  });

  it("does not wait where early results are asked for", () => {
    const { grid, job } = trusted({ grains: 4, seed: { verification: { ...strict, early: true } } });
    while (job.provisionalGrains < 4) respond(grid, "v");
    expect(grid.requests.at(-1)).toMatchObject({ type: "finish" });
    grid.do({ type: "finished", job: "j", round: 0, attempt: 0, output: "{}", outputBlob: null });
    const end = grid.writes.find((write) => write.type === "job.ended");
    expect(end).toMatchObject({ state: "completed", stats: { provisionalResults: job.results.size } });
  });

  it("tests the work of a node that has left before the end", () => {
    const { grid, job } = trusted({ grains: 1_000 });
    respond(grid, "v");
    grid.leave("v").pass(120_000);
    expect(job.closing.has("v") || job.confirmedGrains > 0).toBe(true);
  });
});

const strict = { audit: 0.1, auditGrains: 1, closingGrains: 2, redundancy: 1, jobError: 0.1, early: false };
