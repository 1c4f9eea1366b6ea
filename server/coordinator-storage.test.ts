/** What the coordinator does while what it stores cannot be stored: in one process, over stores that fail on demand. */
import { afterEach, describe, expect, it } from "vitest";
import { MemoryBlobs } from "./blobs/memory.ts";
import { type Catalog, entryOf } from "./catalog.ts";
import { Coordinator } from "./coordinator.ts";
import { MemoryStore } from "./store/memory.ts";
import { type Snapshot, StoreError } from "./store/store.ts";
import { FakeNode } from "./testing/fake-node.ts";
import workload, { sumOf } from "./testing/workload.ts";

const joinToken = "a join token for tests";
const folder = new URL("./testing/", import.meta.url);
const files = { "wasm-simd": { sha256: "b".repeat(64), bytes: 1 } };
const running: Coordinator[] = [];

afterEach(async () => {
  for (const coordinator of running.splice(0)) await coordinator.stop();
});

/** Puts fail while told so. */
class FullBlobs extends MemoryBlobs {
  isFull = false;
  refused = 0;

  override async put(bytes: Uint8Array): Promise<string> {
    if (!this.isFull) return super.put(bytes);
    return this.#refuse();
  }

  override async putStream(...given: Parameters<MemoryBlobs["putStream"]>): ReturnType<MemoryBlobs["putStream"]> {
    return this.isFull ? this.#refuse() : super.putStream(...given);
  }

  #refuse(): never {
    this.refused++;
    throw new Error("ENOSPC: no space left on device, write");
  }
}

/** Reads fail while told so; counts how often it is opened. */
class DeafStore extends MemoryStore {
  isDeaf = false;
  opened = 0;

  override open(coordinator: string): Promise<Snapshot> {
    this.opened++;
    return super.open(coordinator);
  }

  override async job(id: string) {
    if (this.isDeaf) throw new StoreError("refused", "The store is not open.");
    return super.job(id);
  }
}

/** Looks up idempotency keys, and opens again, only when told to. */
class SlowStore extends MemoryStore {
  readonly lookups: (() => void)[] = [];
  readonly openings: (() => void)[] = [];
  #isOpened = false;

