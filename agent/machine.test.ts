import { describe, expect, it } from "vitest";
import { limits } from "../protocol/limits.ts";
import type { NodeMessage } from "../protocol/messages.ts";
import { protocolMinimum, protocolVersion } from "../protocol/version.ts";
import { createAgent, step } from "./machine.ts";
import { phaseTransitions } from "./machine-state.ts";
import { build, capabilities, jobMessage, leaseMessage, partialOf, preferences, seed } from "./testing/fixtures.ts";
import { World } from "./testing/world.ts";

const nonce = new Uint8Array(32).fill(7);
const protocol = { version: protocolVersion, minimum: protocolMinimum };
const refuse = { type: "refuse", code: "shutting_down", message: "Stopping.", remedy: "Wait." } as const;

describe("joining", () => {
  it("connects, signs the challenge, says what it holds, and is welcomed", () => {
    const world = new World();
    expect(world.give({ type: "start" })).toEqual([{ type: "connect" }, { type: "changed" }]);
    expect(world.give({ type: "opened" })).toEqual([{ type: "changed" }]);
    expect(world.receive({ type: "challenge", protocol, nonce, coordinator: "c" })).toContainEqual({
      type: "sign.hello",
      nonce,
    });
    const [send] = world.give({ type: "hello.signed", signature: new Uint8Array(64) });
    expect(send).toMatchObject({
      type: "send",
      messages: [{ type: "hello", session: "session-1", preferences: preferences(), holding: [] }],
    });
    world.connected = true;
    const effects = world.receive({
      type: "welcome",
      node: "n",
      own: true,
      heartbeatMs: 100,
      flushMs: 100,
      sign: false,
      resumed: [],
    });
    expect(effects).toContainEqual({ type: "calibrate" });
    expect(world.state).toMatchObject({ phase: "online", own: true, node: "n", sign: false });
  });

  it.each([
    ["upgrade_node", { version: 99, minimum: protocolVersion + 1 }],
    ["upgrade_coordinator", { version: protocolMinimum - 1, minimum: 0 }],
  ])("gives up with %s, and says who must be updated", (code, spoken) => {
    const world = new World();
    world.give({ type: "start" });
    const effects = world.receive({ type: "challenge", protocol: spoken, nonce, coordinator: "c" });
    expect(effects).toContainEqual({ type: "disconnect" });
    expect(world.state.phase).toBe("refused");
    expect(world.state.reason.code).toBe(code);
    expect(world.state.reason.remedy).not.toBe("");
    world.wait(120_000);
    expect(world.state.phase).toBe("refused");
  });

  it("gives up when coming back is pointless, and comes back when it is not", () => {
    for (const [retryMs, phase] of [
      [null, "refused"],
      [2_000, "waiting"],
    ] as const) {
      const world = new World();
      world.give({ type: "start" });
      expect(world.receive({ ...refuse, retryMs })).toContainEqual({ type: "disconnect" });
      expect(world.state.phase).toBe(phase);
      expect(world.state.reason).toMatchObject({ code: "shutting_down", message: "Stopping.", remedy: "Wait." });
    }
  });

  it("waits at least as long as a refusal asks, and not every node equally long", () => {
    const at = [0, 0.5, 0.999].map((entropy) => {
      const world = new World();
      world.give({ type: "start" });
      world.receive({ ...refuse, retryMs: 2_000 }, entropy);
      return world.state.reconnectAtMs;
    });
    expect(at[0]).toBe(2_000);
    expect(new Set(at).size).toBe(3);
  });

  it("doubles its waits up to half a minute, with jitter, and begins anew after a welcome", () => {
    const world = new World();
    world.give({ type: "start" });
    const waits: number[] = [];
    for (let i = 0; i < 9; i++) {
      world.give({ type: "closed", reason: "refused", entropy: 0.5 });
      waits.push(world.state.reconnectAtMs - world.now);
      world.now = world.state.reconnectAtMs;
      world.give({ type: "tick", entropy: 0 });
      expect(world.state.phase).toBe("connecting");
    }
    expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    world.greet();
    world.give({ type: "closed", reason: "lost", entropy: 0 });
    expect(world.state.reconnectAtMs - world.now).toBe(250);
  });

  it("tries again when nobody answers its greeting", () => {
    const world = new World();
    world.give({ type: "start" });
    world.wait(15_000);
    expect(world.state.phase).toBe("waiting");
    expect(world.state.reason.code).toBe("greeting_timeout");
  });

  it("reconnects after three silent heartbeats, and not before", () => {
    const world = new World().online();
    world.wait(16_000);
    expect(world.state.phase).toBe("online");
    expect(world.said("progress")).toHaveLength(3);
    world.wait(1_400);
    expect(world.state).toMatchObject({ phase: "waiting", reason: { code: "silent" } });
  });
});

