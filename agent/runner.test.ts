/** The runner with real keys and the real codec, in virtual time, against a coordinator in the same process. */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type BlobPort, ComputeError, type IdentityPort, type SocketPort } from "./ports.ts";
import { AgentRunner } from "./runner.ts";
import { settled, VirtualClock } from "./testing/clock.ts";
import { FakeCompute } from "./testing/fake-compute.ts";
import { FakeCoordinator } from "./testing/fake-coordinator.ts";
import { capabilities, jobMessage, leaseMessage, preferences, sha256 } from "./testing/fixtures.ts";
import { MemoryStorage } from "./testing/storage.ts";
import { storageConformance } from "./testing/storage-conformance.ts";

storageConformance("memory", async () => {
  const storage = new MemoryStorage();
  return { storage, reopen: () => storage };
});

/** Bytes pass at once, unless the wire is cut. */
function wireTo(coordinator: FakeCoordinator): SocketPort & { down: boolean } {
  return {
    down: false,
    open(on) {
      let live = true;
      const end = (reason: string): void => {
        if (!live) return;
        live = false;
        coordinator.post = null;
        queueMicrotask(() => on.close(reason));
      };
      queueMicrotask(() => {
        if (this.down) {
          end("refused");
          return;
        }
        on.open();
        coordinator.connected(
          (bytes) => queueMicrotask(() => live && on.frame(bytes)),
          () => end("cut"),
        );
      });
      return { send: (bytes) => live && coordinator.frame(bytes), close: () => end("closed") };
    },
  };
}

/** Real keys and hashes, made in the calling turn: WebCrypto's come from threads, at times of their own. */
function promptIdentity(): IdentityPort {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const x = publicKey.export({ format: "jwk" }).x as string;
  return {
    publicKey: new Uint8Array(Buffer.from(x, "base64url")),
    sign: async (bytes) => new Uint8Array(sign(null, bytes, privateKey)),
  };
}
const sha256Hex = async (bytes: Uint8Array): Promise<string> => createHash("sha256").update(bytes).digest("hex");

async function setUp(
  options: { storage?: MemoryStorage; identity?: IdentityPort; session?: string; blobs?: Partial<BlobPort> } = {},
) {
  const coordinator = new FakeCoordinator();
  const clock = new VirtualClock();
  const compute = new FakeCompute(clock, 100);
  const storage = options.storage ?? new MemoryStorage();
  const socket = wireTo(coordinator);
  const defects: unknown[] = [];
  const identity = options.identity ?? promptIdentity();
  const runner = new AgentRunner({
    socket,
    compute,
    clock,
    storage,
    identity,
    blobs: { blob: () => Promise.reject(new Error("no blob")), sha256Hex, ...options.blobs },
    session: options.session ?? "session-1",
    joinToken: null,
    capabilities,
    preferences: preferences({ wasm: 2 }),
    report: (error) => defects.push(error),
  });
  return { coordinator, clock, compute, storage, socket, runner, defects, identity };
}

const all = (lease: string, lo: number, hi: number) =>
  Array.from({ length: hi - lo }, (_, index) => [`${lease}/${lo + index}`, 1]);

