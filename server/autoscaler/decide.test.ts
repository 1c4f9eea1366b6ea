import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import {
  demandOf,
  fleet,
  giB,
  inputOf,
  instanceWorth,
  launched,
  nodeOf,
  observe,
  of,
  offeringOf,
  orderOf,
  rowOf,
  startMs,
  volunteerOf,
} from "./fixtures.ts";
import { freshMemory, learn } from "./memory.ts";
import type { Decision } from "./model.ts";
import { defaultSettings } from "./settings.ts";

const holds = (decision: Decision): string[] => decision.holds.map(({ code }) => code);

describe("buying", () => {
  it("buys the shortfall that volunteers leave, and nothing where they suffice", () => {
    const demand = [demandOf(4 * instanceWorth)];
    expect(launched(decide(freshMemory(), observe({ demand }), inputOf()))).toBe(4);
    const half = [volunteerOf(2 * 2 * 0.7)];
    expect(launched(decide(freshMemory(), observe({ demand, volunteers: half }), inputOf()))).toBe(2);
    const enough = [volunteerOf(10)];
    expect(launched(decide(freshMemory(), observe({ demand, volunteers: enough }), inputOf()))).toBe(0);
  });

  it("discounts strangers by their survival, by the spread of it, and by replication; own nodes not", () => {
    const demand = [demandOf(4 * instanceWorth)];
    const run = (volunteers: Parameters<typeof volunteerOf>[1], more = {}) =>
      launched(
        decide(freshMemory(), observe({ demand, volunteers: [volunteerOf(2.8, volunteers)], ...more }), inputOf()),
      );
    expect(run({})).toBe(2);
    expect(run({ survival: 0.5 })).toBe(4);
    expect(run({ survival: 0.5, own: true })).toBe(2);
    expect(run({}, { replication: 2 })).toBe(3);
    expect(run({}, { volunteerShare: 0.5 })).toBe(3);
  });

  it("counts what is on its way: the burst is not bought twice", () => {
    const demand = [demandOf(8 * instanceWorth)];
    const flying = Array.from({ length: 6 }, (_, n) => rowOf(n, n % 2 ? "LAUNCHED" : "REQUESTED"));
    const orders = flying.map(({ order }) => orderOf({ token: order, nextAttemptAtMs: Number.MAX_SAFE_INTEGER }));
    expect(launched(decide(freshMemory(), observe({ demand, instances: flying, orders }), inputOf()))).toBe(2);
  });

  it("at most doubles, or takes four, in each window", () => {
    const memory = freshMemory();
    const demand = [demandOf(50 * instanceWorth)];
    expect(launched(decide(memory, observe({ demand }), inputOf()))).toBe(4);
    const rows = Array.from({ length: 4 }, (_, n) => rowOf(n, "LAUNCHED"));
    const soon = decide(memory, observe({ nowMs: startMs + 5_000, demand, instances: rows }), inputOf());
    expect(launched(soon)).toBe(0);
    expect(holds(soon)).toContain("up_rate");
    expect(launched(decide(memory, observe({ nowMs: startMs + 16_000, demand, instances: rows }), inputOf()))).toBe(4);
  });

  it("buys no more slots than there are grains", () => {
    const demand = [demandOf(100 * instanceWorth, { grains: 3 })];
    expect(launched(decide(freshMemory(), observe({ demand }), inputOf()))).toBe(2);
  });

  it("meets a deadline that is nearer than the time of the queue", () => {
    const demand = (atMs: number) => [demandOf(252, { deadlines: [{ atMs, coreSeconds: 252 }] })];
    const bought = (ms: number) =>
      launched(decide(freshMemory(), observe({ demand: demand(startMs + ms) }), inputOf()));
    expect(bought(60_000 + 100_000)).toBe(2);
    expect(bought(600_000)).toBe(1);
    // Too late already: as soon as makes sense once they have booted.
    expect(bought(-100_000)).toBe(3);
  });

  it("buys the machine that the work needs, beside others that cannot do it", () => {
    const gpu = offeringOf({
      type: "g4dn.xlarge",
      dollars: 0.526,
      gpu: { name: "T4", count: 1, memoryBytes: 16 * giB },
    });
    const demand = [demandOf(420, { class: "gpu", needs: { gpu: true, cpu: false, memoryBytes: 0, engines: [] } })];
    const { instances, nodes } = fleet(3);
    const decision = decide(
      freshMemory(),
      observe({ demand, instances, nodes, offerings: [offeringOf(), gpu] }),
      inputOf(),
    );
    expect(of(decision, "launch").map(({ offerings, count }) => [offerings[0]?.type, count])).toEqual([
      ["g4dn.xlarge", 1],
    ]);
    const none = decide(freshMemory(), observe({ demand }), inputOf());
    expect(none.actions).toEqual([]);
    expect(holds(none)).toEqual(["unfit"]);
  });

  it("leaves a little overload be, within the band", () => {
    const { instances, nodes } = fleet(10, { leases: 2, idleSinceMs: null });
    const at = (load: number) =>
      decide(
        freshMemory(),
        observe({ demand: [demandOf((defaultSettings.drainMs / 1_000) * 20 * load)], instances, nodes }),
        inputOf(),
      );
    expect(at(0.8).actions).toEqual([]);
    expect(launched(at(0.95))).toBeGreaterThanOrEqual(3);
  });
});