describe("leases", () => {
  it("computes grain by grain, hands the whole in at the end, and starts the next lease at once", () => {
    const world = new World().online();
    const first = world.lease(3);
    const second = world.lease(1);
    expect(world.computing.get("wasm/0")).toMatchObject({ lo: 0, hi: 1, lease: { lease: first } });
    world.computed("wasm/0", 60);
    world.computed("wasm/0", 60);
    expect(world.signing).toHaveLength(0);
    world.computed("wasm/0", 60);
    expect(world.computing.get("wasm/0")).toMatchObject({ lease: { lease: second } });
    expect(world.signing).toMatchObject([{ seq: 1, lease: first, lo: 0, hi: 3, build, computeMs: 180 }]);
    world.sign();
    expect(world.results()).toMatchObject([{ seq: 1, ticket: `t-${first}`, leaseLo: 0, leaseHi: 3 }]);
  });

  it("asks for so many grains at once as fill about 200 ms of a GPU and 100 ms of a thread", () => {
    for (const [backend, grains] of [
      ["webgpu", 100],
      ["wasm", 50],
    ] as const) {
      const world = new World({ [backend]: 1 }).online();
      world.lease(1_000, backend);
      world.computed(`${backend}/0`, 2);
      const asked = world.computing.get(`${backend}/0`);
      expect(asked && asked.hi - asked.lo).toBe(grains);
    }
  });

  it("hands in finished grains at least every flushMs", () => {
    const world = new World().online();
    world.lease(1_000);
    let lastHi = 0;
    for (let i = 0; i < 20; i++) {
      world.computed("wasm/0", 1_000);
      world.wait(1_000);
      world.receive({ type: "standing", accepted: 0, rejected: 0, coreSeconds: 0 });
      world.sign();
      const hi = world.results().at(-1)?.hi ?? 0;
      if (i >= 5) expect(i + 1 - hi, "grains that wait").toBeLessThanOrEqual(5);
      lastHi = hi;
    }
    expect(lastHi).toBeGreaterThan(15);
  });

  it("cuts large partials into results that a frame can hold", () => {
    const world = new World({ wasm: 1 }, limits.partialBytesMax).online();
    world.lease(400);
    while (world.computing.size > 0) world.computed("wasm/0", 0.1);
    world.sign();
    expect(world.results().length).toBeGreaterThan(6);
    expect(world.results().at(-1)?.hi).toBe(400);
  });

  it("names one build in a result", () => {
    const world = new World().online();
    const lease = world.lease(2);
    world.computed();
    const other = "f".repeat(64);
    world.computing.clear();
    const partials = [partialOf(1)];
    world.give({ type: "computed", backend: "wasm", slot: 0, lease, lo: 1, partials, computeMs: 1, build: other });
    expect(world.signing.map((result) => [result.lo, result.hi, result.build])).toEqual([
      [0, 1, build],
      [1, 2, other],
    ]);
  });

  it.each([
    ["an empty answer", []],
    ["more grains than the lease has", [partialOf(0), partialOf(1), partialOf(2)]],
    ["a partial that is too large", [new Uint8Array(limits.partialBytesMax + 1)]],
  ])("fails the lease on %s", (_what, partials) => {
    const world = new World().online();
    const lease = world.lease(2);
    world.computing.clear();
    world.give({ type: "computed", backend: "wasm", slot: 0, lease, lo: 0, partials, computeMs: 1, build });
    expect(world.said("fail")).toMatchObject([{ lease, grain: 0, reason: "internal" }]);
  });

  it("asks for one grain at a time once a grain of several did not come back, and then says which", () => {
    const world = new World().online();
    const lease = world.lease(40);
    world.computed("wasm/0", 1);
    const batch = world.computing.get("wasm/0");
    expect((batch?.hi ?? 0) - (batch?.lo ?? 0)).toBeGreaterThan(1);
    const timeout = { type: "failed", backend: "wasm", slot: 0, lease, reason: "timeout", message: "silent" } as const;
    const fail = (grain: number): void => {
      world.computing.clear();
      world.give({ ...timeout, grain });
    };
    fail(1);
    expect(world.said("fail")).toEqual([]);
    for (let grain = 1; grain < 5; grain++) {
      expect(world.computing.get("wasm/0")).toMatchObject({ lo: grain, hi: grain + 1 });
      world.computed("wasm/0", 1);
    }
    fail(5);
    world.sign();
    expect(world.said("fail")).toMatchObject([{ lease, grain: 5, reason: "timeout" }]);
  });

  it("says which grain failed, after the grains that are finished", () => {
    const world = new World().online();
    const lease = world.lease(5);
    world.computed();
    world.failed();
    expect(world.said("fail")).toEqual([]);
    world.sign();
    expect(world.sent.slice(-2)).toMatchObject([
      { type: "result", lo: 0, hi: 1 },
      { type: "fail", lease, grain: 1, reason: "kernel_trap", message: "trap" },
    ]);
  });

  it("fails the lease of a result that cannot be signed, and goes on with the next", () => {
    const world = new World().online();
    const [first, second] = [world.lease(5), world.lease(1)];
    world.computed("wasm/0", 3_000);
    world.wait(3_000);
    expect(world.signing).toHaveLength(1);
    world.unsigned();
    expect(world.said("fail")).toMatchObject([{ lease: first, grain: 0, reason: "internal" }]);
    expect(world.computing.get("wasm/0")?.lease.lease).toBe(second);
  });

  it("says so of a lease that is finished only after its other results", () => {
    const world = new World().online();
    const lease = world.lease(2);
    world.computed("wasm/0", 3_000);
    world.wait(3_000);
    world.computed();
    expect(world.signing).toHaveLength(2);
    world.unsigned();
    expect(world.said("fail")).toEqual([]);
    world.sign();
    expect(world.sent.slice(-2)).toMatchObject([
      { type: "result", lo: 1, hi: 2 },
      { type: "fail", lease, grain: 0, reason: "internal" },
    ]);
  });

  it.each<[string, (world: World) => void, Partial<NodeMessage>]>([
    ["without a slot", (w) => w.lease(1, "webgpu"), { type: "release", reason: "slot_lost" }],
    [
      "without a job",
      (w) => w.receive(leaseMessage("x", 0, 1, "wasm", "job-9")),
      { type: "fail", reason: "payload_unavailable" },
    ],
    [
      "of another round",
      (w) => w.receive({ ...leaseMessage("x", 0, 1), round: 1 }),
      { type: "fail", reason: "payload_unavailable" },
    ],
    ["of no grains", (w) => w.receive(leaseMessage("x", 4, 4)), { type: "fail", reason: "invalid_params" }],
    ["of too many", (w) => w.receive(leaseMessage("x", 0, 1_025)), { type: "fail", reason: "invalid_params" }],
  ])("refuses a lease %s", (_what, give, answer) => {
    const world = new World().online();
    give(world);
    expect(world.sent.at(-1)).toMatchObject(answer);
    expect(world.state.leases.size).toBe(0);
  });

  it("takes a lease that it has already for the same one", () => {
    const world = new World().online();
    world.receive(leaseMessage("x", 0, 3));
    world.computed();
    world.receive(leaseMessage("x", 0, 3));
    world.computed();
    world.computed();
    world.sign();
    expect(world.results()).toHaveLength(1);
  });

  it("hands in what is finished of a revoked lease, and goes on with the next", () => {
    const world = new World().online();
    const first = world.lease(5);
    const second = world.lease(1);
    world.computed();
    world.receive({ type: "revoke", lease: first, reason: "deadline" });
    expect(world.signing).toMatchObject([{ lease: first, lo: 0, hi: 1 }]);
    expect(world.computing.get("wasm/0")?.lease.lease).toBe(second);
  });

  it("forgets a job with its leases", () => {
    const world = new World().online();
    world.lease(5);
    world.computed();
    world.receive({ type: "forget", job: "job-1" });
    expect([world.signing.length, world.state.leases.size, world.state.jobs.size, world.state.grainMs.size]).toEqual([
      0, 0, 0, 0,
    ]);
  });

  it("keeps a bounded number of jobs, and those that leases need", () => {
    const world = new World().online();
    world.lease(5);
    for (let i = 2; i < 400; i++) world.receive(jobMessage(`job-${i}`));
    expect(world.state.jobs.size).toBe(256);
    expect(world.state.jobs.has("job-1")).toBe(true);
    expect(world.state.jobs.has("job-399")).toBe(true);
  });

  it("stops computing while too many results wait, and goes on once they are acknowledged", () => {
    const earlier = new World().online();
    earlier.lease(1);
    earlier.computed();
    const [result] = earlier.signing;
    const world = new World();
    const signed = { ...result!, root: new Uint8Array(32) };
    const results = Array.from({ length: limits.unacknowledgedResultsMax - 1 }, (_, i) => ({ ...signed, seq: i + 1 }));
    for (const kept of results) world.kept.set(kept.seq, kept);
    world.give({ type: "restored", results });
    world.online();
    world.lease(2);
    world.lease(2);
    world.computed();
    world.computed();
    world.sign();
    expect(world.state.unacknowledged.size).toBe(limits.unacknowledgedResultsMax);
    expect(world.computing.size).toBe(0);
    world.receive({ type: "ack", seqs: [1], rejected: [] });
    expect(world.computing.size).toBe(1);
    // The next lease is finished, and its grains wait for room without being lost.
    world.computed();
    world.computed();
    world.sign();
    world.receive({ type: "ack", seqs: [2, 3], rejected: [] });
    world.sign();
    expect(world.results().at(-1)).toMatchObject({ lease: "lease-2", lo: 0, hi: 2 });
    expect(world.state.leases.size).toBe(0);
  });
});