/** Waits in real turns for what takes several of them. */
async function signaturesOf(until: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !until(); i++) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe("runner", () => {
  it("joins, calibrates, computes leases side by side, and hands every grain in once", async () => {
    const { runner, coordinator, clock, storage, defects } = await setUp();
    coordinator.onWelcome = () =>
      coordinator.send(jobMessage(), leaseMessage("a", 0, 30), leaseMessage("b", 30, 40), leaseMessage("c", 40, 41));
    const views: number[] = [];
    runner.onChange((view) => views.push(view.leases.length));
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    await clock.advance(5_000);
    await signaturesOf(() => coordinator.grains.size === 41);
    await settled();
    expect(Object.fromEntries(coordinator.grains)).toEqual(
      Object.fromEntries([...all("a", 0, 30), ...all("b", 30, 40), ...all("c", 40, 41)]),
    );
    expect(coordinator.of("calibration")).toMatchObject([{ speeds: [{ workload: "test", backend: "wasm" }] }]);
    expect(Math.max(...views)).toBe(3);
    expect([storage.kept.size, defects]).toEqual([0, []]);
  });

  it("sends after a restart what was never acknowledged, under the new session", async () => {
    const first = await setUp();
    first.coordinator.acknowledges = false;
    first.coordinator.onWelcome = () => first.coordinator.send(jobMessage(), leaseMessage("a", 0, 3));
    await first.runner.start();
    await signaturesOf(() => first.runner.view.phase === "online");
    await first.clock.advance(1_000);
    await signaturesOf(() => first.coordinator.grains.size === 3);
    expect(first.storage.kept.size).toBe(1);
    // The process is killed here: its runner is never told to stop.
    const { storage, identity } = first;
    const second = await setUp({ storage, identity, session: "session-2" });
    await second.runner.start();
    await signaturesOf(() => second.coordinator.grains.size === 3);
    expect(Object.fromEntries(second.coordinator.grains)).toEqual(Object.fromEntries(all("a", 0, 3)));
    await settled();
    expect(second.storage.kept.size).toBe(0);
  });

  it("goes on with its leases over a cut wire, and sends again what was on it", async () => {
    const { runner, coordinator, clock, socket, storage } = await setUp();
    coordinator.acknowledges = false;
    let welcomes = 0;
    coordinator.onWelcome = () => {
      if (++welcomes === 1) coordinator.send(jobMessage(), leaseMessage("a", 0, 10), leaseMessage("b", 10, 90));
    };
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    await clock.advance(1_500);
    await signaturesOf(() => coordinator.grains.size >= 10);
    socket.down = true;
    coordinator.hangUp();
    await clock.advance(3_000);
    expect(runner.view.phase).toBe("waiting");
    expect(runner.view.leases).toHaveLength(1);
    socket.down = false;
    coordinator.acknowledges = true;
    await clock.advance(4_000);
    await signaturesOf(() => runner.view.phase === "online");
    await clock.advance(8_000);
    await signaturesOf(() => coordinator.grains.size === 90);
    await settled();
    expect([...coordinator.grains.values()].every((times) => times === 1)).toBe(true);
    expect([welcomes, coordinator.of("hello")[1]?.holding.length, storage.kept.size]).toEqual([2, 1, 0]);
  });

  it("never asks a slot for two things at once, also where an abort takes its time", async () => {
    const { runner, coordinator, clock, compute } = await setUp();
    compute.abortMs = 400;
    coordinator.onWelcome = () => coordinator.send(jobMessage());
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    for (let i = 0; i < 8; i++) {
      coordinator.send(leaseMessage(`l${i}`, i, i + 1));
      await clock.advance(20);
      coordinator.send({ type: "revoke", lease: `l${i}`, reason: "deadline" });
      await clock.advance(20);
    }
    coordinator.send(leaseMessage("last", 9, 10));
    await clock.advance(2_000);
    await signaturesOf(() => coordinator.grains.size === 1);
    expect([...coordinator.grains]).toEqual([["last/9", 1]]);
    expect(coordinator.of("fail")).toEqual([]);
  });

  it("stops within a second while everything computes and nothing is acknowledged", async () => {
    const { runner, coordinator, clock, compute } = await setUp();
    coordinator.acknowledges = false;
    compute.abortMs = 900;
    coordinator.onWelcome = () => coordinator.send(jobMessage(), leaseMessage("a", 0, 90), leaseMessage("b", 90, 180));
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    await clock.advance(1_050);
    let stoppedAt: number | null = null;
    const before = clock.now();
    void runner.stop("button").then(() => {
      stoppedAt = clock.now();
    });
    await signaturesOf(() => coordinator.of("bye").length > 0);
    await clock.advance(2_000);
    expect(coordinator.of("bye")).toMatchObject([{ reason: "button" }]);
    expect(coordinator.grains.size).toBe(20);
    expect(stoppedAt).not.toBeNull();
    expect((stoppedAt ?? Number.POSITIVE_INFINITY) - before).toBeLessThan(1_000);
    expect(clock.timers).toBe(0);
    await runner.stop();
  });

  it("says why a grain could not be computed", async () => {
    const { runner, coordinator, clock, compute } = await setUp();
    coordinator.onWelcome = () => coordinator.send(jobMessage());
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    for (const [failure, reason, grain] of [
      [new ComputeError("out_of_memory", "4 GiB", 7), "out_of_memory", 7],
      [new Error("surprise"), "internal", 5],
    ] as const) {
      compute.failure = failure;
      coordinator.send(leaseMessage(reason, 5, 9));
      await clock.advance(500);
      expect(coordinator.of("fail").at(-1)).toMatchObject({ lease: reason, reason, grain, message: failure.message });
    }
  });

  it.each([
    ["kernel_mismatch", { ...jobMessage(), kernel: sha256("another kernel set") }],
    ["payload_unavailable", { ...jobMessage(), payload: { blob: sha256("gone") } }],
  ])("computes nothing on %s", async (reason, job) => {
    const { runner, coordinator, clock, compute } = await setUp();
    coordinator.onWelcome = () => coordinator.send(job, leaseMessage("a", 0, 2));
    await runner.start();
    await signaturesOf(() => coordinator.of("fail").length > 0);
    await clock.advance(100);
    expect(coordinator.of("fail")).toMatchObject([{ lease: "a", reason }]);
    expect(compute.requests).toEqual([]);
  });

  it("fetches a payload once, and hands over rounds' and slices' inputs", async () => {
    const round = Uint8Array.of(5, 6);
    const blobs = new Map([
      [sha256("payload"), new TextEncoder().encode('{"n":3}')],
      [sha256("input"), round],
    ]);
    const fetched: string[] = [];
    const blob = async (hash: string): Promise<Uint8Array> => {
      fetched.push(hash);
      return blobs.get(hash) as Uint8Array;
    };
    const { runner, coordinator, clock, compute } = await setUp({ blobs: { blob } });
    const job = { ...jobMessage(), payload: { blob: sha256("payload") }, input: sha256("input") };
    coordinator.onWelcome = () =>
      coordinator.send(job, { ...leaseMessage("a", 4, 6), inputs: Uint8Array.of(9) }, leaseMessage("b", 6, 7));
    await runner.start();
    await signaturesOf(() => compute.requests.length >= 2);
    await clock.advance(1_000);
    expect(fetched.sort()).toEqual([sha256("payload"), sha256("input")].sort());
    const { request } = compute.requests.find((one) => one.request.lo === 4) as (typeof compute.requests)[number];
    expect(request).toMatchObject({ payload: { n: 3 }, inputsFirstTask: 40 });
    expect([[...(request.input ?? [])], [...(request.inputs ?? [])]]).toEqual([[5, 6], [9]]);
  });

  it("closes a connection that speaks nonsense, and says so", async () => {
    const { runner, coordinator, clock, defects } = await setUp();
    await runner.start();
    await signaturesOf(() => runner.view.phase === "online");
    coordinator.post?.(Uint8Array.of(0xc1));
    await clock.advance(10);
    expect(runner.view.phase).toBe("waiting");
    expect(String(defects[0])).toMatch(/ProtocolError/);
  });
});