describe("limits", () => {
  const demand = [demandOf(50 * instanceWorth)];

  it("keeps the maximum, counting what is on its way out", () => {
    const instances = [rowOf(1, "TERMINATING", { nextTerminationAtMs: startMs + 60_000 }), rowOf(2, "LAUNCHED")];
    const decision = decide(freshMemory(), observe({ demand, instances }), inputOf({ maxNodes: 3 }));
    expect(launched(decision)).toBe(1);
    expect(holds(decision)).toContain("max_nodes");
  });

  it("keeps the minimum without any work, and a person's floor until it ends", () => {
    expect(launched(decide(freshMemory(), observe(), inputOf({ minNodes: 2 })))).toBe(2);
    const manual = { atLeast: 3, atMost: null, untilMs: startMs + 1, by: "operator" };
    expect(launched(decide(freshMemory(), observe({ manual }), inputOf()))).toBe(3);
    expect(launched(decide(freshMemory(), observe({ manual, nowMs: startMs + 2 }), inputOf()))).toBe(0);
    expect(launched(decide(freshMemory(), observe({ manual }), inputOf({ maxNodes: 1 })))).toBe(1);
  });

  it("orders nothing beyond the hour's budget, nor beyond the day's if it all ran on", () => {
    const hour = decide(freshMemory(), observe({ demand }), inputOf({ dollarsPerHourMax: 0.1 }));
    expect(launched(hour)).toBe(2);
    expect(holds(hour)).toContain("budget");
    // Twelve hours are left of the day.
    const day = decide(freshMemory(), observe({ demand, dollarsToday: 0.5 }), inputOf({ dollarsPerDayMax: 1 }));
    expect(launched(day)).toBe(1);
    expect(
      launched(decide(freshMemory(), observe({ demand, dollarsToday: 1 }), inputOf({ dollarsPerDayMax: 1 }))),
    ).toBe(0);
  });

  it("gives back what a budget no longer covers, and says so", () => {
    const { instances, nodes } = fleet(3, { leases: 2, idleSinceMs: null });
    const decision = decide(freshMemory(), observe({ demand, instances, nodes }), inputOf({ dollarsPerHourMax: 0.1 }));
    expect(of(decision, "drain").map(({ reason }) => reason.code)).toEqual(["budget"]);
    expect(decision.alerts.map(({ code }) => code)).toEqual(["over_budget"]);
  });
});

