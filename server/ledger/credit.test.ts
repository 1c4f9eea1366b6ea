/** Which postings follow from the core's writes, and the balances that follow from those, over the memory store. */
import { beforeEach, describe, expect, it } from "vitest";
import type { CoreWrite } from "../core/events.ts";
import type { CoreState } from "../core/state.ts";
import { aJob, insertJob } from "../store/fixtures.ts";
import { MemoryStore } from "../store/memory.ts";
import type { Write } from "../store/store.ts";
import { Credit } from "./credit.ts";

const options = { delayMs: 1_000, periodMs: 100 };
/** A grain of the job is worth two core-seconds. */
const state = {
  jobs: new Map([["j", { id: "j", submitter: "ada", grainCoreSeconds: 2 }]]),
} as unknown as CoreState;

type Insert = Extract<CoreWrite, { type: "result.insert" }>;
type Range = { lease?: string; leaseLo?: number; leaseHi?: number; lo: number; hi: number };
const message = ({ lease = "l", leaseLo = 0, leaseHi = 10, lo, hi }: Range): Insert["message"] =>
  ({ job: "j", lease, leaseLo, leaseHi, lo, hi }) as Insert["message"];
const result = (id: number, range: Range, own = false): CoreWrite => ({
  type: "result.insert",
  id,
  message: message(range),
  node: "v",
  own,
  standing: "candidate",
  verdict: "",
});
const done = (id: number, range: Range, purpose: "audit" | "spare" = "audit"): CoreWrite => ({
  type: "work.done",
  id,
  message: message(range),
  node: "v",
  purpose,
});
const verdict = (id: number, standing: string): CoreWrite =>
  ({ type: "result.verdict", id, standing, verdict: "audit" }) as CoreWrite;

let store: MemoryStore;
let credit: Credit;

beforeEach(async () => {
  store = new MemoryStore();
  const { epoch } = await store.open("c");
  await store.commit(insertJob(aJob({ id: "j" }), epoch));
  credit = new Credit(store.ledger, options);
  await credit.load();
});

const commit = async (write: CoreWrite, now = 10_000): Promise<Write[]> => {
  const writes = credit.follows(write, state, now);
  await store.commit(writes);
  return writes;
};
const balance = async (now: number): Promise<number> => (await credit.balances(now)).get("v")?.coreSeconds ?? 0;
const grants = (writes: Write[]): number[] =>
  writes.flatMap((write) => (write.type === "posting.insert" ? [write.posting.coreSeconds] : []));

describe("a grant", () => {
  it("is the declared cost of what was computed, results and audits and copies alike", async () => {
    expect(grants(await commit(result(1, { lo: 0, hi: 10 })))).toEqual([20]);
    expect(grants(await commit(done(2, { lease: "a", lo: 3, hi: 4, leaseLo: 3, leaseHi: 4 })))).toEqual([2]);
    expect(grants(await commit(done(3, { lease: "b", lo: 0, hi: 10 }, "spare")))).toEqual([20]);
    expect(await balance(20_000)).toBe(42);
  });

  it("counts at a payday that depends on when the work came alone", async () => {
    await commit(result(1, { lease: "a", lo: 0, hi: 10 }), 10_001);
    await commit(done(2, { lease: "b", lo: 0, hi: 10 }), 10_099);
    await commit(verdict(1, "confirmed"), 10_050);
    expect(await balance(11_099)).toBe(0);
    expect(await balance(11_100)).toBe(40);
    expect(credit.lastPayday(11_199)).toBe(11_100);
    expect(credit.nextPayday(11_100)).toBe(11_200);
  });

  it("is given once for each grain of a lease, in whatever pieces and however often they come", async () => {
    const given: number[] = [];
    for (const [id, lo, hi] of [
      [1, 0, 1],
      [2, 0, 2],
      [3, 0, 3],
      [4, 5, 8],
      [5, 2, 6],
      [6, 0, 9],
    ] as const) {
      given.push(...grants(await commit(result(id, { lo, hi }))));
    }
    expect(given).toEqual([2, 2, 2, 6, 4, 2]);
    expect(given.reduce((sum, each) => sum + each, 0)).toBe(18);
  });

  it("is not given for grains that the lease does not have", async () => {
    expect(grants(await commit(result(1, { lo: 0, hi: 1_000, leaseLo: 0, leaseHi: 4 })))).toEqual([8]);
  });

  it("is not given to own nodes, nor for jobs that are gone", async () => {
    expect(await commit(result(1, { lo: 0, hi: 10 }, true))).toEqual([]);
    expect(credit.follows(done(2, { lo: 0, hi: 10 }), { jobs: new Map() } as unknown as CoreState, 0)).toEqual([]);
  });

  it("is not given for one's own jobs, after a restart neither", async () => {
    const volunteer = { id: "v", team: null, submitter: "ada", statedAtMs: 1 };
    credit.remember(volunteer);
    expect(await commit(result(1, { lo: 0, hi: 10 }))).toEqual([]);
    await store.commit([{ type: "volunteer.upsert", volunteer }]);
    const again = new Credit(store.ledger, options);
    await again.load();
    expect(again.follows(result(2, { lo: 0, hi: 10 }), state, 0)).toEqual([]);
    again.remember({ ...volunteer, submitter: "bob" });
    expect(grants(again.follows(result(3, { lo: 0, hi: 10 }), state, 0))).toEqual([20]);
  });
});

