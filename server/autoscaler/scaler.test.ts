/** The shell against a cloud with faults, in virtual time. */
import { describe, expect, it } from "vitest";
import { offeringOf } from "./fixtures.ts";
import { seeded } from "./testing/time.ts";
import { World, type WorldOptions } from "./testing/world.ts";

const minute = 60_000;
const hour = 60 * minute;

async function started(options: WorldOptions = {}): Promise<World> {
  const world = new World(options);
  await world.start();
  return world;
}

/** Lets everything end, and says what is left. */
async function leftAfter(world: World, ms = 2 * hour): Promise<string[]> {
  await world.pass(ms);
  const rows = [...world.scaler.book.instances.values()].filter(({ state }) => state !== "GONE" && state !== "FAILED");
  return [
    ...world.cloud.running().map(({ id }) => `cloud ${id}`),
    ...rows.map(({ id, state }) => `row ${id} ${state}`),
  ];
}

describe("the autoscaler's shell", () => {
  it("buys for paid work, ends the work, gives everything back", async () => {
    const world = await started();
    await world.pass(5 * minute);
    expect(world.cloud.calls.launch).toBe(0);
    world.submit(6_000);
    await world.pass(4 * minute);
    expect(world.cloud.running().length).toBeGreaterThan(4);
    expect(await leftAfter(world, hour)).toEqual([]);
    expect(world.left).toBe(0);
    expect(world.wrongs).toEqual([]);
    const day = world.scaler.meter.today(world.time.now());
    expect(day.dollars).toBeGreaterThan(world.cloud.bill() * 0.9);
    expect(day.dollars).toBeLessThan(world.cloud.bill() * 1.2);
    expect(world.scaler.meter.jobs.get("job-1")).toBeGreaterThan(0);
  });

  it("waits for nodes that are on record at its start, and for none where there are none, and says so", async () => {
    const first = await started({ awaitsNodes: false });
    first.submit(6_000);
    await first.pass(6_000);
    expect(first.cloud.calls.launch).toBe(1);
    const again = await started();
    again.submit(6_000);
    await again.pass(25_000);
    expect(again.cloud.calls.launch).toBe(0);
    expect(again.scaler.holds).toMatchObject([{ code: "starting" }]);
    await again.pass(15_000);
    expect(again.cloud.calls.launch).toBe(1);
    expect(again.scaler.holds).not.toMatchObject([{ code: "starting" }]);
  });

  it("launches nothing for work that is left to volunteers", async () => {
    const world = await started();
    world.submit(1e6, { supply: "volunteers" });
    await world.pass(hour);
    expect(world.cloud.calls.launch).toBe(0);
  });

  it("commits the order before the call, and goes on with it under the same token after a kill", async () => {
    const world = await started({ faults: { callMs: [5_000, 6_000] } });
    world.submit(6_000);
    await world.pass(36_000);
    expect(world.cloud.calls.launch).toBeGreaterThan(0);
    const orders = [...(world.records.rooms.get("scaler.orders")?.keys() ?? [])];
    expect(orders).toHaveLength(1);
    world.kill();
    await world.pass(10_000);
    const ofOrder = () => world.cloud.running().filter(({ order }) => order.token === orders[0]).length;
    const launched = ofOrder();
    expect(launched).toBeGreaterThan(0);
    await world.start();
    await world.pass(40_000);
    expect(ofOrder()).toBe(launched);
    expect(world.scaler.book.rowsOf(orders[0] as string).map(({ state }) => state)).not.toContain("UNKNOWN");
    expect(await leftAfter(world)).toEqual([]);
  });

  it("ends an instance of the cluster that is in no row", async () => {
    const world = await started();
    const [offering] = await Promise.all([world.cloud.offerings(), world.pass(1_000)]);
    const boot = { coordinatorUrl: "", joinToken: "", lifetimeMs: hour, silenceMs: hour };
    const order = { token: "somebody-s", cluster: "world", offerings: offering, count: 1, boot };
    void world.cloud.launch(order);
    await world.pass(5 * minute);
    expect(world.cloud.running()).toEqual([]);
    expect(world.logged.join("\n")).toContain("in no row of the ledger");
  });

  it("admits each token's machine once, and nobody without one", async () => {
    const world = await started();
    world.submit(6_000);
    await world.pass(3 * minute);
    const row = [...world.scaler.book.instances.values()].find(({ state }) => state === "REGISTERED");
    const instance = world.cloud.instances.get(row?.cloudId ?? "");
    const token = `${instance?.order.boot.joinToken}:${instance?.id}`;
    expect(world.scaler.admit(token, row?.node ?? "")).toBe(true);
    expect(world.scaler.admit(token, "another")).toBe(false);
    expect(world.scaler.admit(token.replace("qi.", "qi.x"), "another")).toBe(false);
    expect(world.scaler.admit("qi.world-1-1-abc.0123456789012345678901", "another")).toBe(false);
  });

  it("stops launching when machines never come up, and says so", async () => {
    const world = await started({ faults: { bootFailure: 1 }, target: { maxNodes: 20 } });
    world.submit(1e6);
    await world.pass(3 * hour);
    expect((world.scaler.last?.alerts ?? []).map(({ code }) => code)).toContain("launches_fail");
    // Each machine lives until its registration time is over; without the breaker 20 would run all the time.
    expect(world.cloud.bill()).toBeLessThan(20 * 0.0416 * 3 * 0.35);
    world.state.jobs.clear();
    expect(await leftAfter(world)).toEqual([]);
  });

  it("keeps within the budgets of the hour and of the day", async () => {
    const world = await started({ target: { dollarsPerHourMax: 0.3, dollarsPerDayMax: 2 } });
    world.submit(1e7);
    await world.pass(11 * hour);
    expect(world.mostRunning).toBeGreaterThan(2);
    expect(world.wrongs).toEqual([]);
    expect(world.cloud.bill()).toBeLessThanOrEqual(2);
  });

  it("spends no more on a job than its budget", async () => {
    const world = await started();
    const job = world.submit(100_000, { budgetDollars: 0.05 });
    await world.pass(6 * hour);
    expect(world.scaler.meter.jobs.get(job)).toBeGreaterThan(0.03);
    expect(world.scaler.meter.jobs.get(job)).toBeLessThan(0.055);
    expect(world.state.jobs.get(job)?.terms.supply).toBe("volunteers");
    expect(world.cloud.running()).toEqual([]);
  });

  it("an autoscaler that was overtaken only watches", async () => {
    const world = await started();
    const documents = world.records.rooms.get("scaler.state");
    documents?.set("leader", JSON.stringify({ fence: 99, holder: "another" }));
    world.submit(6_000);
    await world.pass(10 * minute);
    expect(world.cloud.calls.launch).toBe(0);
    expect([...world.scaler.troubles.keys()]).toContain("leader");
  });

  it("a record that fails voids what was meant to be done, and nothing is lost or left", async () => {
    const world = await started({ seed: 5, recordFailure: 0.3 });
    world.submit(20_000);
    await world.pass(2 * hour);
    expect(world.left).toBe(0);
    expect(world.wrongs).toEqual([]);
    expect(await leftAfter(world, 3 * hour)).toEqual([]);
  });
});

