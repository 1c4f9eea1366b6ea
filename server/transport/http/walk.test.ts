/** A client walks the whole API against a fake grid; every answer is held against its schema. */
import { afterAll, beforeAll, expect, test } from "vitest";
import * as rest from "../../../protocol/rest.ts";
import { fakeNode } from "../fake-views.ts";
import { nodeListSchema } from "./network.ts";
import type { OpenApiDocument } from "./openapi.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
  server.grid.nodeViews = [fakeNode("n1"), fakeNode("n2", { kind: "tab", own: false, ram_gb: null })];
});
afterAll(async () => {
  expect(server.defects).toEqual([]);
  await server.close();
});
const asOperator = { authorization: `Bearer ${operatorToken}` };

test("the user's document: health, status, submit", async () => {
  const health = await server.ask("/api/health");
  expect(rest.healthSchema.parse(await health.json())).toMatchObject({
    status: "ok",
    keyless_loopback: { enabled: true, reason: null },
  });
  const status = rest.networkStatusSchema.parse(await (await server.ask("/api/v1.2/network/status")).json());
  expect(status.registry).toMatchObject({ total_nodes: 2, total_ram_gb: 8, unknown_ram_nodes: 1 });
  const answer = await server.ask("/api/v1.2/workload/submit", {
    json: { workload_type: "monte_carlo", payload: { iterations: 10 }, priority: 8 },
  });
  expect(answer.status).toBe(202);
  const accepted = rest.submitAnswerSchema.parse(await answer.json());
  expect(answer.headers.get("location")).toBe(accepted.links.self);
  expect(server.grid.kept.get(accepted.task_id)?.job).toMatchObject({ submitter: "local", priority: 8 });
});

test("a job's life: look, wait, result, list", async () => {
  const submit = { json: { workload_type: "monte_carlo", payload: {} } };
  const { task_id: id, links } = rest.submitAnswerSchema.parse(
    await (await server.ask("/api/v1.2/workload/submit", submit)).json(),
  );
  expect(rest.jobViewSchema.parse(await (await server.ask(links.self)).json())).toMatchObject({
    status: "queued",
    priority: 5,
  });
  const early = await server.ask(links.result);
  expect(early.status).toBe(409);
  expect(Number(early.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(rest.problemSchema.parse(await early.json()).detail).toContain("No node is connected.");

  const waiting = server.ask(`${links.result}?wait=30`);
  setTimeout(() => server.grid.move(id, "completed", 1, { estimate: 3.14 }), 50);
  const result = rest.jobResultSchema.parse(await (await waiting).json());
  expect(result).toMatchObject({ task_id: id, status: "completed", result: { estimate: 3.14 } });
  expect(server.grid.kept.get(id)?.listeners.size).toBe(0);

  const list = await server.ask("/api/v1.2/workload?state=completed&workload_type=monte_carlo&limit=1");
  const page = rest.jobListSchema.parse(await list.json());
  expect(page.jobs.map((job) => job.task_id)).toEqual([id]);
});

test("a wait ends without the job's end", async () => {
  const submit = { json: { workload_type: "monte_carlo", payload: {} } };
  const { links } = rest.submitAnswerSchema.parse(await (await server.ask("/api/v1.2/workload/submit", submit)).json());
  const start = performance.now();
  expect((await server.ask(`${links.result}?wait=0.2`)).status).toBe(409);
  expect(performance.now() - start).toBeGreaterThan(150);
});

test("paging goes through all jobs once", async () => {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const query = cursor === null ? "" : `&cursor=${cursor}`;
    const page = rest.jobListSchema.parse(await (await server.ask(`/api/v1.2/workload?limit=1${query}`)).json());
    seen.push(...page.jobs.map((job) => job.task_id));
    cursor = page.next_cursor;
  } while (cursor !== null);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.length).toBe(server.grid.kept.size);
});

test("cancelling, and the result of a cancelled or failed job", async () => {
  const submit = { json: { workload_type: "monte_carlo", payload: {} } };
  const first = rest.submitAnswerSchema.parse(await (await server.ask("/api/v1.2/workload/submit", submit)).json());
  const cancelled = await server.ask(first.links.self, { method: "DELETE" });
  expect(rest.jobViewSchema.parse(await cancelled.json()).status).toBe("cancelled");
  expect(await (await server.ask(first.links.result)).json()).toMatchObject({
    status: 409,
    type: "/api#problem-job_cancelled",
  });
  const second = rest.submitAnswerSchema.parse(await (await server.ask("/api/v1.2/workload/submit", submit)).json());
  server.grid.move(second.task_id, "failed");
  expect(await (await server.ask(second.links.result)).json()).toMatchObject({ type: "/api#problem-job_failed" });
  expect((await server.ask("/api/v1.2/workload/none", { method: "DELETE" })).status).toBe(404);
});

