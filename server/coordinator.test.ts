/** The coordinator in one process: real loop, judge threads and connections, over the memory store. */
import { randomBytes } from "node:crypto";
import { afterEach, describe, expect, it } from "vitest";
import type { ResultMessage } from "../protocol/messages.ts";
import type { JobState } from "../protocol/rest.ts";
import { MemoryBlobs } from "./blobs/memory.ts";
import { entryOf } from "./catalog.ts";
import { Coordinator } from "./coordinator.ts";
import { MemoryStore } from "./store/memory.ts";
import { FakeNode } from "./testing/fake-node.ts";
import workload, { sumOf } from "./testing/workload.ts";
import type { SubmitRequest } from "./transport/grid.ts";

const joinToken = "a join token for tests";
const folder = new URL("./testing/", import.meta.url);
const files = { "wasm-simd": { sha256: "b".repeat(64), bytes: 1 } };
const running: Coordinator[] = [];

afterEach(async () => {
  for (const coordinator of running.splice(0)) await coordinator.stop();
});

async function start(store = new MemoryStore(), blobs = new MemoryBlobs()): Promise<Coordinator> {
  const entry = await entryOf(
    workload as never,
    { kernel: "a".repeat(64), files },
    new URL("workload.ts", folder).href,
    new URL("host.ts", folder).href,
  );
  const coordinator = await Coordinator.start({
    store,
    blobs,
    catalog: new Map([["sum", entry]]),
    id: "test-coordinator",
    hostname: "test",
    version: "0.0.0",
    joinToken,
    ticketSecret: "a ticket secret for tests",
    config: { recoveryMs: 200, reconnectMs: 200 },
    log: () => {},
  });
  running.push(coordinator);
  return coordinator;
}

const request = (changes: Partial<SubmitRequest> = {}): SubmitRequest => ({
  workload: "sum",
  payload: { tasks: 1000 },
  priority: 5,
  submitter: "local",
  idempotencyKey: null,
  bodyHash: "hash",
  ...changes,
});

async function until(holds: () => Promise<boolean> | boolean, ms = 8_000): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error("it did not come true in time");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const ends = async (coordinator: Coordinator, id: string, state: JobState = "completed"): Promise<void> => {
  await until(async () => (await coordinator.job(id))?.status === state);
};

describe("a job", () => {
  it("is computed by an own node, merged by the judge, and told to those who listen", async () => {
    const coordinator = await start();
    const node = new FakeNode({ joinToken }).join(coordinator);
    const { job } = await coordinator.submit(request());
    const told: string[] = [];
    coordinator.subscribeJob(job.task_id, null, ({ event }) => {
      if (event.event !== "partial") told.push(event.job.status);
    });
    await ends(coordinator, job.task_id);
    const result = await coordinator.result(job.task_id);
    expect(result?.output).toEqual({ sum: sumOf(0, 1000) });
    expect(result?.job.progress).toMatchObject({ grains: 100, grains_accepted: 100, fraction: 1 });
    await until(() => told.at(-1) === "completed");
    expect(node.acked.length).toBeGreaterThan(0);
    expect(coordinator.status().scheduler).toMatchObject({ completed_tasks: 1, active_tasks: 0, success_rate: 1 });
  });

  it("that a volunteer computes is audited by an own node; a lie is rejected and done again", async () => {
    const coordinator = await start();
    const liar = new FakeNode({ joinToken: null, lie: 1 }).join(coordinator);
    const { job } = await coordinator.submit(request());
    await until(() => liar.acked.length > 0);
    expect((await coordinator.job(job.task_id))?.reasons.map((reason) => reason.code)).toContain("no_own_node");
    new FakeNode({ joinToken }).join(coordinator);
    await ends(coordinator, job.task_id);
    const result = await coordinator.result(job.task_id);
    expect(result?.output).toEqual({ sum: sumOf(0, 1000) });
    expect(result?.job.verification.rejected_results).toBeGreaterThan(0);
  });

  it("with a large payload travels and is kept as a blob", async () => {
    const blobs = new MemoryBlobs();
    const coordinator = await start(new MemoryStore(), blobs);
    new FakeNode({ joinToken }).join(coordinator);
    const { job } = await coordinator.submit(request({ payload: { tasks: 10, ballast: "x".repeat(100_000) } }));
    const { blob } = job.payload as { blob: string };
    expect(await blobs.has(blob)).toBe(true);
    await ends(coordinator, job.task_id);
  });

  it("can be cancelled, and stays cancelled", async () => {
    const coordinator = await start();
    const node = new FakeNode({ joinToken, idle: true }).join(coordinator);
    const { job } = await coordinator.submit(request());
    await until(() => node.leases.length > 0);
    expect((await coordinator.cancel(job.task_id, "a test"))?.status).toBe("cancelled");
    await until(() => node.heard.some((message) => message.type === "revoke"));
    node.compute(node.leases[0]!);
    await until(() =>
      node.heard.some((message) => message.type === "ack" && message.rejected[0]?.reason === "job_ended"),
    );
    expect((await coordinator.cancel(job.task_id, "again"))?.status).toBe("cancelled");
  });

  it("with a wrong payload is refused, with the field's name", async () => {
    const coordinator = await start();
    await expect(coordinator.submit(request({ payload: { tasks: 0 } }))).rejects.toMatchObject({
      code: "invalid_payload",
      details: { field: "payload.tasks" },
    });
    await expect(coordinator.submit(request({ workload: "nothing" }))).rejects.toMatchObject({
      code: "unknown_workload",
    });
    await expect(coordinator.submit(request({ workload: "llm_inference" }))).rejects.toMatchObject({
      code: "planned_workload",
    });
  });
});

