import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toyDefaults, toyOracle } from "./fixtures.ts";
import { TestGrid } from "./harness.ts";
import type { Lease } from "./state.ts";

const forbidden = [
  [Date, "now"],
  [Math, "random"],
  [performance, "now"],
  [globalThis, "setTimeout"],
  [globalThis, "setInterval"],
  [globalThis, "setImmediate"],
  [globalThis, "queueMicrotask"],
  [globalThis, "fetch"],
] as const;
const kept: [object, string, unknown][] = [];

beforeEach(() => {
  for (const [owner, name] of forbidden) {
    kept.push([owner, name, (owner as unknown as Record<string, unknown>)[name]]);
    (owner as unknown as Record<string, unknown>)[name] = () => {
      throw new Error(`the core used ${name}`);
    };
  }
});
afterEach(() => {
  for (const [owner, name, value] of kept.splice(0)) (owner as Record<string, unknown>)[name] = value;
});

/** A job by a volunteer and an own node, with a failure, a lost node, an audit and a cancellation. */
function scenario(): TestGrid {
  const grid = new TestGrid();
  grid.join("v", { speed: 10 }).join("own", { own: true, speed: 10 });
  grid.submit("j", { grains: 10 });
  grid.submit("k", { grains: 50 });
  const [lease] = grid.leasesOf("v");
  grid.say("v", { type: "fail", lease: (lease as Lease).id, grain: 0, reason: "kernel_trap", message: "" });
  grid.leave("v").pass(18_000).join("v", { session: "later" });
  for (let turn = 0; turn < 60 && grid.state.jobs.size > 0; turn++) {
    for (const node of ["own", "v"]) for (const held of grid.leasesOf(node)) grid.answer(held);
    for (const request of grid.requests.splice(0)) {
      const { job } = request;
      if (request.type === "compare")
        grid.do({ type: "compared", job, result: request.result, grain: request.grain, reason: null, proof: true });
      if (request.type === "finish")
        grid.do({ type: "finished", job, round: 0, attempt: 0, output: job, outputBlob: null });
    }
    grid.pass(1_000).say("own", { type: "progress", leases: [] }).say("v", { type: "progress", leases: [] });
  }
  return grid;
}

describe("the core", () => {
  it("uses no clock, no timer and no randomness of its own", () => {
    expect(scenario().state.totals).toMatchObject({ completed: 2, acceptedGrains: 60 });
    expect(() => Date.now()).toThrow("the core used now");
  });

  it("does the same for the same events", () => {
    const [a, b] = [scenario(), scenario()];
    expect(a.writes).toEqual(b.writes);
    expect(a.effects).toEqual(b.effects);
    expect(toyOracle(toyDefaults)).toBe(toyOracle(toyDefaults));
  });
});
