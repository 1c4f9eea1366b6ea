import { afterAll, beforeAll, expect, test } from "vitest";
import { receiptChainSchema, receiptKeySchema } from "../../../protocol/ledger.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
let job: string;
beforeAll(async () => {
  server = await testServer();
  const body = { workload_type: "monte_carlo", payload: {} };
  job = ((await (await server.ask("/api/v1.2/workload/submit", { json: body })).json()) as { task_id: string }).task_id;
});
afterAll(() => server.close());

const code = async (path: string, init?: Parameters<TestServer["ask"]>[1]): Promise<string> => {
  const answer = await server.ask(path, init);
  return `${answer.status} ${((await answer.json()) as { type?: string }).type ?? ""}`;
};

test("a receipt is there once the job is completed, as it was made", async () => {
  const path = `/api/v1.2/workload/${job}/receipt`;
  expect(await code(path)).toBe("409 /api#problem-job_not_finished");
  server.grid.move(job, "completed", 1, {});
  server.grid.receiptTexts.set(job, '{"statement":1}');
  const answer = await server.ask(path);
  expect(await answer.text()).toBe('{"statement":1}');
  expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  expect((await server.ask(`${path}?grain=9`)).status).toBe(200);
  expect(await code(`${path}?grain=10`)).toBe("404 /api#problem-no_such_grain");
  expect(await code(`${path}?grain=-1`)).toBe("400 /api#problem-invalid_query");
  expect(await code(`${path}?what=1`)).toBe("400 /api#problem-invalid_query");
  expect(await code("/api/v1.2/workload/nothing/receipt")).toBe("404 /api#problem-no_such_job");
});

test("a receipt is for those who may see the job's result", async () => {
  const strange = await testServer({ access: { service: true } });
  try {
    const headers = { authorization: `Bearer ${operatorToken}` };
    const json = { workload_type: "monte_carlo", payload: {} };
    const { task_id } = (await (await strange.ask("/api/v1.2/workload/submit", { json, headers })).json()) as {
      task_id: string;
    };
    strange.grid.move(task_id, "completed", 1, {});
    strange.grid.receiptTexts.set(task_id, "{}");
    expect((await strange.ask(`/api/v1.2/workload/${task_id}/receipt`)).status).toBe(401);
    expect((await strange.ask(`/api/v1.2/workload/${task_id}/receipt`, { headers })).status).toBe(200);
  } finally {
    await strange.close();
  }
});

test("a grain is shown to those who may see the job's data", async () => {
  expect(await (await server.ask(`/api/v1.2/workload/${job}/grain/9?round=2`)).json()).toEqual({
    task_id: job,
    round: 2,
    grain: 9,
  });
  for (const grain of ["10", "-1", "x", "1e3", "99999999"]) {
    expect(await code(`/api/v1.2/workload/${job}/grain/${grain}`)).toBe("404 /api#problem-no_such_grain");
  }
  expect(await code(`/api/v1.2/workload/${job}/grain/1?round=-1`)).toBe("400 /api#problem-invalid_query");
  expect(await code("/api/v1.2/workload/nothing/grain/1")).toBe("404 /api#problem-no_such_job");
});

test("the key and the chain are public", async () => {
  receiptKeySchema.parse(await (await server.ask("/api/v1.2/receipts/key")).json());
  const chain = receiptChainSchema.parse(await (await server.ask("/api/v1.2/receipts?after=0")).json());
  expect(chain.receipts).toHaveLength(1);
  expect(await code("/api/v1.2/receipts?limit=1001")).toBe("400 /api#problem-invalid_query");
});