describe("the owner's wishes", () => {
  it("gives back the surplus when slots become fewer, finished grains first", () => {
    const world = new World({ wasm: 2 }).online();
    const [first, second] = [world.lease(9), world.lease(9)];
    world.computed("wasm/1");
    world.give({ type: "preferences", preferences: preferences({ wasm: 1 }) });
    expect(world.said("preferences")).toHaveLength(1);
    expect([...world.computing.values()].map((asked) => asked.lease.lease)).toEqual([first]);
    world.sign();
    expect(world.sent.slice(-2)).toMatchObject([
      { type: "result", lease: second, lo: 0, hi: 1 },
      { type: "release", lease: second, reason: "preferences" },
    ]);
  });

  it("takes the GPU's slots and leases back when it is lost, and offers them again when it is there again", () => {
    const world = new World({ wasm: 1, webgpu: 1 }).online();
    const lease = world.lease(9, "webgpu");
    const without = { ...capabilities, gpu: null };
    world.give({ type: "capabilities", capabilities: without, reason: "lost" });
    expect(world.sent.slice(-3)).toMatchObject([
      { type: "capabilities", capabilities: { gpu: null }, reason: "lost" },
      { type: "release", lease, reason: "slot_lost" },
      { type: "preferences", preferences: { slots: { wasm: 1, webgpu: 0 } } },
    ]);
    world.give({ type: "preferences", preferences: preferences({ wasm: 1, webgpu: 1 }) });
    expect(world.sent.at(-1)).toMatchObject({ preferences: { slots: { webgpu: 0 } } });
    world.give({ type: "capabilities", capabilities, reason: "back" });
    expect(world.sent.at(-1)).toMatchObject({ preferences: { slots: { webgpu: 1 } } });
  });
});

