import { describe, expect, it } from "vitest";
import { packPartials } from "../../protocol/partials.ts";
import { type ToyPayload, toyPartial } from "./fixtures.ts";
import { newJob, TestGrid } from "./harness.ts";
import type { CoreConfig } from "./limits.ts";
import { restoreJob, type StoredResult } from "./restore.ts";
import type { Job, Lease } from "./state.ts";

interface Stored {
  payload?: Partial<ToyPayload>;
  claimed?: number;
  results?: Partial<StoredResult>[];
  hasCheck?: boolean;
  config?: Partial<CoreConfig>;
}

/** A grid as it is right after a restart: epoch 2, with job j put back from the record. */
function restarted({ payload, claimed, results = [], hasCheck = false, config = {} }: Stored): {
  grid: TestGrid;
  job: Job;
} {
  const grid = new TestGrid(config, 2);
  grid.state.nextResult = results.length + 1;
  const seed = newJob("j", payload, { hasCheck });
  const { tasks } = seed.workload.plan(seed.payload);
  const job = restoreJob(
    grid.state,
    {
      seed,
      createdAtMs: 1,
      revision: 1,
      round: { round: 0, tasks, grainTasks: 1, input: null },
      claimed: claimed ?? tasks,
      results: results.map((result, index) => ({
        id: index + 1,
        lo: 0,
        hi: 1,
        node: "v",
        own: false,
        backend: "wasm",
        lease: "1.1",
        standing: "candidate",
        verdict: "",
        computeMs: 1_000,
        atMs: 5_000,
        ...result,
      })),
    },
    grid.now,
  );
  return { grid, job };
}

function bring(grid: TestGrid, job: Job): void {
  for (const result of [...job.results.values()]) bringOne(grid, job, result.id);
  grid.do({ type: "restored.all", job: job.id });
}

function bringOne(grid: TestGrid, job: Job, id: number): void {
  const result = job.results.get(id);
  if (!result) throw new Error(`no result ${id}`);
  const partials: Uint8Array[] = [];
  for (let grain = result.lo; grain < result.hi; grain++) partials.push(toyPartial(1, 0, grain));
  grid.do({ type: "restored", job: job.id, result: id, partials: packPartials(partials) });
}

const held = (lo: number, hi: number, next = lo) => ({
  lease: "1.9",
  ticket: `1.9/j/0/${lo}/${hi}/v`,
  job: "j",
  round: 0,
  lo,
  hi,
  backend: "wasm" as const,
  next,
});

describe("a restored job", () => {
  it("waits for nodes to say what they hold, then cuts the rest", () => {
    const { grid, job } = restarted({ results: [{ lo: 0, hi: 3 }] });
    bring(grid, job);
    grid.join("w", { speed: 100 });
    expect(grid.leasesOf("w")).toEqual([]);
    grid.pass(4_000);
    expect(grid.leasesOf("w").map(({ lo, hi }) => [lo, hi])).toEqual([[3, 10]]);
  });

  it("takes back a lease that its node still holds", () => {
    const { grid, job } = restarted({});
    bring(grid, job);
    grid.join("v", { holding: [held(2, 8, 4)] });
    const [lease] = grid.leasesOf("v");
    expect(lease).toMatchObject({ id: "1.9", lo: 2, hi: 8, next: 4, state: "running" });
    const [welcome] = grid.take("send");
    expect(welcome?.message).toMatchObject({ type: "welcome", resumed: ["1.9"] });
    grid.answer(lease as Lease);
    expect(job.candidateGrains).toBe(4);
    expect(grid.leasesOf("v").map(({ id }) => id)).not.toContain("1.9");
  });

  it.each([
    ["a forged ticket", { ...held(2, 8), ticket: "forged" }],
    ["another range than the ticket's", { ...held(2, 8), hi: 9 }],
    ["another round", { ...held(2, 8), round: 1 }],
    ["grains past the end of what is claimed", held(2, 11)],
    ["nothing left", held(2, 8, 8)],
    ["a job that is not here", { ...held(2, 8), job: "k" }],
  ])("does not take back a lease with %s", (_what, told) => {
    const { grid, job } = restarted({});
    bring(grid, job);
    grid.join("v", { holding: [told] });
    expect(grid.leasesOf("v")).toEqual([]);
    expect(grid.take("send")[0]?.message).toMatchObject({ type: "welcome", resumed: [] });
  });

  it("gives no two nodes the same grains, whoever comes first", () => {
    const { grid, job } = restarted({ results: [{ lo: 0, hi: 3 }] });
    bring(grid, job);
    grid.join("v", { holding: [held(2, 8)] });
    expect(grid.leasesOf("v")).toEqual([]);
    grid.join("v", { holding: [held(3, 8)], session: "session of v" });
    expect(grid.leasesOf("v").map(({ next, hi }) => [next, hi])).toEqual([[3, 8]]);
    expect(job.cooling).toEqual([{ lo: 8, hi: 10, untilMs: grid.now + 4_000 }]);
  });

  it("takes unacknowledged results from before, by their ticket", () => {
    const { grid, job } = restarted({});
    bring(grid, job);
    grid.join("v");
    const lease = { id: "1.7", ticket: "1.7/j/0/0/5/v", job: "j", round: 0, lo: 0, hi: 5, next: 0, node: "v" };
    const seq = grid.answer({ ...lease, backend: "wasm" } as Lease);
    expect(grid.ackOf(seq)).toBeNull();
    expect(job.candidateGrains).toBe(5);
  });

  it("has its candidates judged again, and its confirmed results merged again", () => {
    const { grid, job } = restarted({
      results: [
        { lo: 0, hi: 4, standing: "confirmed", verdict: "own_node", own: true },
        { lo: 2, hi: 6 },
      ],
    });
    bring(grid, job);
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "merge", "take"]);
    expect(grid.requests[1]).toMatchObject({ result: 1, ranges: [[0, 4]] });
    expect(job.coverage.of(0, 10, 2)).toEqual([[4, 6]]);
    expect(job.results.get(2)?.audits[0]?.state).toBe("queued");
    expect([job.confirmedGrains, job.candidateGrains]).toEqual([4, 2]);
  });

  it("whose every grain is confirmed goes to its finish, once", () => {
    const { grid, job } = restarted({ results: [{ hi: 10, standing: "confirmed", verdict: "audit" }] });
    bring(grid, job);
    grid.do({ type: "restored.all", job: "j" });
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "merge", "finish"]);
  });

  it("is not finished before the judge has all that was confirmed before", () => {
    const { grid, job } = restarted({
      hasCheck: true,
      payload: { certificate: "complete" },
      results: [
        { lo: 0, hi: 5 },
        { lo: 5, hi: 10, standing: "confirmed", verdict: "certificate" },
      ],
    });
    bringOne(grid, job, 1);
    grid.do({ type: "checked", job: "j", result: 1, reason: null });
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "merge"]);
    bringOne(grid, job, 2);
    grid.do({ type: "restored.all", job: "j" });
    expect(grid.requests.map(({ type }) => type)).toEqual(["take", "merge", "take", "merge", "finish"]);
  });

  it("claims its next extent even where all that is claimed was computed or is held", () => {
    const { grid, job } = restarted({ claimed: 6, results: [{ lo: 0, hi: 6 }], config: { extentGrains: 6 } });
    bring(grid, job);
    expect(grid.writes).toContainEqual({ type: "extent.claim", job: "j", round: 0, lo: 6, hi: 10 });
    expect(job.claimed).toBe(10);
  });
});
