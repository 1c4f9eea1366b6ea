/** Giving back, as the whole decision shows it. */
import { describe, expect, it } from "vitest";
import { decide } from "./decide.ts";
import { demandOf, fleet, inputOf, instanceWorth, launched, nodeOf, observe, of, rowOf, startMs } from "./fixtures.ts";
import { freshMemory } from "./memory.ts";

describe("giving back", () => {
  const wantedOnce = (leases: number) => {
    const memory = freshMemory();
    const { instances, nodes } = fleet(3, leases > 0 ? { leases, idleSinceMs: null } : {});
    decide(memory, observe({ instances, nodes, demand: [demandOf(3 * instanceWorth)] }), inputOf());
    return (ms: number) => decide(memory, observe({ nowMs: startMs + ms, instances, nodes }), inputOf());
  };

  it("drains idle instances that were not wanted for as long as booting one costs", () => {
    const at = wantedOnce(0);
    expect(at(1_000).actions).toEqual([]);
    expect(at(89_000).actions).toEqual([]);
    expect(of(at(91_000), "drain")).toHaveLength(3);
  });

  it("drains them sooner where they were never wanted again soon, and later where they were", () => {
    for (const [gapMs, keptMs] of [
      [200_000, 5_000],
      [40_000, 40_000],
    ] as const) {
      const memory = freshMemory();
      const { instances, nodes } = fleet(1);
      const look = (nowMs: number, demand: Parameters<typeof observe>[0]) =>
        of(decide(memory, observe({ nowMs, instances, nodes, ...demand }), inputOf()), "drain").length;
      let nowMs = startMs;
      for (let times = 0; times < 4; times++) {
        look(nowMs, { demand: [demandOf(100)] });
        nowMs += 5_000;
        look(nowMs, {});
        nowMs += gapMs;
      }
      look(nowMs, { demand: [demandOf(100)] });
      nowMs += 1_000;
      look(nowMs, {});
      expect(look(nowMs + keptMs - 500, {}), `${gapMs}`).toBe(0);
      expect(look(nowMs + keptMs + 500, {}), `${gapMs}`).toBe(1);
    }
  });

  it("drains busy ones only when the whole window is over, a few a minute", () => {
    const at = wantedOnce(1);
    expect(at(91_000).actions).toEqual([]);
    expect(at(290_000).actions).toEqual([]);
    expect(of(at(301_000), "drain")).toHaveLength(1);
  });

  it("terminates a drained instance when it holds no lease, or its time is over, never before", () => {
    const run = (leases: number, ms: number) =>
      decide(
        freshMemory(),
        observe({
          nowMs: startMs + ms,
          instances: [rowOf(1, "DRAINING")],
          nodes: new Map([["node-1", nodeOf("node-1", { leases })]]),
        }),
        inputOf(),
      );
    expect(run(2, 1_000).actions).toEqual([]);
    expect(of(run(0, 1_000), "terminate")).toHaveLength(1);
    expect(of(run(2, 120_000), "terminate")).toHaveLength(1);
  });

  it("undoes a drain when its capacity is wanted again, before it buys", () => {
    const decision = decide(
      freshMemory(),
      observe({
        demand: [demandOf(2 * instanceWorth)],
        instances: [rowOf(1, "DRAINING"), rowOf(2, "DRAINING", { reason: { code: "lifetime", message: "." } })],
        nodes: new Map(["node-1", "node-2"].map((node) => [node, nodeOf(node, { leases: 1 })])),
      }),
      inputOf(),
    );
    expect(of(decision, "undrain").map(({ instance }) => instance)).toEqual(["order-1-0"]);
    expect(launched(decision)).toBe(1);
  });

  it("takes the never registered, then the idle longest, then the least busy", () => {
    const memory = freshMemory();
    const instances = [0, 1, 2, 3].map((n) => rowOf(n, n === 3 ? "LAUNCHED" : "REGISTERED"));
    const nodes = new Map([
      ["node-0", nodeOf("node-0", { leases: 2, idleSinceMs: null, utilisation: 0.9 })],
      ["node-1", nodeOf("node-1", { idleSinceMs: startMs - 400_000 })],
      ["node-2", nodeOf("node-2", { leases: 1, idleSinceMs: null, utilisation: 0.4 })],
    ]);
    const manual = { atLeast: 0, atMost: 1, untilMs: startMs + 1_000, by: "operator" };
    const decision = decide(memory, observe({ instances, nodes, manual }), inputOf());
    expect(decision.actions.map((action) => "instance" in action && [action.type, action.instance])).toEqual([
      ["terminate", "order-3-0"],
      ["drain", "order-1-0"],
      ["drain", "order-2-0"],
    ]);
  });

  it("drains at most a quarter of the busy ones in a minute", () => {
    const memory = freshMemory();
    const { instances, nodes } = fleet(20, { leases: 1, idleSinceMs: null });
    const demand = [demandOf(2 * instanceWorth)];
    const first = decide(memory, observe({ instances, nodes, demand }), inputOf());
    expect(of(first, "drain")).toHaveLength(5);
    const rest = instances.slice(5);
    const second = decide(memory, observe({ nowMs: startMs + 30_000, instances: rest, nodes, demand }), inputOf());
    expect(of(second, "drain")).toHaveLength(0);
  });
});
