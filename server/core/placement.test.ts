import { describe, expect, it } from "vitest";
import { checkState } from "./check.ts";
import { TestGrid } from "./harness.ts";
import { idleReasons, waitingReasons } from "./reasons.ts";
import type { Lease } from "./state.ts";

const first = (grid: TestGrid, node: string) => grid.leasesOf(node)[0] as Lease;

describe("slices", () => {
  it("grow with what is learnt, up to ten seconds of the slot's own speed", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("own", { own: true, speed: 10 });
    grid.submit("j", { grains: 100_000, output: "rows" });
    const sizes: number[] = [];
    for (let count = 0; count < 6; count++) {
      const lease = first(grid, "own");
      sizes.push(lease.hi - lease.lo);
      grid.answer(lease, { ms: 100 * (lease.hi - lease.lo) });
    }
    expect(sizes).toEqual([10, 20, 40, 80, 100, 100]);
  });

  it("of an unmeasured workload start from what the slot reached with others", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("own", { own: true, speed: 0.5 });
    const node = grid.state.nodes.get("own");
    node?.speeds.clear();
    node?.pace.set("wasm", 40);
    grid.submit("j", { grains: 100_000 });
    expect(first(grid, "own").hi).toBe(40);
  });

  it("that take no time go out many at a time, and more when half of them are done", () => {
    const grid = new TestGrid({ sliceGrainsMax: 1 });
    grid.join("own", { own: true, speed: 1_000 });
    grid.submit("j", { grains: 1_000, cost: 0.1, output: "rows" });
    const held: number[] = [];
    for (let count = 0; count < 10; count++) {
      held.push(grid.leasesOf("own").length);
      grid.answer(first(grid, "own"), { ms: 0.1 });
    }
    expect(held).toEqual([16, 15, 14, 13, 12, 11, 10, 9, 16, 15]);
  });

  it("that take a while are two for a slot, and light ones no more than their time allows", () => {
    const grid = new TestGrid({ sliceGrainsMax: 1 });
    grid.join("slow", { own: true, speed: 1 });
    grid.join("quick", { own: true, speed: 100 });
    grid.submit("j", { grains: 1_000, output: "rows" });
    // A grain is a core-second: a whole second of one, 10 ms of the other.
    expect([grid.leasesOf("slow").length, grid.leasesOf("quick").length]).toEqual([2, 5]);
  });

  it("go to nodes that have the job's data, before others of the same submitter, but not for ever", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, lightLeasesPerSlot: 1, sliceGrainsMax: 1, nearMs: 3_000 });
    const blob = (digit: string) => ({ payloadBlob: digit.repeat(64) });
    const held = (node: string) => first(grid, node).job;
    grid.join("ann", { own: true });
    grid.submit("a", { grains: 50 }, blob("a"));
    grid.submit("b", { grains: 50 }, blob("b"));
    const turns: string[] = [];
    for (let turn = 0; turn < 12; turn++) {
      turns.push(held("ann"));
      grid.pass(500);
      grid.answer(first(grid, "ann"));
    }
    // Without the data in mind they would take turns.
    expect(turns.join("")).toMatch(/^a{6,9}b/);
  });

  it("go only where they may and can run", () => {
    const grid = new TestGrid();
    grid.submit("j", { engines: ["ffmpeg"] });
    grid.join("v");
    grid.join("off", { preferences: { slots: { wasm: 1, webgpu: 0, native: 0 }, families: [], name: null } });
    grid.join("small", { capabilities: { engines: ["ffmpeg"], kernelBytesMax: 2 ** 19 } });
    grid.join("gpu", { preferences: { slots: { wasm: 0, webgpu: 1, native: 0 }, families: ["toys"], name: null } });
    grid.pass(1_000);
    const node = (id: string) => idleReasons(grid.state, grid.state.nodes.get(id) as never, grid.now)[0]?.code;
    expect([node("v"), node("off"), node("small"), node("gpu")]).toEqual(["engine", "family_off", "memory", "backend"]);
    const job = grid.state.jobs.get("j") as never;
    expect(waitingReasons(grid.state, job).map(({ code }) => code)).toEqual([
      "engine",
      "family_off",
      "memory",
      "backend",
    ]);
    grid.join("fit", { capabilities: { engines: ["ffmpeg"] } });
    expect(grid.leasesOf("fit")).toHaveLength(2);
  });
});