test("the same idempotency key: the same answer, or 422 for another body", async () => {
  const send = (payload: unknown) =>
    server.ask("/api/v1.2/workload/submit", {
      json: { workload_type: "monte_carlo", payload },
      headers: { "idempotency-key": "k-1" },
    });
  const first = await send({ iterations: 3 });
  const firstText = await first.text();
  server.grid.move(JSON.parse(firstText).task_id, "running", 0.5);
  const second = await send({ iterations: 3 });
  expect([second.status, await second.text()]).toEqual([202, firstText]);
  expect([first, second].map((answer) => answer.headers.get("idempotent-replayed"))).toEqual([null, "true"]);
  const other = await send({ iterations: 4 });
  expect([other.status, rest.problemSchema.parse(await other.json()).field]).toEqual([422, "header Idempotency-Key"]);
});

test("nodes, kinds of work, metrics, document, page", async () => {
  expect(nodeListSchema.parse(await (await server.ask("/api/v1.2/nodes")).json()).nodes).toHaveLength(2);
  const types = rest.workloadTypesSchema.parse(await (await server.ask("/api/v1.2/workload-types")).json());
  expect(types.workload_types[0]!.payload_schema).toMatchObject({ type: "object" });
  const metrics = await (await server.ask("/metrics")).text();
  expect(metrics).toContain('queztl_nodes{kind="tab",own="false",online="true"} 1');
  expect(metrics).toMatch(/queztl_jobs\{state="cancelled"\} 1/);
  expect(metrics).toContain("queztl_nodejs_eventloop_lag_seconds");
  const document = (await (await server.ask("/api/v1.2/openapi.json")).json()) as OpenApiDocument;
  expect(document.openapi).toBe("3.1.0");
  expect(Object.keys(document.paths)).toHaveLength(37);
  expect(document.components?.schemas?.SubmitBody).toMatchObject({ required: ["workload_type"] });
  const page = await server.ask("/api");
  const html = await page.text();
  expect(html).toContain("/api/v1.2/workload/{task_id}/events");
  expect(html).not.toMatch(/<script|https?:\/\/(?!127\.0\.0\.1)/);
});

test("keys: created once in the clear, listed without secret, revoked at once", async () => {
  const created = await server.ask("/api/v1.2/keys", { json: { label: "Ada" }, headers: asOperator });
  expect(created.status).toBe(201);
  const key = rest.keyCreatedSchema.parse(await created.json());
  expect(JSON.stringify([...server.grid.keyRecords.values()])).not.toContain(key.key.slice(20));
  const list = await (await server.ask("/api/v1.2/keys", { headers: asOperator })).text();
  expect(list).toContain(key.key_id);
  expect(list).not.toContain(key.key);
  const submit = () =>
    server.ask("/api/v1.2/workload/submit", {
      json: { workload_type: "monte_carlo", payload: {} },
      headers: { authorization: `Bearer ${key.key}` },
    });
  expect((await submit()).status).toBe(202);
  const revoked = await server.ask(`/api/v1.2/keys/${key.key_id}`, { method: "DELETE", headers: asOperator });
  expect(rest.keyViewSchema.parse(await revoked.json()).revoked_at).not.toBeNull();
  expect((await submit()).status).toBe(401);
  expect((await server.ask("/api/v1.2/keys/ffff", { method: "DELETE", headers: asOperator })).status).toBe(404);
});

test("a session: token for cookie, cookie for operator, until it is ended", async () => {
  const begun = await server.ask("/api/v1.2/session", { json: { token: operatorToken } });
  expect(begun.status).toBe(201);
  const setCookie = begun.headers.get("set-cookie")!;
  expect(setCookie).toMatch(/HttpOnly; SameSite=Strict/);
  const cookie = setCookie.split(";")[0]!;
  const who = async () =>
    rest.sessionSchema.parse(await (await server.ask("/api/v1.2/session", { headers: { cookie } })).json());
  expect(await who()).toMatchObject({ kind: "operator", id: "operator" });
  const own = { cookie, origin: server.url, "sec-fetch-site": "same-origin" };
  expect((await server.ask("/api/v1.2/session", { method: "DELETE", headers: own })).status).toBe(204);
  expect((await who()).kind).toBe("local");
});