describe("what is late, lost or strange", () => {
  it("ends what never registered, and stops buying after five such in a row, with an alert", () => {
    const memory = freshMemory();
    const demand = [demandOf(4 * instanceWorth)];
    const instances = [0, 1, 2, 3, 4].map((n) => rowOf(n, "LAUNCHED"));
    const late = decide(memory, observe({ nowMs: startMs + 600_000, instances, demand }), inputOf());
    expect(of(late, "terminate").map(({ reason }) => reason.code)).toEqual(Array(5).fill("never_registered"));
    expect(launched(late)).toBe(0);
    expect(late.alerts.map(({ code }) => code)).toEqual(["launches_fail"]);
    const probe = decide(memory, observe({ nowMs: startMs + 600_000 + 290_000, demand }), inputOf());
    expect(launched(probe)).toBe(0);
    expect(launched(decide(memory, observe({ nowMs: startMs + 600_000 + 301_000 - 2_000, demand }), inputOf()))).toBe(
      0,
    );
    expect(launched(decide(memory, observe({ nowMs: startMs + 600_000 + 301_000, demand }), inputOf()))).toBe(1);
  });

  it("does not ask again for an offering without capacity, until its time is over", () => {
    const memory = freshMemory();
    const cheap = offeringOf({ zone: "a", dollars: 0.01 });
    const dear = offeringOf({ zone: "b", dollars: 0.02 });
    const demand = [demandOf(instanceWorth)];
    const chosen = (ms: number) =>
      of(
        decide(memory, observe({ nowMs: startMs + ms, demand, offerings: [cheap, dear] }), inputOf()),
        "launch",
      )[0]?.offerings.map(({ zone }) => zone);
    expect(chosen(0)).toEqual(["a", "b"]);
    learn(memory, { type: "refused", offering: cheap.id, code: "capacity" }, startMs, defaultSettings);
    expect(chosen(20_000)).toEqual(["b"]);
    learn(memory, { type: "refused", offering: dear.id, code: "capacity" }, startMs + 20_000, defaultSettings);
    expect(chosen(40_000)).toBeUndefined();
    expect(chosen(181_000)).toEqual(["a"]);
    learn(memory, { type: "refused", offering: cheap.id, code: "capacity" }, startMs + 181_000, defaultSettings);
    expect(chosen(181_000 + 200_000)).toEqual(["b"]);
    expect(chosen(181_000 + 361_000)).toEqual(["a", "b"]);
  });

  it("adopts what an order of unknown outcome had started, asks again while it is needed, and gives up when not", () => {
    const orders = [orderOf()];
    const instances = [rowOf(1, "UNKNOWN")];
    const demand = [demandOf(instanceWorth)];
    const again = decide(freshMemory(), observe({ orders, instances, demand }), inputOf());
    expect(again.actions.map(({ type }) => type)).toEqual(["replay"]);
    const found = {
      id: "i-7",
      token: "order-1",
      offering: null,
      state: "running" as const,
      launchedAtMs: startMs,
      interruptionAtMs: null,
    };
    const listing = { atMs: startMs, instances: [found] };
    const adopted = decide(freshMemory(), observe({ orders, instances, demand, listing }), inputOf());
    expect(adopted.actions.map(({ type }) => type)).toEqual(["adopt"]);
    const unneeded = { orders, nowMs: startMs + 200_000, listing: { atMs: startMs + 200_000, instances: [] } };
    const missed = decide(freshMemory(), observe({ ...unneeded, instances }), inputOf());
    expect(missed.actions).toMatchObject([{ type: "missed", misses: 1 }]);
    const given = decide(
      freshMemory(),
      observe({ orders, nowMs: startMs + 210_000, instances: [{ ...rowOf(1, "UNKNOWN"), misses: 2 }] }),
      inputOf(),
    );
    expect(given.actions.map(({ type }) => type)).toEqual(["abandon"]);
  });

  it("ends orphans, also a second instance of one order, but not what may be ours and new", () => {
    const stranger = (id: string, token: string | null, ageMs: number) => ({
      id,
      token,
      offering: null,
      state: "running" as const,
      launchedAtMs: startMs - ageMs,
      interruptionAtMs: null,
    });
    const instances = [rowOf(1, "LAUNCHED")];
    const listed = [
      stranger("cloud-1", "order-1", 0),
      stranger("x", "order-1", 0),
      stranger("y", null, 300_000),
      stranger("z", null, 1_000),
    ];
    const decision = decide(
      freshMemory(),
      observe({ instances, listing: { atMs: startMs, instances: listed } }),
      inputOf({ minNodes: 1 }),
    );
    expect(of(decision, "sweep").map(({ cloudId }) => cloudId)).toEqual(["x", "y"]);
  });

  it("writes an instance off after two listings without it, not while its worker is here", () => {
    const listing = { atMs: startMs + 600_000, instances: [] };
    const run = (misses: number, online: boolean) =>
      decide(
        freshMemory(),
        observe({
          nowMs: startMs + 600_000,
          listing,
          instances: [rowOf(1, "REGISTERED", { misses })],
          nodes: new Map([
            ["node-1", nodeOf("node-1", { online, leases: 1, idleSinceMs: null, lastSeenMs: startMs + 599_000 })],
          ]),
        }),
        inputOf({ minNodes: 1 }),
      ).actions.map(({ type }) => type);
    expect(run(0, true)).toEqual([]);
    expect(run(0, false)).toContain("missed");
    expect(run(1, false)).toContain("gone");
  });

  it("drains what the provider takes back, and asks for another kind", () => {
    const memory = freshMemory();
    const spot = offeringOf({ market: "spot", dollars: 0.012 });
    const { instances, nodes } = fleet(1, { leases: 2, idleSinceMs: null }, { offering: spot });
    const listed = [
      {
        id: "cloud-0",
        token: "order-0",
        offering: spot.id,
        state: "running" as const,
        launchedAtMs: startMs,
        interruptionAtMs: startMs + 120_000,
      },
    ];
    const decision = decide(
      memory,
      observe({
        demand: [demandOf(instanceWorth)],
        instances,
        nodes,
        offerings: [spot, offeringOf({ market: "spot", type: "t3a.medium" }), offeringOf({ dollars: 0.1 })],
        listing: { atMs: startMs, instances: listed },
      }),
      inputOf({}, { policy: "cost_optimized" }),
    );
    expect(of(decision, "drain").map(({ reason }) => reason.code)).toEqual(["interruption"]);
    expect(of(decision, "launch")[0]?.offerings.map(({ type }) => type)).toEqual(["t3a.medium"]);
  });

  it("does nothing on stale or absurd figures, or while the clock jumps, and says so", () => {
    const { instances, nodes } = fleet(3);
    for (const wrong of [
      { measuredAtMs: startMs - 200_000 },
      { demand: [demandOf(Number.NaN)] },
      { replication: Number.POSITIVE_INFINITY },
    ]) {
      const decision = decide(freshMemory(), observe({ instances, nodes, ...wrong }), inputOf());
      expect(decision.actions).toEqual([]);
      expect(holds(decision)).toEqual(["stale"]);
    }
    for (const jumpMs of [3_600_000, -3_600_000]) {
      const memory = freshMemory();
      decide(memory, observe({ instances: [rowOf(1, "LAUNCHED")] }), inputOf());
      const nowMs = startMs + jumpMs;
      const decision = decide(memory, observe({ nowMs, instances: [rowOf(1, "LAUNCHED")] }), inputOf());
      expect(decision.actions).toEqual([]);
      expect(decision.alerts.map(({ code }) => code)).toEqual(["clock_jump"]);
    }
  });
});

