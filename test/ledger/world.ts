/** A coordinator with the ledger's parts at hand, for tests: memory store, test workload, nodes that compute. */
import { MemoryBlobs } from "../../server/blobs/memory.ts";
import { entryOf } from "../../server/catalog.ts";
import { Coordinator, type CoordinatorOptions } from "../../server/coordinator.ts";
import { CoordinatorKey } from "../../server/ledger/key.ts";
import { MemoryStore } from "../../server/store/memory.ts";
import type { Store } from "../../server/store/store.ts";
import workload from "../../server/testing/workload.ts";
import type { SubmitRequest } from "../../server/transport/grid.ts";

export const joinToken = "a join token for tests";
const folder = new URL("../../server/testing/", import.meta.url);

export interface Parts {
  store: Store;
  blobs: MemoryBlobs;
  key: CoordinatorKey;
}

export const parts = (): Parts => ({
  store: new MemoryStore(),
  blobs: new MemoryBlobs(),
  key: CoordinatorKey.fresh(),
});

export async function start(
  { store, blobs, key }: Parts = parts(),
  options: Partial<CoordinatorOptions> = {},
): Promise<Coordinator> {
  const entry = await entryOf(
    workload as never,
    { kernel: "a".repeat(64), files: { "wasm-simd": { sha256: "b".repeat(64), bytes: 1 } } },
    new URL("workload.ts", folder).href,
    new URL("host.ts", folder).href,
  );
  return Coordinator.start({
    store,
    blobs,
    receiptKey: key,
    catalog: new Map([["sum", entry]]),
    id: "test-coordinator",
    hostname: "test",
    version: "0.0.0",
    joinToken,
    ticketSecret: "a ticket secret for tests",
    config: { recoveryMs: 200, reconnectMs: 200 },
    log: () => {},
    ...options,
  });
}

export const request = (changes: Partial<SubmitRequest> = {}): SubmitRequest => ({
  workload: "sum",
  payload: { tasks: 1000 },
  priority: 5,
  submitter: "ada",
  idempotencyKey: null,
  bodyHash: "hash",
  ...changes,
});

export async function until(holds: () => Promise<boolean> | boolean, ms = 12_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Submits a job and waits for its end. */
export async function complete(coordinator: Coordinator, changes: Partial<SubmitRequest> = {}): Promise<string> {
  const { job } = await coordinator.submit(request(changes));
  await until(async () => (await coordinator.job(job.task_id))?.status === "completed");
  return job.task_id;
}
