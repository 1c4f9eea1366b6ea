import { describe, expect, it } from "vitest";
import { World } from "./testing/world.ts";

describe("stop", () => {
  it("ends computing at once, hands in whole grains, then says goodbye", () => {
    const world = new World({ wasm: 2 }).online();
    world.lease(9);
    world.lease(9);
    world.computed("wasm/0");
    world.give({ type: "stop", reason: "button" });
    expect(world.computing.size).toBe(0);
    expect(world.said("bye")).toEqual([]);
    world.sign();
    expect(world.sent.slice(-2)).toMatchObject([
      { type: "result", lo: 0, hi: 1 },
      { type: "bye", reason: "button" },
    ]);
    expect(world.stopped).toBe(false);
    world.receive({ type: "ack", seqs: [1], rejected: [] });
    expect(world.stopped).toBe(true);
  });

  it("waits no longer than a second for acknowledgements, and keeps what has none", () => {
    const world = new World().online();
    world.lease(9);
    world.computed();
    world.give({ type: "stop", reason: "" });
    world.sign();
    const before = world.now;
    world.wait(5_000);
    expect(world.stopped).toBe(true);
    expect(world.now - before).toBeLessThan(1_000);
    expect([...world.kept.keys()]).toEqual([1]);
  });

  it.each(["connecting", "greeting", "waiting", "refused"] as const)("ends at once while %s", (phase) => {
    const world = new World();
    world.give({ type: "start" });
    if (phase === "greeting") world.give({ type: "opened" });
    if (phase === "waiting") world.close();
    if (phase === "refused")
      world.receive({ type: "refuse", code: "bad_signature", message: "", remedy: "", retryMs: null });
    expect(world.state.phase).toBe(phase);
    world.give({ type: "stop", reason: "" });
    expect(world.stopped).toBe(true);
  });

  it("keeps grains that are finished while the connection is away", () => {
    const world = new World().online();
    world.lease(9);
    world.computed();
    world.close();
    world.give({ type: "stop", reason: "" });
    expect(world.stopped).toBe(false);
    world.sign();
    expect(world.stopped).toBe(true);
    expect([...world.kept.keys()]).toEqual([1]);
  });

  it("keeps them also when the connection goes while they are being signed", () => {
    const world = new World().online();
    world.lease(9);
    world.computed();
    world.give({ type: "stop", reason: "" });
    world.close();
    expect(world.stopped).toBe(false);
    world.sign();
    expect([...world.kept.keys()]).toEqual([1]);
    expect(world.stopped).toBe(true);
  });

  it("ends also when a signature never comes", () => {
    const world = new World().online();
    world.lease(9);
    world.computed();
    world.give({ type: "stop", reason: "" });
    world.wait(1_000);
    expect(world.stopped).toBe(true);
  });

  it("can be started again", () => {
    const world = new World().online();
    world.give({ type: "stop", reason: "" });
    expect(world.stopped).toBe(true);
    world.stopped = false;
    world.online();
    world.lease(2);
    expect(world.computing.size).toBe(1);
  });
});

describe("drain", () => {
  it("gives back what waits, finishes the grains at work, and gives back the rest", () => {
    const world = new World().online();
    const [first, second] = [world.lease(9), world.lease(9)];
    world.give({ type: "drain", reason: "signal" });
    expect(world.said("release")).toMatchObject([{ lease: second, reason: "draining" }]);
    expect(world.computing.size).toBe(1);
    world.lease(1);
    expect(world.said("release")).toHaveLength(2);
    world.computed();
    expect(world.computing.size).toBe(0);
    world.sign();
    expect(world.sent.slice(-3)).toMatchObject([
      { type: "result", lease: first, lo: 0, hi: 1 },
      { type: "release", lease: first, reason: "draining" },
      { type: "bye", reason: "signal" },
    ]);
    world.receive({ type: "ack", seqs: [1], rejected: [] });
    expect(world.stopped).toBe(true);
  });

  it("abandons grains that take longer than a moment", () => {
    const world = new World().online();
    world.lease(9);
    world.give({ type: "drain", reason: "" });
    const before = world.now;
    world.wait(5_000);
    expect(world.stopped).toBe(true);
    expect(world.now - before).toBeLessThan(2_500);
    expect(world.computing.size).toBe(0);
    expect(world.said("bye")).toHaveLength(1);
  });

  it("is cut short by a stop", () => {
    const world = new World().online();
    world.lease(9);
    world.give({ type: "drain", reason: "" });
    world.give({ type: "stop", reason: "" });
    expect(world.stopped).toBe(true);
  });

  it("is cut short by a lost connection", () => {
    const world = new World().online();
    world.lease(9);
    world.computed();
    world.give({ type: "drain", reason: "" });
    world.close();
    expect(world.computing.size).toBe(0);
    world.sign();
    expect(world.stopped).toBe(true);
    expect([...world.kept.keys()]).toEqual([1]);
  });

  it("ends at once where nothing is computed", () => {
    const world = new World().online();
    world.give({ type: "drain", reason: "" });
    expect(world.stopped).toBe(true);
  });
});
