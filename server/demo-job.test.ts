import { describe, expect, it } from "vitest";
import type { JobView, NodeView } from "../protocol/rest.ts";
import { aloneMs, DemoJob, restMs } from "./demo-job.ts";
import { fakeJob, fakeStatus } from "./transport/fake-views.ts";
import { GridError, type SubmitRequest } from "./transport/grid.ts";

/** A grid whose jobs and nodes the test sets. */
function world(expectedUntilMs = 0) {
  const jobs = new Map<string, JobView>();
  const submitted: SubmitRequest[] = [];
  const cancelled: string[] = [];
  const told: string[] = [];
  const state = { nowMs: 1_000_000, tabs: 0, others: 0, refuse: null as GridError | null };
  const node = (kind: "tab" | "native"): NodeView => ({ kind, online: true }) as NodeView;
  const open = (): JobView[] => [...jobs.values()].filter((job) => job.status === "running");
  const end = (id: string, status: JobView["status"]): JobView | null => {
    const job = jobs.get(id);
    if (job) job.status = status;
    return job ?? null;
  };
  const add = (submitter: string): JobView => {
    const request = {
      workload: "monte_carlo",
      payload: {},
      priority: 1,
      submitter,
      idempotencyKey: null,
      bodyHash: "",
    };
    const job: JobView = { ...fakeJob(`job-${jobs.size}`, request), status: "running" };
    jobs.set(job.task_id, job);
    return job;
  };
  const demo = new DemoJob({
    now: () => state.nowMs,
    log: (_code, message) => told.push(message),
    expectedUntilMs,
    grid: {
      submit: async (request) => {
        if (state.refuse) throw state.refuse;
        submitted.push(request);
        return { job: add(request.submitter), replayed: false, estimatedCoreSeconds: 1 };
      },
      cancel: async (id, by) => {
        cancelled.push(by);
        return end(id, "cancelled");
      },
      job: async (id) => jobs.get(id) ?? null,
      jobs: async () => ({ jobs: [...jobs.values()].filter((job) => job.submitter === "demo"), next_cursor: null }),
      status: () => {
        const status = fakeStatus([...Array(state.tabs).fill(node("tab")), node("native")], []);
        status.scheduler.pending_tasks = 0;
        status.scheduler.active_tasks = open().length + state.others;
        status.registry.total_cpu_cores = 4;
        return status;
      },
    },
  });
  /** Time passes, and it looks. */
  const look = async (ms = 500): Promise<void> => {
    state.nowMs += ms;
    await demo.look();
  };
  return { state, submitted, cancelled, told, look, end, add, open };
}

describe("the demo job", () => {
  it("is offered to a tab that meets an idle grid: one, of lowest priority, of its own submitter, of a bounded size", async () => {
    const { state, submitted, look } = world();
    await look();
    expect(submitted).toEqual([]);
    state.tabs = 1;
    await look();
    await look();
    expect(submitted).toHaveLength(1);
    expect(submitted[0]).toMatchObject({ workload: "monte_carlo", priority: 1, submitter: "demo" });
    expect(submitted[0]?.payload).toMatchObject({ iterations: 4 * 600 * 2.5e8 });
  });

  it("is not offered while others have jobs, nor in the short time between two of them", async () => {
    const { state, submitted, look } = world();
    state.tabs = 1;
    state.others = 1;
    await look();
    state.others = 0;
    await look(restMs - 1);
    expect(submitted).toEqual([]);
    await look(1);
    expect(submitted).toHaveLength(1);
  });

  it("gives way at once when another's job comes", async () => {
    const { state, submitted, cancelled, look, open } = world();
    state.tabs = 1;
    await look();
    state.others = 1;
    await look();
    expect(cancelled).toEqual(["the demo, which gives way to other jobs"]);
    expect(open()).toEqual([]);
    await look();
    expect(submitted).toHaveLength(1);
  });

  it("goes on with another one, of other darts, while tabs are there", async () => {
    const { state, submitted, look, end } = world();
    state.tabs = 1;
    await look();
    end("job-0", "completed");
    await look();
    expect(submitted).toHaveLength(2);
    const [first, second] = submitted.map(({ payload }) => (payload as { seed: number }).seed);
    expect(first).not.toBe(second);
  });

  it("outlives a reload of the only tab, and ends when no tab comes back", async () => {
    const { state, cancelled, look } = world();
    state.tabs = 1;
    await look();
    state.tabs = 0;
    await look(aloneMs);
    expect(cancelled).toEqual([]);
    await look(1);
    expect(cancelled).toEqual(["the demo, since no tab is there"]);
  });

  it("waits for the first tab at the first start, and not for ever", async () => {
    const { submitted, cancelled, look, end } = world(1_000_000 + 5_000);
    await look();
    expect(submitted).toHaveLength(1);
    await look(5_000);
    expect(cancelled).toHaveLength(1);
    end("job-0", "cancelled");
    await look();
    expect(submitted).toHaveLength(1);
  });

  it("takes up the one that a restart left, and ends what is more than one", async () => {
    const { state, submitted, cancelled, look, add, open } = world();
    add("demo");
    add("demo");
    state.tabs = 1;
    await look();
    expect(cancelled).toEqual(["the demo, which is one job only"]);
    expect(open().map((job) => job.task_id)).toEqual(["job-0"]);
    expect(submitted).toEqual([]);
  });

  it("tries again after a refusal, which it tells of once", async () => {
    const { state, submitted, told, look } = world();
    state.tabs = 1;
    state.refuse = new GridError("storage_unavailable", "The disk is full.");
    await look();
    await look();
    state.refuse = null;
    await look();
    expect(told).toEqual(["The demo job waits: The disk is full."]);
    expect(submitted).toHaveLength(1);
  });
});