describe("idempotency keys", () => {
  it("make one job of a hundred requests at once, and refuse another body", async () => {
    const coordinator = await start();
    const all = await Promise.all(
      Array.from({ length: 100 }, () => coordinator.submit(request({ idempotencyKey: "k" }))),
    );
    expect(new Set(all.map(({ job }) => job.task_id)).size).toBe(1);
    expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    await expect(coordinator.submit(request({ idempotencyKey: "k", bodyHash: "other" }))).rejects.toMatchObject({
      code: "idempotency_mismatch",
    });
    const other = await coordinator.submit(request({ idempotencyKey: "k", submitter: "someone" }));
    expect(other.replayed).toBe(false);
  });
});

describe("the record", () => {
  it("carries open jobs over a restart: what was accepted is not computed again", async () => {
    const store = new MemoryStore();
    const blobs = new MemoryBlobs();
    const first = await start(store, blobs);
    const node = new FakeNode({ joinToken, idle: true }).join(first);
    const { job } = await first.submit(request());
    await until(() => node.leases.length > 0);
    node.compute(node.leases[0]!);
    await until(() => node.acked.length === 1);
    await first.stop();
    running.length = 0;

    const second = await start(new MemoryStore(store.record), blobs);
    const restored = await second.job(job.task_id);
    expect(restored?.progress.grains_accepted).toBe(node.leases[0]!.hi - node.leases[0]!.lo);
    const other = new FakeNode({ joinToken }).join(second);
    await ends(second, job.task_id);
    expect((await second.result(job.task_id))?.output).toEqual({ sum: sumOf(0, 1000) });
    const again = other.leases.some((lease) => lease.lo < node.leases[0]!.hi);
    expect(again).toBe(false);
  });

  it("that has just ended looks as its record does after a restart", async () => {
    const store = new MemoryStore();
    const first = await start(store);
    new FakeNode({ joinToken }).join(first);
    const { job: done } = await first.submit(request());
    await ends(first, done.task_id);
    const { job: gone } = await first.submit(request({ payload: { tasks: 1e6 } }));
    await first.cancel(gone.task_id, "a test");
    const views = await Promise.all([first.job(done.task_id), first.job(gone.task_id)]);
    expect(views.map((view) => view?.status)).toEqual(["completed", "cancelled"]);
    const result = await first.result(done.task_id);
    await first.stop();
    running.length = 0;

    const second = await start(new MemoryStore(store.record));
    expect(await Promise.all([second.job(done.task_id), second.job(gone.task_id)])).toEqual(views);
    expect(await second.result(done.task_id)).toEqual(result);
  });

  it.each(["refused", "unknown"] as const)(
    "that fails (%s) is not acknowledged, and the core is rebuilt from it",
    async (code) => {
      const store = new MemoryStore();
      const coordinator = await start(store);
      const kept = await coordinator.submit(request());
      store.failNextCommit(code);
      await expect(coordinator.submit(request())).rejects.toMatchObject({ code: "storage_unavailable" });
      await until(() => coordinator.health().status === "ok");
      expect(coordinator.status().scheduler.pending_tasks).toBe(1);
      new FakeNode({ joinToken }).join(coordinator);
      await ends(coordinator, kept.job.task_id);
    },
  );
});

describe("connections", () => {
  it("are refused with the reason and the remedy", async () => {
    const coordinator = await start();
    const wrongToken = new FakeNode({ joinToken: "wrong" }).join(coordinator);
    await until(() => wrongToken.refusal()?.code === "bad_join_token");
    const garbage = new FakeNode({ joinToken }).join(coordinator);
    garbage.sendRaw(randomBytes(64));
    await until(() => garbage.refusal()?.code === "bad_message");
    expect(garbage.refusal()?.remedy).not.toBe("");
    expect(garbage.closed).toBe(true);
  });

  it("of nodes that are too old or too new are told which side must be updated", async () => {
    const coordinator = await start();
    for (const [protocol, code] of [
      [{ version: 1, minimum: 1 }, "upgrade_node"],
      [{ version: 99, minimum: 99 }, "upgrade_coordinator"],
    ] as const) {
      const node = new FakeNode({ joinToken, protocol }).join(coordinator);
      await until(() => node.refusal()?.code === code);
      expect(node.closed).toBe(true);
    }
  });

  it.each([
    ["partials that are not under the root", (result: ResultMessage) => fillPartials(result)],
    ["a root that was not signed", (result: ResultMessage) => Object.assign(result, { root: new Uint8Array(32) })],
    ["no root", (result: ResultMessage) => Object.assign(result, { root: new Uint8Array(0) })],
    ["a range that was not signed", (result: ResultMessage) => Object.assign(result, { lease: "other" })],
  ])("with %s end, and nothing of the result counts", async (_, forge) => {
    const coordinator = await start();
    const node = new FakeNode({ joinToken, idle: true }).join(coordinator);
    const { job } = await coordinator.submit(request());
    await until(() => node.leases.length > 0);
    node.compute(node.leases[0]!, forge);
    await until(() => node.refusal()?.code === "bad_signature");
    expect((await coordinator.job(job.task_id))?.progress.slices_accepted).toBe(0);
  });
});

function fillPartials(result: ResultMessage): void {
  result.partials = Uint8Array.from(result.partials).fill(7, 2, 10);
}