describe("the decision is pure", () => {
  const forbidden = [
    [Date, "now"],
    [Math, "random"],
    [performance, "now"],
    [globalThis, "setTimeout"],
    [globalThis, "fetch"],
  ] as const;
  const kept: unknown[] = [];
  beforeEach(() => {
    for (const [owner, name] of forbidden) {
      const record = owner as unknown as Record<string, unknown>;
      kept.push(record[name]);
      record[name] = () => {
        throw new Error(`the autoscaler used ${name}`);
      };
    }
  });
  afterEach(() => {
    for (const [owner, name] of forbidden) (owner as unknown as Record<string, unknown>)[name] = kept.shift();
  });

  it("uses no clock and no randomness, and does the same for the same observation", () => {
    const { instances, nodes } = fleet(4, { leases: 1, idleSinceMs: null });
    const observation = observe({
      instances,
      nodes,
      demand: [demandOf(9_000)],
      volunteers: [volunteerOf(3, { survival: 0.8 })],
    });
    expect(decide(freshMemory(), observation, inputOf())).toEqual(decide(freshMemory(), observation, inputOf()));
    expect(() => Date.now()).toThrow("the autoscaler used now");
  });

  it("buys smaller machines where the budget has no room for the ones that fit best", () => {
    const observation = observe({
      demand: [demandOf(6_731)],
      offerings: [offeringOf(), offeringOf({ type: "c5.2xlarge", cores: 8, dollars: 0.34 })],
    });
    const { actions } = decide(freshMemory(), observation, inputOf({ maxNodes: 11, dollarsPerHourMax: 0.2666 }));
    expect(actions).toMatchObject([{ type: "launch", offerings: [{ type: "t3.medium" }] }]);
    const launch = actions[0] as Extract<(typeof actions)[number], { type: "launch" }>;
    expect(launch.count * 0.0416).toBeLessThanOrEqual(0.2666);
  });
});