describe("a job that is left to volunteers", () => {
  it("is computed by them only, and own nodes check it, also when it ends", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, volunteersSubmitter: "demo" });
    grid.join("own", { own: true, speed: 10 });
    const job = grid.submit("j", { grains: 4 }, { submitter: "demo" });
    grid.pass(1_000);
    expect(grid.leasesOf("own")).toEqual([]);
    const reason = { code: "for_volunteers", message: expect.stringContaining("left to volunteers") };
    expect(idleReasons(grid.state, grid.state.nodes.get("own") as never, grid.now)).toEqual([reason]);
    expect(waitingReasons(grid.state, job)).toEqual([reason]);

    grid.join("v", { speed: 1 });
    const [lease] = grid.leasesOf("v");
    expect(lease).toBeDefined();
    grid.answer(lease as Lease);
    const [audit] = grid.leasesOf("own");
    expect(audit?.audit).not.toBeNull();
    // Slow or silent volunteers' last grains are not copied to own nodes either.
    grid.pass(600_000);
    for (const { audit } of grid.leasesOf("own")) expect(audit).not.toBeNull();
    // Others' jobs are for own nodes as before.
    grid.submit("k", { grains: 4 }, { submitter: "local" });
    grid.join("free", { own: true, speed: 10, slots: 3 });
    const taken = grid.leasesOf("free");
    expect(taken.filter((lease) => lease.audit === null).map((lease) => lease.job)).toContain("k");
    expect(taken.filter((lease) => lease.audit === null).map((lease) => lease.job)).not.toContain("j");
  });
});

describe("leases", () => {
  it("are extended by progress, at most to their bound, and then expire: only what is missing is cut again", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 1 });
    const job = grid.submit("j", { grains: 8, cost: 1 });
    grid.say("v", { type: "release", lease: first(grid, "v").id, reason: "stopped" });
    const lease = first(grid, "v");
    grid.answer(lease, { hi: 1 });
    const next = first(grid, "v");
    const started = grid.now;
    let fraction = 0;
    while (grid.state.leases.has(next.id)) {
      fraction = Math.min(1, fraction + 0.001);
      grid.say("v", { type: "progress", leases: [{ lease: next.id, done: 0, fraction }] }).pass(1_000);
      const { deadlineMs, deadlineMsMax } = grid.state.leases.get(next.id) ?? next;
      expect(deadlineMs).toBeLessThanOrEqual(deadlineMsMax);
    }
    expect(grid.now - started).toBeGreaterThan(29_000);
    expect(grid.now - started).toBeLessThan(32_000);
    expect(grid.take("note").map(({ code }) => code)).toContain("lease_expired");
    expect(job.coverage.uncovered(0, 8)).toEqual([[1, 8]]);
  });

  it("without progress expire sooner, and keep the finished prefix", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("v", { speed: 100 });
    const job = grid.submit("j", { grains: 10, cost: 0.01 });
    const lease = first(grid, "v");
    grid.answer(lease, { hi: 3 });
    grid.join("w", { speed: 100 }).say("v", { type: "bye", reason: "" });
    expect(first(grid, "w")).toMatchObject({ lo: 3, hi: 10 });
    expect(job.candidateGrains).toBe(3);
  });

  it("that wait behind long ones are given the time", () => {
    const grid = new TestGrid({ leasesPerSlot: 2 });
    grid.join("v", { speed: 0.01 });
    grid.submit("slow", { grains: 1, cost: 1 });
    const job = grid.submit("quick", { grains: 1, cost: 0.001 });
    const [long, short] = grid.leasesOf("v");
    expect(long?.estimateMs).toBe(100_000);
    expect(short?.job).toBe("quick");
    expect((short?.deadlineMs as number) - grid.now).toBeGreaterThan(100_000);
    expect(job.leases.size).toBe(1);
  });
});

