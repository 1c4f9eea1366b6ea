/** The SDK against the real coordinator: jobs, events, restarts, refusals, and a network that fails. */
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, GridProblem, type ProgressEvent } from "../../client/sdk/index.ts";
import { sumOf } from "../../server/testing/workload.ts";
import { newKey, selfSigned } from "../../server/tls/certificate.ts";
import { chances, cuttingProxy } from "./cutting-proxy.ts";
import { RealCoordinator, until } from "./real-coordinator.ts";

const retry = { baseMs: 5, capMs: 100 };
let coordinator: RealCoordinator;
beforeAll(async () => {
  coordinator = await RealCoordinator.start();
});
afterAll(() => coordinator[Symbol.asyncDispose]());

const refusal = async (promise: Promise<unknown>): Promise<GridProblem> => {
  const error = await promise.then(
    (value) => new Error(`it was taken: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof GridProblem) return error;
  throw error;
};

describe("a job", () => {
  it("is submitted, watched, and its result comes with how it was verified", async () => {
    const grid = connect(coordinator.url, { retry });
    const job = await grid.submit("sum", { tasks: 1000 }, { priority: 8 });
    expect(job.accepted).toMatchObject({ status: "queued", priority: 8, tasks: 1000, grains: 100, replayed: false });
    const node = coordinator.node();
    const events: ProgressEvent[] = [];
    for await (const event of job.progress()) events.push(event);
    expect(events.at(-1)).toMatchObject({ event: "state", job: { status: "completed", progress: { fraction: 1 } } });
    expect(await job.result()).toEqual({ sum: sumOf(0, 1000) });
    const report = await grid.job(job.id).report();
    expect(report).toMatchObject({ status: "completed", result: { sum: sumOf(0, 1000) } });
    expect(report.verification.own_results).toBeGreaterThan(0);
    expect((await job.status()).status).toBe("completed");
    // Events behind the last: nothing more to tell.
    const more = [];
    for await (const event of job.progress({ after: events.at(-1)!.id })) more.push(event);
    expect(more).toEqual([]);
    node.leave();
  });

  it("is in the lists, and the grid tells of itself", async () => {
    const grid = connect(coordinator.url, { retry });
    const ids = [];
    for (let count = 0; count < 3; count++) ids.push((await grid.submit("sum", { tasks: 10 })).id);
    const listed = [];
    for await (const job of grid.jobs({ state: "queued", workloadType: "sum" })) listed.push(job.task_id);
    expect(listed.slice(0, 3)).toEqual(ids.reverse());
    const node = coordinator.node();
    await until("a node", async () => (await grid.nodes()).some(({ online, own }) => online && own));
    expect((await grid.status()).registry.online_nodes).toBe(1);
    const { workload_types, planned } = await grid.workloadTypes();
    expect(workload_types.map(({ type }) => type)).toEqual(["sum"]);
    expect(Array.isArray(planned)).toBe(true);
    node.leave();
  });

  it("is cancelled, and its result then is that it was", async () => {
    const job = await connect(coordinator.url).submit("sum", { tasks: 10 });
    const result = refusal(job.result());
    expect((await job.cancel()).status).toBe("cancelled");
    expect(await result).toMatchObject({ code: "job_cancelled", status: 409 });
    expect((await job.cancel()).status).toBe("cancelled");
  });
});

describe("refusals", () => {
  it("name what is wrong and what to do", async () => {
    const grid = connect(coordinator.url);
    const payload = await refusal(grid.submit("sum", { tasks: 0, grain: "ten" }));
    expect(payload).toMatchObject({ code: "invalid_payload", status: 422 });
    expect(payload.errors.map(({ field }) => field).sort()).toEqual(["payload.grain", "payload.tasks"]);
    const unknown = await refusal(grid.submit("some", {}));
    expect(unknown).toMatchObject({ code: "unknown_workload", field: "workload_type", available: ["sum"] });
    expect(unknown.example).toContain("curl");
    expect(await refusal(grid.submit("sum", { tasks: 1 }, { priority: 11 }))).toMatchObject({ code: "invalid_body" });
    expect(await refusal(grid.job("nobody").status())).toMatchObject({ code: "no_such_job", field: "task_id" });
  });

  it("of keys: a wrong one, and one that may not", async () => {
    const [ada, bob] = [await coordinator.key("submit"), await coordinator.key("submit")];
    const job = await connect(coordinator.url, { key: ada }).submit("sum", { tasks: 10 });
    expect((await job.status()).payload).not.toBeNull();
    const others = connect(coordinator.url, { key: bob }).job(job.id);
    expect((await others.status()).redacted).toBe(true);
    expect(await refusal(others.cancel())).toMatchObject({ code: "forbidden", status: 403 });
    expect(await refusal(others.progress().next())).toMatchObject({ code: "forbidden" });
    const wrong = connect(coordinator.url, { key: `${ada}x` });
    expect(await refusal(wrong.submit("sum", { tasks: 1 }))).toMatchObject({ code: "unauthenticated", status: 401 });
    await job.cancel();
  });
});

describe("a certificate that is not trusted here", () => {
  it("is not asked again, and the remedy is the variable that trusts it", async () => {
    const key = newKey();
    const server = createServer({ key, cert: selfSigned(key, ["localhost"], Date.now()) }).listen(0, "localhost");
    await once(server, "listening");
    const url = `https://localhost:${(server.address() as AddressInfo).port}`;
    const told: string[] = [];
    const refused = await refusal(connect(url, { retry, onRetry: ({ code }) => told.push(code) }).nodes());
    expect(refused).toMatchObject({
      code: "untrusted_certificate",
      remedy: expect.stringContaining("NODE_EXTRA_CA_CERTS"),
    });
    expect(told).toEqual([]);
    server.closeAllConnections();
    server.close();
  });
});

describe("what fails on the way", () => {
  it("a restart of the coordinator: events and results go on", async () => {
    await using restarting = await RealCoordinator.start();
    const grid = connect(restarting.url, { retry });
    const job = await grid.submit("sum", { tasks: 1000 });
    const events: ProgressEvent[] = [];
    const watched = (async () => {
      for await (const event of job.progress()) events.push(event);
    })();
    const result = job.result();
    await until("the first event", () => events.length > 0);
    await restarting.stop();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await restarting.start();
    restarting.node();
    expect(await result).toEqual({ sum: sumOf(0, 1000) });
    await watched;
    expect(events.at(-1)).toMatchObject({ event: "state", job: { status: "completed" } });
    const ids = events.map(({ id }) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it.each([1, 2, 3])(
    "a network that cuts connections (seed %i): each submission is one job, each result right",
    async (seed) => {
      await using real = await RealCoordinator.start();
      await using proxy = await cuttingProxy(real.port, chances(seed));
      real.node();
      const grid = connect(proxy.url, { retry: { ...retry, totalMs: 30_000 }, connections: 4 });
      const sizes = Array.from({ length: 25 }, (_, at) => 50 + at);
      const results = await Promise.all(
        sizes.map(async (tasks) => {
          const job = await grid.submit("sum", { tasks });
          return (await job.result()) as { sum: number };
        }),
      );
      expect(results.map(({ sum }) => sum)).toEqual(sizes.map((tasks) => sumOf(0, tasks)));
      expect(proxy.cuts).toBeGreaterThan(5);
      const jobs = [];
      for await (const job of connect(real.url).jobs()) jobs.push(job);
      expect(jobs).toHaveLength(sizes.length);
    },
    60_000,
  );
});
