/** The autoscaler over HTTP: the user's document to the letter, refusals, and who may spend money. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Problem, problemSchema } from "../../../protocol/rest.ts";
import {
  autoscalerStatusSchema,
  decisionListSchema,
  estimateSchema,
  scaleHistorySchema,
} from "../../../protocol/scaling.ts";
import { ScalerApi } from "../../autoscaler/shell/api.ts";
import { World } from "../../autoscaler/testing/world.ts";
import { contradiction } from "../../scale-config.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

const asOperator = { authorization: `Bearer ${operatorToken}` };
const status = "/api/v1.2/autoscaler/status";
const manual = "/api/v1.2/scale/manual";
const estimate = "/api/v1.2/scale/estimate";
const autoscaler = "/api/v1.2/autoscaler";

const problem = async (answer: Response): Promise<Problem> => {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  return problemSchema.parse(await answer.json());
};

describe("with a cloud that costs money", () => {
  let world: World;
  let server: TestServer;
  let turning: NodeJS.Timeout;

  beforeEach(async () => {
    world = new World({ target: { maxNodes: 10 } });
    await world.start();
    await world.pass(60_000);
    server = await testServer({ scaler: new ScalerApi(world.scaler, contradiction) });
    // Writes of the record take virtual time.
    turning = setInterval(() => void world.pass(20), 5);
  });
  afterEach(async () => {
    clearInterval(turning);
    expect(server.defects).toEqual([]);
    await server.close();
  });
  const as = (json: unknown, method = "POST") => ({ json, method, headers: asOperator });

  test("status has what the user's document shows, and more", async () => {
    const answer = await server.ask(status);
    expect(answer.status).toBe(200);
    const text = (await answer.json()) as Record<string, unknown>;
    expect(Object.keys(text).slice(0, 6)).toEqual([
      "policy",
      "target",
      "managed_instances",
      "scale_up_count",
      "scale_down_count",
      "last_action",
    ]);
    expect(autoscalerStatusSchema.parse(text)).toMatchObject({
      policy: "reactive",
      target: { min_nodes: 0, max_nodes: 10, target_cpu: 0.7 },
      managed_instances: 0,
      provider: "fake",
      last_action: null,
    });
  });

  test("instances by hand, for money only with the scope scale, and with audit", async () => {
    expect((await problem(await server.ask(manual, { json: { action: "up", count: 5 } }))).type).toBe(
      "/api#problem-forbidden",
    );
    const answer = await server.ask(manual, as({ action: "up", count: 5 }));
    expect(answer.status).toBe(200);
    const asked = autoscalerStatusSchema.parse(await answer.json());
    expect(asked.manual).toMatchObject({ at_least: 5, at_most: null, by: "operator" });
    await world.pass(10 * 60_000);
    const seen = autoscalerStatusSchema.parse(await (await server.ask(status)).json());
    expect(seen).toMatchObject({ managed_instances: 5, states: { REGISTERED: 5 } });
    expect(seen.scale_up_count).toBeGreaterThan(0);
    expect(seen.dollars_per_hour).toBeCloseTo(5 * 0.0416);
    expect(seen.spend.today.dollars).toBeGreaterThan(0);
    const metrics = await (await server.ask("/metrics")).text();
    expect(metrics).toContain("queztl_instances 5");
    expect(metrics).toMatch(/queztl_instance_dollars_per_hour 0\.20/);
    const { decisions } = decisionListSchema.parse(
      await (await server.ask("/api/v1.2/autoscaler/decisions?limit=500")).json(),
    );
    expect(decisions.find(({ by }) => by === "operator")?.holds[0]?.message).toContain("up 5");
    expect(decisions.some(({ actions }) => actions.some(({ type }) => type === "launch"))).toBe(true);
    const down = await server.ask(manual, as({ action: "down", count: 3 }));
    expect(autoscalerStatusSchema.parse(await down.json()).manual).toMatchObject({ at_most: 2 });
    await world.pass(10 * 60_000);
    expect(world.cloud.running()).toHaveLength(2);
  });

  test("a wish stays within the maximum, and ends", async () => {
    const answer = await server.ask(manual, as({ action: "up", count: 500, seconds: 600 }));
    expect(autoscalerStatusSchema.parse(await answer.json()).manual?.at_least).toBe(10);
    await world.pass(9 * 60_000);
    expect(world.cloud.running()).toHaveLength(10);
    await world.pass(60 * 60_000);
    expect(world.cloud.running()).toEqual([]);
    expect(world.wrongs).toEqual([]);
  });

  test("policy and target change for good, and contradictions are refused", async () => {
    const body = { policy: "cost_optimized", target: { min_nodes: 1, max_nodes: 3, cooldown_seconds: 60 } };
    expect((await problem(await server.ask(autoscaler, { json: body, method: "PATCH" }))).type).toBe(
      "/api#problem-forbidden",
    );
    const changed = autoscalerStatusSchema.parse(await (await server.ask(autoscaler, as(body, "PATCH"))).json());
    expect(changed).toMatchObject({
      policy: "cost_optimized",
      target: { min_nodes: 1, max_nodes: 3, cooldown_seconds: 60 },
    });
    expect(JSON.parse(world.records.rooms.get("scaler.state")?.get("target") ?? "null")).toMatchObject({
      policy: "cost_optimized",
      target: { minNodes: 1, maxNodes: 3, cooldownMs: 60_000 },
    });
    const wrong = await problem(await server.ask(autoscaler, as({ target: { min_nodes: 7 } }, "PATCH")));
    expect(wrong).toMatchObject({ status: 422, field: "target" });
    expect(wrong.detail).toContain("At least 7 and at most 3");
    const unknown = await problem(await server.ask(autoscaler, as({ target: { mininodes: 7 } }, "PATCH")));
    expect(unknown.errors?.[0]?.field).toBe("target");
  });

  test("work for instances needs the scope scale; all else is for volunteers", async () => {
    const submit = (body: object, headers = {}) =>
      server.ask("/api/v1.2/workload/submit", {
        json: { workload_type: "monte_carlo", payload: {}, ...body },
        headers,
      });
    expect((await problem(await submit({ supply: "paid" }))).type).toBe("/api#problem-forbidden");
    expect((await submit({})).status).toBe(202);
    expect((await submit({ supply: "paid", budget: 2, deadline: "2999-01-01T00:00:00Z" }, asOperator)).status).toBe(
      202,
    );
    expect(server.grid.terms.map((terms) => terms?.supply)).toEqual(["volunteers", "paid"]);
    expect(server.grid.terms[1]).toMatchObject({ budgetDollars: 2, deadlineMs: Date.UTC(2999, 0, 1) });
    expect((await problem(await submit({ deadline: "2020-01-01T00:00:00Z" }))).field).toBe("deadline");
    expect((await problem(await submit({ deadline: "tomorrow" }))).field).toBe("deadline");
    expect((await problem(await submit({ region: "Atlantis" }))).available).toContain("eu-west-1");
    expect((await submit({ region: "Ireland" })).status).toBe(202);
    expect(server.grid.terms.at(-1)?.region).toBe("eu-west-1");
  });

  test("what is usual for a key's jobs is the operator's to say", async () => {
    const submit = (headers: Record<string, string>, body = {}) =>
      server.ask("/api/v1.2/workload/submit", {
        json: { workload_type: "monte_carlo", payload: {}, ...body },
        headers,
      });
    const make = async (body: object, headers: Record<string, string> = asOperator) =>
      server.ask("/api/v1.2/keys", { json: { label: "lab", ...body }, headers });
    const bearer = async (answer: Response) => ({
      authorization: `Bearer ${((await answer.json()) as { key: string }).key}`,
    });
    const paid = await bearer(await make({ supply: "paid", region: "Tokyo" }));
    expect((await submit(paid)).status).toBe(202);
    expect(server.grid.terms.at(-1)).toMatchObject({ supply: "paid", region: "ap-northeast-1" });
    expect((await submit(paid, { supply: "volunteers", region: "Sydney" })).status).toBe(202);
    expect(server.grid.terms.at(-1)).toMatchObject({ supply: "volunteers", region: "ap-southeast-2" });
    const plain = await bearer(await make({}));
    expect((await submit(plain)).status).toBe(202);
    expect(server.grid.terms.at(-1)).toMatchObject({ supply: "volunteers", region: null });
    expect((await submit(plain, { supply: "paid" })).status).toBe(403);
    const admin = await bearer(await make({ scopes: ["admin"] }));
    expect((await problem(await make({ supply: "paid" }, admin))).field).toBe("supply");
    expect((await problem(await make({ region: "Atlantis" }))).available).toContain("us-east-1");
  });

  test("what it would cost, by the cloud's own prices", async () => {
    const answer = await server.ask(estimate, { json: { type: "t3.medium", instances: 50, hours: 1 } });
    const { estimates } = estimateSchema.parse(await answer.json());
    expect(estimates).toHaveLength(1);
    expect(estimates[0]).toMatchObject({ dollars: 2.08, price_source: "test", within_budget: true });
    const work = estimateSchema.parse(
      await (await server.ask(estimate, { json: { core_seconds: 50_400, deadline_seconds: 3_600 } })).json(),
    );
    // 2 cores at 70 % for an hour are 5,040 core-seconds.
    expect(work.estimates[0]).toMatchObject({ instances: 10, hours: 1 });
    expect(
      (await problem(await server.ask(estimate, { json: { type: "x1.none", instances: 1, hours: 1 } }))).available,
    ).toEqual(["t3.medium"]);
    expect((await problem(await server.ask(estimate, { json: {} }))).field).toBe("instances");
  });
});

describe("without an autoscaler", () => {
  let server: TestServer;
  beforeEach(async () => {
    server = await testServer();
  });
  afterEach(async () => {
    await server.close();
  });

  test("the status says so, and wishes are refused with the remedy", async () => {
    expect(autoscalerStatusSchema.parse(await (await server.ask(status)).json())).toMatchObject({
      provider: "none",
      managed_instances: 0,
    });
    expect(scaleHistorySchema.parse(await (await server.ask("/api/v1.2/autoscaler/history")).json()).points).toEqual(
      [],
    );
    const refused = await problem(await server.ask(manual, { json: { action: "up", count: 5 } }));
    expect(refused).toMatchObject({ status: 409, type: "/api#problem-no_autoscaler" });
    expect(refused.remedy).toContain("--scale-provider=local");
  });
});
