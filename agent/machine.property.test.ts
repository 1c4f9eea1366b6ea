/** Whatever happens in whatever order: the laws that `World` checks after each event, and what must be so at the end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Backend } from "../protocol/messages.ts";
import { capabilities, preferences } from "./testing/fixtures.ts";
import { World } from "./testing/world.ts";

type Act = { run(world: World): void; toString(): string };
const act = (name: string, run: (world: World) => void): Act => ({ run, toString: () => name });
const pick = <T>(all: readonly T[], at: number): T | undefined => all[at % Math.max(1, all.length)];

const backend = fc.constantFrom<Backend>("wasm", "webgpu");
const acts = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .tuple(fc.integer({ min: 1, max: 40 }), backend)
      .map(([n, b]) => act(`lease ${n} ${b}`, (w) => online(w) && w.lease(n, b))),
  },
  {
    weight: 9,
    arbitrary: fc
      .tuple(fc.nat(9), fc.constantFrom(1, 20, 400))
      .map(([at, ms]) => act(`computed ${at} ${ms}`, (w) => w.computed(pick([...w.computing.keys()], at), ms))),
  },
  {
    weight: 1,
    arbitrary: fc.nat(9).map((at) => act(`failed ${at}`, (w) => w.failed(pick([...w.computing.keys()], at)))),
  },
  { weight: 5, arbitrary: fc.nat(9).map((at) => act(`sign ${at}`, (w) => w.signing.length > 0 && w.sign(at))) },
  { weight: 4, arbitrary: fc.nat(9).map((at) => act(`ack ${at}`, (w) => acknowledge(w, at))) },
  { weight: 2, arbitrary: fc.nat(9).map((at) => act(`revoke ${at}`, (w) => online(w) && revoke(w, at))) },
  { weight: 2, arbitrary: fc.constant(act("close", (w) => w.connected && w.close())) },
  { weight: 5, arbitrary: fc.boolean().map((resumes) => act(`reconnect ${resumes}`, (w) => reconnect(w, resumes))) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.nat(3), fc.nat(1))
      .map(([wasm, webgpu]) =>
        act(`slots ${wasm} ${webgpu}`, (w) =>
          w.give({ type: "preferences", preferences: preferences({ wasm, webgpu }) }),
        ),
      ),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((there) =>
      act(`gpu ${there}`, (w) =>
        w.give({
          type: "capabilities",
          capabilities: there ? capabilities : { ...capabilities, gpu: null },
          reason: "",
        }),
      ),
    ),
  },
  { weight: 3, arbitrary: fc.integer({ min: 100, max: 4_000 }).map((ms) => act(`wait ${ms}`, (w) => w.wait(ms))) },
  { weight: 1, arbitrary: fc.constant(act("unsigned", (w) => w.unsigned())) },
);

const online = (world: World): boolean => world.state.phase === "online";

function acknowledge(world: World, at: number): void {
  const result = pick(world.results(), at);
  if (online(world) && result) world.receive({ type: "ack", seqs: [result.seq], rejected: [] });
}

function revoke(world: World, at: number): void {
  const lease = pick([...world.state.leases.keys()], at);
  if (lease) world.receive({ type: "revoke", lease, reason: "deadline" });
}

/** On welcome everything that is signed and not acknowledged is sent again. */
function reconnect(world: World, resumes: boolean): void {
  if (world.connected || world.stopped) return;
  world.wait(40_000);
  // Attempts that nobody answers end, and the next one begins.
  for (let waited = 0; world.state.phase !== "connecting"; waited += 200) {
    if (world.stopped) return;
    expect(waited).toBeLessThan(60_000);
    world.wait(200);
  }
  const due = [...world.kept.keys()];
  world.greet(resumes ? [...world.state.leases.keys()] : []);
  expect(world.results().map((result) => result.seq)).toEqual(expect.arrayContaining(due));
  const [hello] = world.said("hello");
  if (hello?.type === "hello") expect(hello.holding.every((held) => held.next < held.hi)).toBe(true);
}

describe("any history", () => {
  const history = fc.array(acts, { minLength: 5, maxLength: 120 });

  it("reports no grain twice, keeps what is not acknowledged, sends it again, and stops in time", () => {
    fc.assert(
      fc.property(history, fc.constantFrom("stop", "drain"), fc.constantFrom(4, 4_096), (all, last, bytes) => {
        const world = new World({ wasm: 2, webgpu: 1 }, bytes).online();
        for (const one of all) one.run(world);
        const before = world.now;
        world.give({ type: last as "stop", reason: "" });
        if (last === "stop") expect(world.computing.size).toBe(0);
        world.wait(10_000);
        expect(world.stopped).toBe(true);
        expect(world.now - before).toBeLessThanOrEqual(last === "stop" ? 1_000 : 2_600);
        // Signatures that come late still reach the storage.
        world.sign();
        expect([...world.kept.keys()].sort()).toEqual([...world.state.unacknowledged.keys()].sort());
      }),
      { numRuns: 200 },
    );
  });

  it("finishes every lease once it is left alone", () => {
    fc.assert(
      fc.property(history, (all) => {
        const world = new World({ wasm: 2, webgpu: 1 }).online();
        for (const one of all) one.run(world);
        reconnect(world, true);
        world.give({ type: "capabilities", capabilities, reason: "" });
        world.give({ type: "preferences", preferences: preferences({ wasm: 2, webgpu: 1 }) });
        world.receive({ type: "standing", accepted: 0, rejected: 0, coreSeconds: 0 });
        for (let i = 0; world.computing.size > 0; i++) {
          world.computed();
          expect(i).toBeLessThan(50_000);
        }
        world.sign();
        for (const { seq } of world.results()) world.receive({ type: "ack", seqs: [seq], rejected: [] });
        expect([world.state.leases.size, world.kept.size, world.state.unacknowledgedBytes]).toEqual([0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
