/** Instances in a real coordinator: their tokens, what they compute, and terms that outlive a restart. */
import { afterEach, describe, expect, it } from "vitest";
import { MemoryBlobs } from "./blobs/memory.ts";
import { entryOf } from "./catalog.ts";
import { Coordinator } from "./coordinator.ts";
import type { JobTerms } from "./core/state.ts";
import { MemoryStore } from "./store/memory.ts";
import { FakeNode } from "./testing/fake-node.ts";
import workload from "./testing/workload.ts";

const folder = new URL("./testing/", import.meta.url);
const paid: JobTerms = {
  supply: "paid",
  deadlineMs: 4e12,
  budgetDollars: 3,
  region: "eu-west-1",
  placement: "own",
};
const running: Coordinator[] = [];

afterEach(async () => {
  for (const coordinator of running.splice(0)) await coordinator.stop();
});

async function start(store: MemoryStore, hired: string[] = []): Promise<Coordinator> {
  const entry = await entryOf(
    workload as never,
    { kernel: "a".repeat(64), files: { "wasm-simd": { sha256: "b".repeat(64), bytes: 1 } } },
    new URL("workload.ts", folder).href,
    new URL("host.ts", folder).href,
  );
  const coordinator = await Coordinator.start({
    ...{ store, blobs: new MemoryBlobs(), catalog: new Map([["sum", entry]]), id: "c", hostname: "t", version: "0" },
    ...{ joinToken: "the operator's", ticketSecret: "a ticket secret for tests", log: () => {} },
    config: { recoveryMs: 200, reconnectMs: 200 },
    hire: (token, node) => {
      if (token !== "an instance's") return false;
      hired.push(node);
      return true;
    },
  });
  running.push(coordinator);
  return coordinator;
}

const submit = async (coordinator: Coordinator, terms?: JobTerms): Promise<string> => {
  const request = { workload: "sum", payload: { tasks: 1_000 }, priority: 5, submitter: "local" };
  const nameless = { idempotencyKey: null, bodyHash: "hash" };
  return (await coordinator.submit({ ...request, ...nameless, ...(terms ? { terms } : {}) })).job.task_id;
};

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const endMs = Date.now() + 10_000; !(await holds()); await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (Date.now() > endMs) throw new Error("It did not come true in time.");
  }
}

describe("instances", () => {
  it("join with their own token, compute what is paid for, and leave the rest to volunteers", async () => {
    const hired: string[] = [];
    const coordinator = await start(new MemoryStore(), hired);
    new FakeNode({ joinToken: "an instance's" }).join(coordinator);
    const free = await submit(coordinator);
    const job = await submit(coordinator, paid);
    await until(async () => (await coordinator.job(job))?.status === "completed");
    expect(hired).toHaveLength(1);
    const [node] = coordinator.nodes();
    expect(node).toMatchObject({ node_id: hired[0], own: true });
    expect((await coordinator.job(free))?.progress.grains_accepted).toBe(0);
    expect(node?.idle_reasons.map(({ message }) => message).join()).toContain("nobody pays for it");
  });

  it("do not join with a token that is none", async () => {
    const coordinator = await start(new MemoryStore());
    new FakeNode({ joinToken: "somebody's" }).join(coordinator);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(coordinator.nodes()).toEqual([]);
  });

  it("a job's terms are shown, outlive a restart, and end with it", async () => {
    const store = new MemoryStore();
    const first = await start(store);
    const job = await submit(first, paid);
    const shown = {
      supply: "paid",
      deadline: new Date(4e12).toISOString(),
      budget: 3,
      region: "eu-west-1",
      placement: "own",
    };
    expect((await first.job(job))?.terms).toEqual(shown);
    running.length = 0;
    await first.stop();
    const second = await start(store);
    expect((await second.job(job))?.terms).toEqual(shown);
    expect(await second.scaling.documents("terms")).toHaveLength(1);
    await second.cancel(job, "tests");
    expect(await second.scaling.documents("terms")).toEqual([]);
  });
});