/** Job j's last grains are with a slow node; a fast one is idle. */
function tail(): { grid: TestGrid; slow: Lease } {
  const grid = new TestGrid({ leasesPerSlot: 1 });
  grid.join("slow", { speed: 0.1 });
  grid.submit("j", { grains: 1, cost: 1 });
  const slow = first(grid, "slow");
  grid.join("fast", { speed: 10 });
  return { grid, slow };
}

describe("copies of the last grains", () => {
  it("go to a faster node, once, and never to the same", () => {
    const { grid, slow } = tail();
    expect(first(grid, "fast")).toMatchObject({ lo: 0, hi: 1, twin: slow.id, speculative: true });
    grid.join("faster", { speed: 100 });
    expect(grid.leasesOf("faster")).toEqual([]);
    expect(grid.leasesOf("slow")).toHaveLength(1);
  });

  it("go to nobody where one identity has all the slots, however late it is, and the check of the state would tell", () => {
    const grid = new TestGrid({ leasesPerSlot: 2 });
    grid.join("slow", { speed: 0.001, slots: 4 });
    grid.submit("j", { grains: 2, cost: 1 });
    grid.pass(15_000);
    const held = grid.leasesOf("slow");
    expect(held.map(({ lo, hi }) => [lo, hi])).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(grid.state.copies).toBe(0);
    const [one, other] = held as [Lease, Lease];
    (grid.state.leases.get(one.id) as Lease).hi = other.hi;
    expect(() => checkState(grid.state)).toThrow(/holds grains twice/);
  });

  it("that are slow themselves give way to a faster one", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("slow", { speed: 0.001 });
    const job = grid.submit("j", { grains: 1, cost: 1 });
    grid.join("middling", { speed: 0.01 });
    const copy = first(grid, "middling");
    grid.take("send");
    grid.join("fast", { speed: 10 });
    expect(first(grid, "fast")).toMatchObject({ speculative: true, twin: first(grid, "slow").id });
    expect(grid.leasesOf("middling")).toEqual([]);
    expect(grid.take("send").map(({ message }) => message)).toContainEqual({
      type: "revoke",
      lease: copy.id,
      reason: "replaced",
    });
    expect(job.leases.size).toBe(2);
    expect(grid.state.submitters.get("ada")?.deficit ?? 0).toBeLessThanOrEqual(0);
  });

  it("are few at a time: a grid that is late with everything takes on no double of it", () => {
    const grid = new TestGrid({ leasesPerSlot: 1, sliceGrainsMax: 1, copiesMin: 3, copiesShareMax: 0.1 });
    for (let node = 0; node < 40; node++) grid.join(`slow${node}`, { speed: 0.01 });
    grid.submit("j", { grains: 40, cost: 1 });
    expect(grid.state.leases.size).toBe(40);
    for (let node = 0; node < 20; node++) grid.join(`fast${node}`, { speed: 10 });
    grid.pass(3_000);
    // A tenth of the leases, copies counted.
    expect(grid.state.copies).toBe(5);
    grid.answer(first(grid, "fast0"));
    grid.pass(1_000);
    expect(grid.state.copies).toBe(5);
  });

  it("win: the slow node's lease is called off, and its late result is spare", () => {
    const { grid, slow } = tail();
    grid.take("send");
    grid.answer(first(grid, "fast"));
    expect(grid.leasesOf("slow")).toEqual([]);
    expect(grid.take("send").map(({ message }) => message)).toContainEqual({
      type: "revoke",
      lease: slow.id,
      reason: "done_elsewhere",
    });
    const seq = grid.answer(slow);
    expect(grid.ackOf(seq)).toBeNull();
    expect(grid.state.jobs.get("j")?.stats.spareResults).toBe(1);
  });

  it("lose: the copy is called off", () => {
    const { grid, slow } = tail();
    grid.answer(slow);
    expect(grid.leasesOf("fast")).toEqual([]);
  });

  it("go on when the slow node goes, and come to nothing only when both do", () => {
    const { grid } = tail();
    grid.leave("slow").pass(6_000);
    const job = grid.state.jobs.get("j");
    expect(job?.open.size).toBe(0);
    expect(first(grid, "fast")).toMatchObject({ twin: null, speculative: false });
    grid.say("fast", { type: "bye", reason: "" });
    expect(job?.open.size).toBe(1);
  });

  it("are made too where a late result covered the last open grains", () => {
    const grid = new TestGrid({ leasesPerSlot: 1 });
    grid.join("gone", { speed: 100 });
    grid.submit("j", { grains: 10, cost: 1 });
    const late = first(grid, "gone");
    expect([late.lo, late.hi]).toEqual([0, 10]);
    grid.leave("gone").join("gone", { session: "later", slots: 0 });
    grid.join("slow", { speed: 0.1 });
    expect(first(grid, "slow")).toMatchObject({ lo: 0, hi: 1 });
    grid.answer({ ...late }, { lo: 1, hi: 10 });
    grid.join("fast", { speed: 10 });
    expect(first(grid, "fast")).toMatchObject({ lo: 0, hi: 1, speculative: true });
  });
});

