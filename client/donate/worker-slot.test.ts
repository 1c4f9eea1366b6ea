import * as Comlink from "comlink";
import { afterEach, expect, test } from "vitest";
import type { GrainRun } from "../../kernels/run/grains.ts";
import { StopFlag } from "../../kernels/run/stop-flag.ts";
import type { GpuApi, GpuProbe, RunOutcome, Settings } from "./compute-api.ts";
import { GpuSlot } from "./gpu-slot.ts";
import { hardStopMs, WorkerSlot } from "./worker-slot.ts";

const run = { lo: 0, hi: 1 } as GrainRun;
const done: RunOutcome = {
  ok: true,
  partials: [new Uint8Array([7])],
  computeMs: 1,
  build: "b",
  coreSeconds: 1,
  finding: "",
  picture: null,
  dispatches: 3,
};
const never = new Promise<RunOutcome>(() => {});
const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A worker whose script is `api`, over a real message channel. */
function fakeWorker(api: Partial<GpuApi>, log: string[] = []): Worker {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  Comlink.expose(api, port2 as unknown as Comlink.Endpoint);
  port1.start();
  log.push("started");
  return Object.assign(port1, {
    terminate: () => {
      log.push("terminated");
      port1.close();
    },
  }) as unknown as Worker;
}

test("a grain that pauses after an abort keeps its worker", async () => {
  const log: string[] = [];
  let stop: (outcome: RunOutcome) => void = () => {};
  const api: Partial<GpuApi> = {
    run: () =>
      new Promise((resolve) => {
        stop = resolve;
      }),
    abort: () => stop({ ok: false, reason: "aborted", message: "", grain: null }),
  };
  const slot = new WorkerSlot(() => fakeWorker(api, log));
  const abort = new AbortController();
  const running = slot.run(run, abort.signal, () => {});
  setTimeout(() => abort.abort(), 20);
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  expect(slot.hardStops).toBe(0);
  expect(log).toEqual(["started"]);
});

test("a grain that does not pause is stopped with its worker, and the next has a fresh one", async () => {
  const log: string[] = [];
  const outcomes = [never, Promise.resolve(done)];
  const api = { run: () => outcomes.shift()!, abort: () => {} };
  const slot = new WorkerSlot(() => fakeWorker(api, log));
  const abort = new AbortController();
  const running = slot.run(run, abort.signal, () => {});
  const startedMs = performance.now();
  abort.abort();
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  expect(performance.now() - startedMs).toBeLessThan(hardStopMs + 300);
  expect(slot.hardStops).toBe(1);
  expect(await slot.run(run, new AbortController().signal, () => {})).toMatchObject({ build: "b" });
  expect(log).toEqual(["started", "terminated", "started"]);
});

test("an abort raises the flag that the worker looks at; the next run finds it lowered", async () => {
  const flags: StopFlag[] = [];
  const raised: boolean[] = [];
  const api: Partial<GpuApi> = {
    configure: (_settings, stop) => void flags.push(new StopFlag(stop as SharedArrayBuffer)),
    abort: () => {},
    // A worker that heeds no message while it computes: it only looks.
    run: async () => {
      const flag = flags.at(-1) as StopFlag;
      raised.push(flag.raised);
      const untilMs = Date.now() + 300;
      while (!flag.raised && Date.now() < untilMs) await new Promise((resolve) => setTimeout(resolve, 5));
      return flag.raised ? { ok: false, reason: "aborted", message: "", grain: null } : done;
    },
  };
  const slot = new WorkerSlot(() => fakeWorker(api));
  const abort = new AbortController();
  const running = slot.run(run, abort.signal, () => {});
  setTimeout(() => abort.abort(), 30);
  await expect(running).rejects.toMatchObject({ name: "AbortError" });
  expect(slot.hardStops).toBe(0);
  expect(await slot.run(run, new AbortController().signal, () => {})).toMatchObject({ build: "b" });
  expect(raised).toEqual([false, false]);
});

test("settings hold for a worker and for the one that replaces it", async () => {
  const told: Settings[] = [];
  const api: Partial<GpuApi> = { configure: (settings) => void told.push(settings), run: () => never };
  const slot = new WorkerSlot(() => fakeWorker(api));
  const half = { duty: 0.5, memoryBytesMax: 1 };
  slot.configure(half);
  slot.api();
  slot.configure({ ...half });
  slot.configure({ duty: 1, memoryBytesMax: 1 });
  slot.close();
  slot.api();
  await expect.poll(() => told.map(({ duty }) => duty)).toEqual([0.5, 1, 1]);
});

test("a failure carries its reason and its grain", async () => {
  const outcome: RunOutcome = { ok: false, reason: "kernel_trap", message: "unreachable", grain: 5 };
  const slot = new WorkerSlot(() => fakeWorker({ run: async () => outcome, abort: () => {} }));
  await expect(slot.run(run, new AbortController().signal, () => {})).rejects.toMatchObject({
    reason: "kernel_trap",
    grain: 5,
  });
});

test("a lost GPU is opened once more, then given up with a reason", async () => {
  const told: string[] = [];
  const shares: number[] = [];
  let lose: (message: string) => void = () => {};
  const probe: GpuProbe = {
    ok: true,
    gpu: { name: "card", vendor: "v", architecture: "a", software: false, vramBytes: null, features: [], limits: {} },
  };
  const api: Partial<GpuApi> = {
    open: async (_software, chunkShare, onLost) => {
      shares.push(chunkShare);
      lose = onLost;
      return probe;
    },
    run: () => never,
    abort: () => {},
  };
  const gpu = new GpuSlot(
    () => fakeWorker(api),
    false,
    (reason) => told.push(reason),
  );
  await gpu.open();
  expect(gpu.view.state).toBe("on");
  const running = gpu.run(run, new AbortController().signal, () => {});
  running.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 20));
  lose("first");
  await expect(running).rejects.toMatchObject({ reason: "device_lost" });
  await expect.poll(() => told.length).toBe(1);
  expect(gpu.view.state).toBe("on");
  expect(gpu.capabilities).not.toBeNull();
  lose("second");
  await expect.poll(() => told.length).toBe(2);
  expect(gpu.view.state).toBe("lost");
  expect(gpu.capabilities).toBeNull();
  expect(told[1]).toContain("second");
  await expect(gpu.run(run, new AbortController().signal, () => {})).rejects.toMatchObject({ reason: "device_lost" });
  // After the loss, with chunks of half the length.
  expect(shares).toEqual([1, 0.5]);
});

test("a software adapter is no GPU, and the page is told why", async () => {
  const refused: GpuProbe = { ok: false, message: "Only a software adapter was found." };
  const gpu = new GpuSlot(
    () => fakeWorker({ open: async () => refused }),
    false,
    () => {},
  );
  await gpu.open();
  expect(gpu.view).toEqual({ state: "unavailable", message: refused.message, name: "" });
});