const offerings = [
  offeringOf(),
  offeringOf({ type: "c5.2xlarge", cores: 8, dollars: 0.34 }),
  offeringOf({ market: "spot", dollars: 0.0125 }),
  offeringOf({ market: "spot", type: "t3a.medium", zone: "us-east-1b", dollars: 0.011 }),
];

/** Everything that clouds do, with kills of the coordinator in between. */
async function storm(seed: number): Promise<World> {
  const draw = seeded(seed * 7_919);
  const outageAt = 20 * minute + draw() * hour;
  let startedMs = 0;
  const world = new World({
    seed,
    policy: draw() < 0.5 ? "cost_optimized" : "reactive",
    target: { maxNodes: 4 + Math.floor(draw() * 16), dollarsPerHourMax: 0.2 + draw(), cooldownMs: 2 * minute },
    offerings,
    recordFailure: draw() < 0.3 ? 0.05 : 0,
    faults: {
      listLagMs: draw() * 90_000,
      callMs: [50, 4_000],
      lostReply: draw() * 0.3,
      bucket: draw() < 0.5 ? { size: 5, perSecond: 0.2 } : null,
      bootFailure: draw() * 0.3,
      slowBoot: draw() * 0.1,
      spotLossPerHour: draw() * 3,
      terminateRefusal: draw() * 0.2,
    },
    capacity: (offering, nowMs) => ((nowMs / 600_000) % 3 < 1 && offering.market === "spot" ? 0 : undefined),
    outage: (nowMs) => nowMs > startedMs + outageAt && nowMs < startedMs + outageAt + 5 * minute,
  });
  startedMs = world.time.now();
  await world.start();
  for (let n = 0; n < 12; n++) {
    if (draw() < 0.7) world.submit(500 + draw() * 8_000);
    await world.pass(draw() * 12 * minute);
    if (draw() < 0.25) {
      world.kill();
      await world.pass(draw() * 3 * minute);
      await world.start();
    }
  }
  return world;
}

describe("a cloud with every fault, and a coordinator that is killed", () => {
  const seeds = Number(process.env.QUEZTL_SCALER_SEEDS ?? 10);
  const first = Number(process.env.QUEZTL_SCALER_SEED ?? 1);
  it(
    `leaves nothing, launches nothing twice and keeps the budget, from seed ${first} on, ${seeds} times`,
    async () => {
      for (let seed = first; seed < first + seeds; seed++) {
        const world = await storm(seed);
        const left = await leftAfter(world, 14 * hour);
        expect({ seed, left, wrongs: world.wrongs, work: world.left }).toEqual({ seed, left: [], wrongs: [], work: 0 });
      }
    },
    seeds * 4_000 + 60_000,
  );
});