describe("reconnecting", () => {
  it("computes on meanwhile, sends again what is not acknowledged, and goes on with what is resumed", () => {
    const world = new World({ wasm: 2 }).online();
    const [first, second] = [world.lease(3), world.lease(3)];
    world.lease(1);
    for (let i = 0; i < 3; i++) world.computed("wasm/0", 100);
    world.sign();
    world.computed("wasm/1", 100);
    world.close();
    expect(world.computing.size).toBe(2);
    world.wait(600);
    expect(world.state.phase).toBe("connecting");
    world.greet([]);
    expect(world.said("hello")).toMatchObject([{ holding: [{ lease: second, next: 0 }, { lease: "lease-3" }] }]);
    expect(world.results()).toMatchObject([{ seq: 1, lease: first }]);
    // What is not resumed is dropped, but for what is finished of it.
    expect(world.state.leases.size).toBe(0);
    expect(world.signing).toMatchObject([{ lease: second, lo: 0, hi: 1 }]);
  });

  it("sends results of an earlier run, under numbers that no new one takes", () => {
    const earlier = new World().online();
    earlier.lease(1);
    earlier.computed();
    earlier.sign();
    const world = new World();
    world.kept.set(1, earlier.results()[0] as never);
    world.give({ type: "restored", results: [...earlier.kept.values()] });
    world.online();
    expect(world.results()).toMatchObject([{ seq: 1 }]);
    world.lease(1);
    world.computed();
    expect(world.signing).toMatchObject([{ seq: 2 }]);
    world.receive({ type: "ack", seqs: [1], rejected: [] });
    expect(world.kept.size).toBe(0);
    expect(world.state.acknowledgedByBackend).toEqual({ wasm: 1 });
  });

  it("signs anew what an earlier version signed otherwise", () => {
    const earlier = new World().online();
    earlier.lease(1);
    earlier.computed();
    earlier.sign();
    const old = [...earlier.kept.values()].map(({ root: _, ...result }) => result);
    const world = new World();
    world.give({ type: "restored", results: old as never });
    world.online();
    expect(world.results()).toEqual([]);
    world.sign();
    expect(world.results()).toMatchObject([{ seq: 1, root: new Uint8Array(32).fill(1) }]);
  });

  it("forgets what was rejected as well", () => {
    const world = new World().online();
    world.lease(1);
    world.computed();
    world.sign();
    const effects = world.receive({ type: "ack", seqs: [], rejected: [{ seq: 1, reason: "job_ended" }] });
    expect(effects).toContainEqual({ type: "forget", seqs: [1] });
    expect(world.state.acknowledgedByBackend).toEqual({});
  });
});

describe("the transition table", () => {
  it("throws with the story on what it does not list", () => {
    const state = createAgent(seed());
    step(state, { type: "start" }, 0);
    expect(() => step(state, { type: "start" }, 0)).toThrow(/connecting -> connecting is not allowed; story: stopped/);
  });
  it("leads from every phase to stopped", () => {
    const reached = new Set(["stopped"]);
    for (let i = 0; i < 9; i++) {
      for (const [from, to] of Object.entries(phaseTransitions)) if (to.some((t) => reached.has(t))) reached.add(from);
    }
    expect([...reached].sort()).toEqual(Object.keys(phaseTransitions).sort());
  });
});