describe("terms", () => {
  const paid = {
    supply: "paid",
    deadlineMs: null,
    budgetDollars: null,
    region: null,
    placement: "volunteers",
  } as const;

  it("an instance computes only what is paid for, until nobody pays any more", () => {
    const grid = new TestGrid();
    const terms = paid;
    grid.submit("free", { grains: 4 });
    grid.submit("paid", { grains: 400 }, { terms });
    grid.join("i", { own: true, hired: true, speed: 1 });
    expect(new Set(grid.leasesOf("i").map((lease) => lease.job))).toEqual(new Set(["paid"]));
    grid.do({ type: "unpaid", job: "paid" });
    for (const lease of grid.leasesOf("i")) grid.answer(lease);
    expect(grid.leasesOf("i")).toEqual([]);
    expect(grid.state.jobs.get("paid")?.terms.supply).toBe("volunteers");
    grid.join("v", { speed: 1 });
    expect(new Set(grid.leasesOf("v").map((lease) => lease.job))).toContain("free");
  });

  it("keep a job's data to own nodes, or to trusted ones", () => {
    const grid = new TestGrid();
    grid.submit("own", { grains: 40 }, { terms: { ...paid, supply: "volunteers", placement: "own" } });
    grid.submit("trusted", { grains: 40 }, { terms: { ...paid, supply: "volunteers", placement: "trusted" } });
    grid.join("newcomer", { speed: 1 });
    expect(grid.leasesOf("newcomer")).toEqual([]);
    grid.join("o", { own: true, speed: 1 });
    const given = new Set<string>();
    for (let turn = 0; turn < 80; turn++) {
      for (const lease of grid.leasesOf("o")) {
        given.add(lease.job);
        grid.answer(lease);
      }
    }
    expect(given).toEqual(new Set(["own", "trusted"]));
    expect(grid.leasesOf("newcomer")).toEqual([]);
  });

  it("a node that retires keeps its leases and gets no more, and is served again when it is wanted", () => {
    const grid = new TestGrid();
    grid.submit("j", { grains: 400 });
    grid.join("v", { own: true, speed: 1 });
    const held = grid.leasesOf("v").length;
    expect(held).toBeGreaterThan(0);
    grid.do({ type: "retire", node: "v", retiring: true });
    for (const lease of grid.leasesOf("v")) grid.answer(lease);
    expect(grid.leasesOf("v")).toEqual([]);
    grid.do({ type: "retire", node: "v", retiring: false });
    expect(grid.leasesOf("v").length).toBeGreaterThan(0);
  });
});