describe("what a verdict takes away", () => {
  it.each(["rejected", "retracted"])("is taken back (%s), once, and leaves the grant as it was", async (standing) => {
    await commit(result(1, { lease: "a", lo: 0, hi: 10 }));
    await commit(result(2, { lease: "b", lo: 0, hi: 10 }));
    expect(await balance(20_000)).toBe(40);
    await commit(verdict(1, standing), 20_000);
    await commit(verdict(1, "retracted"), 20_001);
    expect(await balance(20_199)).toBe(40);
    expect(await balance(20_200)).toBe(20);
    const postings = await store.ledger.postings("v", 30_000, 10);
    expect(postings.map(({ work, kind, coreSeconds }) => [work, kind, coreSeconds])).toEqual([
      [1, "retract", -20],
      [2, "grant", 20],
      [1, "grant", 20],
    ]);
  });

  it("does not tell an audit: before its payday the grant never counted", async () => {
    await commit(result(1, { lo: 0, hi: 10 }), 10_000);
    await commit(verdict(1, "rejected"), 10_020);
    for (let now = 10_000; now < 12_000; now += 50) expect(await balance(now)).toBe(0);
  });

  it.each(["provisional", "confirmed", "sealed"])("is nothing where the result counts (%s)", async (standing) => {
    await commit(result(1, { lo: 0, hi: 10 }));
    expect(await commit(verdict(1, standing))).toEqual([]);
  });
});

describe("balances", () => {
  it("are the postings' sums, whether counted from payday to payday or all at once after a restart", async () => {
    for (let id = 1; id <= 200; id++) {
      const now = 10_000 + id * 37;
      await commit(result(id, { lease: `l${id}`, lo: 0, hi: 1 + (id % 10) }), now);
      if (id % 7 === 0) await commit(verdict(id, "retracted"), now + 500);
      await balance(now);
    }
    const counted = await balance(50_000);
    const again = new Credit(store.ledger, options);
    expect((await again.balances(50_000)).get("v")).toEqual((await credit.balances(50_000)).get("v"));
    const sum = (await store.ledger.postings("v", 50_000, 1_000)).reduce(
      (total, { coreSeconds }) => total + coreSeconds,
      0,
    );
    expect(counted).toBeCloseTo(sum, 9);
    expect(counted).toBeGreaterThan(0);
  });

  it("count no payday twice when they are asked for at the same time", async () => {
    await commit(result(1, { lo: 0, hi: 10 }));
    const asked = await Promise.all(Array.from({ length: 20 }, () => balance(20_000)));
    expect(new Set(asked)).toEqual(new Set([20]));
  });

  it("survive a failed count", async () => {
    await commit(result(1, { lo: 0, hi: 10 }));
    await store.close();
    await expect(credit.balances(20_000)).rejects.toThrow();
    await store.open("c");
    expect(await balance(20_000)).toBe(20);
  });
});
