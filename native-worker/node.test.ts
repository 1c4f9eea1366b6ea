/** The worker as a class, against a small coordinator over a real WebSocket, with real threads and kernels. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { leaseMessage } from "../agent/testing/fixtures.ts";
import { regionByClock } from "../protocol/regions.ts";
import { defaultFamilies, WorkerNode } from "./node.ts";
import { expectedPartial, job, startServer, until } from "./testing/server.ts";

let dataDir = "";
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "queztl-worker-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe("WorkerNode", () => {
  it("joins, calibrates, computes on its threads, and hands in what the kernel computes elsewhere too", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    const partials = new Map<number, Uint8Array>();
    coordinator.checkPartial = (grain, partial) => void partials.set(grain, partial.slice());
    coordinator.onWelcome = () => coordinator.send(job(), leaseMessage("a", 0, 20), leaseMessage("b", 20, 40));
    const node = new WorkerNode({ coordinatorUrl: server.url, threads: 2, gpu: false, dataDir, name: "tester" });
    await node.start();
    try {
      await until("all grains are handed in", () => partials.size === 40);
      await until("speeds are told", () => coordinator.of("calibration").length > 0);
      for (const grain of [0, 19, 39])
        expect(new Uint8Array(partials.get(grain)!)).toEqual(await expectedPartial(grain));
      const [hello] = coordinator.of("hello");
      expect(hello?.preferences).toEqual({
        slots: { wasm: 2, webgpu: 0, native: 0 },
        families: defaultFamilies(false),
        name: "tester",
        region: regionByClock(),
      });
      expect(hello?.capabilities).toMatchObject({ kind: "native", gpu: null, wasm: { simd: true } });
      expect(coordinator.of("calibration")[0]?.speeds).toContainEqual(
        expect.objectContaining({ workload: "monte_carlo", backend: "wasm" }),
      );
      // A kernel file is fetched once, however many threads run it.
      const fetched = server.requests.filter((path) => path.startsWith("/k/"));
      expect(new Set(fetched).size).toBe(fetched.length);
      await until("what is acknowledged is forgotten", () => node.view?.unacknowledged === 0);
    } finally {
      await node.stop();
    }
  });

  it("stops within a second in the middle of a grain of minutes, and can be followed by another at once", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    coordinator.onWelcome = () => coordinator.send(job({ grainTasks: 5_000 }), leaseMessage("a", 0, 1));
    const node = new WorkerNode({ coordinatorUrl: server.url, threads: 1, gpu: false, dataDir });
    await node.start();
    await until("it computes", () => (node.view?.leases[0]?.fraction ?? 0) > 0);
    const startedMs = performance.now();
    await node.stop("enough");
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await until("it says goodbye", () => coordinator.of("bye").length === 1);
    expect(coordinator.of("result")).toEqual([]);
    const next = await new WorkerNode({ coordinatorUrl: server.url, threads: 1, gpu: false, dataDir }).start();
    await until("the next joins", () => coordinator.of("hello").length === 2);
    await next.stop();
    const [first, second] = coordinator.of("hello");
    expect(second?.publicKey).toEqual(first?.publicKey);
    expect(second?.session).not.toBe(first?.session);
  });

  it("runs no kernel that is not what its name says", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    const hash = job().files["wasm-simd"]?.sha256;
    server.damaged.set(`/k/${hash}.wasm`, Buffer.from("\0asm, but another"));
    coordinator.onWelcome = () => coordinator.send(job(), leaseMessage("a", 0, 2));
    const node = await new WorkerNode({ coordinatorUrl: server.url, threads: 1, gpu: false, dataDir }).start();
    await until("it refuses", () => coordinator.of("fail").length > 0);
    expect(coordinator.of("fail")[0]).toMatchObject({ lease: "a", grain: 0, reason: "kernel_unavailable" });
    expect(coordinator.of("fail")[0]?.message).toContain("not what its name says");
    await node.stop();
  });

  it("goes on with its lease when the connection is cut", async () => {
    await using server = await startServer();
    const { coordinator } = server;
    coordinator.flushMs = 200;
    coordinator.onWelcome = () => {
      if (coordinator.of("hello").length === 1) coordinator.send(job({ grainTasks: 16 }), leaseMessage("a", 0, 300));
    };
    const node = await new WorkerNode({ coordinatorUrl: server.url, threads: 1, gpu: false, dataDir }).start();
    await until("it hands in grains", () => coordinator.grains.size > 0);
    coordinator.hangUp();
    await until("it comes back", () => coordinator.of("hello").length === 2);
    const before = coordinator.grains.size;
    await until("it hands in more", () => coordinator.grains.size > before);
    expect(coordinator.of("hello")[1]?.holding).toMatchObject([{ lease: "a" }]);
    expect([...coordinator.grains.values()].every((times) => times === 1)).toBe(true);
    await node.stop();
  });

  it("keeps its folder to itself", async () => {
    await using server = await startServer();
    const options = { coordinatorUrl: server.url, threads: 1, gpu: false, dataDir };
    const first = await new WorkerNode(options).start();
    await expect(new WorkerNode(options).start()).rejects.toThrow(/Another worker uses .* --data/);
    await first.stop();
  });

  it("lets go of its folder when it cannot start", async () => {
    await writeFile(join(dataDir, "identity.json"), "no key");
    const options = { coordinatorUrl: "http://127.0.0.1:9", threads: 1, gpu: false, dataDir };
    await expect(new WorkerNode(options).start()).rejects.toThrow(/identity\.json is damaged/);
    await rm(join(dataDir, "identity.json"));
    const node = await new WorkerNode(options).start();
    await until("it waits", () => node.view?.phase === "waiting");
    expect(node.view?.reason.message).toContain("ECONNREFUSED");
    await node.stop();
  });
});

describe("families", () => {
  it("leaves out what must be switched on, but not on own nodes", () => {
    expect(defaultFamilies(false)).not.toContain("hashing");
    expect(defaultFamilies(true)).toEqual(expect.arrayContaining(["hashing", ...defaultFamilies(false)]));
  });
});