  override async open(coordinator: string): Promise<Snapshot> {
    if (this.#isOpened) await new Promise<void>((resolve) => this.openings.push(resolve));
    this.#isOpened = true;
    return super.open(coordinator);
  }

  override async jobByIdempotencyKey(submitter: string, key: string) {
    await new Promise<void>((resolve) => this.lookups.push(resolve));
    return super.jobByIdempotencyKey(submitter, key);
  }
}

async function sums(): Promise<Catalog> {
  const kernel = { kernel: "a".repeat(64), files };
  const modules = [new URL("workload.ts", folder).href, new URL("host.ts", folder).href] as const;
  return new Map([["sum", await entryOf(workload as never, kernel, ...modules)]]);
}

async function start(options: { store?: MemoryStore; blobs?: MemoryBlobs; catalog?: Catalog } = {}) {
  const logged: string[] = [];
  const coordinator = await Coordinator.start({
    store: options.store ?? new MemoryStore(),
    blobs: options.blobs ?? new MemoryBlobs(),
    catalog: options.catalog ?? (await sums()),
    id: "test-coordinator",
    hostname: "test",
    version: "0.0.0",
    joinToken,
    ticketSecret: "a ticket secret for tests",
    config: { recoveryMs: 200, reconnectMs: 200 },
    log: (code) => logged.push(code),
  });
  running.push(coordinator);
  return { coordinator, logged };
}

const submit = (coordinator: Coordinator, payload: unknown, idempotencyKey: string | null = null) =>
  coordinator.submit({
    workload: "sum",
    payload,
    priority: 5,
    submitter: "local",
    idempotencyKey,
    bodyHash: "hash",
  });

async function until(holds: () => Promise<boolean> | boolean, ms = 8_000): Promise<void> {
  for (const endMs = Date.now() + ms; !(await holds()); ) {
    if (Date.now() > endMs) throw new Error("it did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isCompleted = (coordinator: Coordinator, id: string) => async () =>
  (await coordinator.job(id))?.status === "completed";

describe("while the disk is full", () => {
  it("a large output waits for room, and is not lost", async () => {
    const blobs = new FullBlobs();
    const { coordinator, logged } = await start({ blobs });
    const ballast = "x".repeat(100_000);
    const { job } = await submit(coordinator, { tasks: 100, ballast, echo: true });
    blobs.isFull = true;
    new FakeNode({ joinToken }).join(coordinator);
    await until(() => blobs.refused >= 2);
    expect((await coordinator.job(job.task_id))?.status).toBe("running");
    expect(logged).toContain("storage_failed");
    blobs.isFull = false;
    await until(isCompleted(coordinator, job.task_id));
    expect((await coordinator.result(job.task_id))?.output).toEqual({ sum: sumOf(0, 100), ballast });
  });

  it("a job's end is told although the record cannot be read: it was committed", async () => {
    const store = new DeafStore();
    const { coordinator } = await start({ store });
    const { job } = await submit(coordinator, { tasks: 100 });
    const told: string[] = [];
    coordinator.subscribeJob(job.task_id, null, ({ event }) => {
      if (event.event !== "partial") told.push(event.job.status);
    });
    store.isDeaf = true;
    new FakeNode({ joinToken }).join(coordinator);
    await until(() => told.at(-1) === "completed");
    expect((await coordinator.result(job.task_id))?.output).toEqual({ sum: sumOf(0, 100) });
    store.isDeaf = false;
  });
});

describe("a commit that fails", () => {
  it("refuses a cancellation and a key that were in it, rather than let them wait for ever", async () => {
    const store = new MemoryStore();
    const { coordinator } = await start({ store });
    const { job } = await submit(coordinator, { tasks: 100 });
    store.failNextCommit("refused");
    await expect(coordinator.cancel(job.task_id, "a test")).rejects.toMatchObject({ code: "storage_unavailable" });
    await until(() => coordinator.health().status === "ok");
    expect((await coordinator.job(job.task_id))?.status).toBe("queued");

    store.failNextCommit("unknown");
    const key = {
      id: "k",
      secretHash: "h",
      label: "l",
      scopes: ["submit"],
      createdAtMs: 1,
      revokedAtMs: null,
      supply: null,
      region: null,
    };
    await expect(coordinator.keys.save(key)).rejects.toMatchObject({ code: "storage_unavailable" });
    await until(() => coordinator.health().status === "ok");
    expect(coordinator.keys.list()).toEqual([]);
  });

  it("refuses a submission that was being looked up when the record failed", async () => {
    const store = new SlowStore();
    const { coordinator } = await start({ store });
    const looked = submit(coordinator, { tasks: 100 }, "a key");
    await until(() => store.lookups.length === 1);
    store.failNextCommit("unknown");
    await expect(submit(coordinator, { tasks: 100 })).rejects.toMatchObject({ code: "storage_unavailable" });
    store.lookups.pop()?.();
    await expect(looked).rejects.toMatchObject({ code: "storage_unavailable" });
    await until(() => store.openings.length === 1);
    store.openings.pop()?.();
    await until(() => coordinator.health().status === "ok");
    const again = submit(coordinator, { tasks: 100 }, "a key");
    await until(() => store.lookups.length === 1);
    store.lookups.pop()?.();
    expect((await again).replayed).toBe(false);
  });

  it("while the core is being built lets it be built again, once at a time", async () => {
    const first = new DeafStore();
    const { coordinator: before } = await start({ store: first });
    const { job } = await submit(before, { tasks: 100 });
    await before.stop();
    running.length = 0;

    // Without the job's workload, building the core is also writing that it failed.
    const store = new DeafStore(first.record);
    store.failNextCommit("refused");
    store.failNextCommit("unknown");
    const { coordinator, logged } = await start({ store, catalog: new Map() });
    await until(async () => (await coordinator.job(job.task_id))?.status === "failed");
    expect(coordinator.health().status).toBe("ok");
    expect(logged.filter((code) => code === "storage_recovered")).toHaveLength(1);
    expect(store.opened).toBe(3);
  });
});
