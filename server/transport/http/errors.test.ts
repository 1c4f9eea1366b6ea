/** Refusals: problem documents that name the field and the remedy, whatever is wrong. */
import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { type Problem, problemSchema } from "../../../protocol/rest.ts";
import { GridError } from "../grid.ts";
import { raw, rawBytes } from "./raw.ts";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await testServer();
});
afterAll(async () => {
  expect(server.defects).toEqual([]);
  await server.close();
});

async function problem(answer: Response): Promise<Problem> {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const parsed = problemSchema.parse(await answer.json());
  expect(parsed.status).toBe(answer.status);
  expect(parsed.remedy).toBeTruthy();
  return parsed;
}
const submitText = async (text: string | Uint8Array<ArrayBuffer>): Promise<Problem> =>
  problem(
    await server.ask("/api/v1.2/workload/submit", {
      method: "POST",
      body: text,
      headers: { "content-type": "application/json" },
    }),
  );
const submit = (json: unknown) => server.ask("/api/v1.2/workload/submit", { json });

describe("bodies", () => {
  test.each([
    ['{"workload_type": "monte_carlo",}', "Line 1, column 33 (character 32)"],
    ['{"a": 1\n "b": 2}', "Line 2, column 2 (character 9)"],
    ['{"a": tru}', "character 6"],
    ['{"a": "x', "the body ends too early"],
    ['{"a": "\\q"}', "character 7"],
    ["[1, 2", "the body ends too early"],
    ["{} {}", "character 3"],
    ["", "empty"],
  ])("malformed: %s", async (text, where) => {
    const found = await submitText(text);
    expect([found.status, found.field]).toEqual([400, "body"]);
    expect(found.detail).toContain(where);
  });

  test("not UTF-8", async () => {
    expect((await submitText(new Uint8Array([0x22, 0xff, 0x22]))).detail).toContain("UTF-8");
  });

  test("deeper than 64 levels, and the magic key", async () => {
    const nest = (depth: number) =>
      `{"workload_type":"monte_carlo","payload":${'{"a":'.repeat(depth)}1${"}".repeat(depth)}}`;
    expect((await submitText(nest(64))).detail).toContain("64 levels");
    expect((await submitText(nest(100_000))).status).toBe(422);
    expect((await submitText('{"workload_type":"monte_carlo","payload":{"__proto__":{}}}')).detail).toContain(
      "__proto__",
    );
    expect((await submitText('{"workload_type":"monte_carlo","payload":[{"\\u005f_proto__":1}]}')).detail).toContain(
      "__proto__",
    );
  });

  test("wrong fields are named, all of them", async () => {
    const found = await problem(await submit({ workload_type: 3, payload: {}, priority: 11, prioritty: 1 }));
    expect(found.status).toBe(422);
    expect(found.errors?.map((error) => error.field)).toEqual(["workload_type", "priority", "body"]);
    expect(found.errors?.[2]?.message).toContain("prioritty");
    expect((await problem(await submit([]))).field).toBe("body");
    expect((await problem(await submit({ workload_type: "monte_carlo", payload: { iterations: -1 } }))).field).toBe(
      "payload.iterations",
    );
  });

  test("another media type: 415; compressed: 415", async () => {
    const headers = { authorization: "Bearer operator-token-of-the-tests-0123456789" };
    const send = (more: Record<string, string>) =>
      server.ask("/api/v1.2/workload/submit", { method: "POST", body: "{}", headers: { ...headers, ...more } });
    expect((await problem(await send({ "content-type": "text/plain" }))).status).toBe(415);
    const compressed = await problem(await send({ "content-type": "application/json", "content-encoding": "gzip" }));
    expect([compressed.status, compressed.field]).toEqual([415, "header Content-Encoding"]);
  });

  test("too large, announced or not: 413, and the connection closes", async () => {
    const head = `POST /api/v1.2/workload/submit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const announced = await rawBytes(server.port, `${head}Content-Length: ${limits.submitBytesMax + 1}\r\n\r\n`);
    expect(announced).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close/i);
    const small = `POST /api/v1.2/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
    const chunk = `8000\r\n${" ".repeat(0x8000)}\r\n`;
    expect(await rawBytes(server.port, `${small}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(3)}`)).toMatch(
      /^HTTP\/1\.1 413 /,
    );
  });

  test("a body cut short leaves nothing behind", async () => {
    const before = server.grid.kept.size;
    const socket = connect(server.port, "127.0.0.1");
    socket.write(
      "POST /api/v1.2/workload/submit HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.grid.kept.size).toBe(before);
  });
});

describe("what is no request", () => {
  test.each([
    ["no HTTP", "HELLO\r\n\r\n", 400, "bad_request"],
    ["two Hosts", "GET /api/health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400, "bad_request"],
    ["no Host", "GET /api/health HTTP/1.1\r\n\r\n", 400, null],
    ["an unreadable Host", "GET /api/health HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_request"],
    ["another scheme's target", "GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "bad_request"],
    ["long headers", `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431, "headers_too_large"],
  ])("%s", async (_name, text, status, code) => {
    const answer = await rawBytes(server.port, text, 300);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (code !== null) {
      expect(answer).toContain("application/problem+json");
      expect(answer).toContain(`/api#problem-${code}`);
    }
  });
});

describe("workload types", () => {
  test("planned: 501 with those there are and a curl that works", async () => {
    const found = await problem(
      await submit({ workload_type: "llm_inference", payload: { model_size: "7B" }, priority: 8 }),
    );
    expect([found.status, found.field, found.available]).toEqual([501, "workload_type", ["monte_carlo"]]);
    expect(found.example).toContain(`curl -X POST ${server.url}/api/v1.2/workload/submit`);
    const { stdout } = await promisify(execFile)("/bin/sh", ["-c", found.example!.replace("curl", "curl -s")]);
    expect(JSON.parse(stdout)).toMatchObject({ workload_type: "monte_carlo", status: "queued" });
  });

  test("unknown: 422 with those there are", async () => {
    const found = await problem(await submit({ workload_type: "alchemy", payload: {} }));
    expect([found.status, found.available]).toEqual([422, ["monte_carlo"]]);
  });
});

describe("the grid's refusals", () => {
  test.each([
    ["overloaded", 503, "12"],
    ["storage_unavailable", 503, "5"],
    ["shutting_down", 503, "5"],
  ] as const)("%s: %i with Retry-After", async (code, status, retry) => {
    const details = { remedy: "Wait.", ...(code === "overloaded" ? { retryAfterSeconds: 12 } : {}) };
    server.grid.refuse = new GridError(code, "No.", details);
    const answer = await submit({ workload_type: "monte_carlo", payload: {} });
    server.grid.refuse = null;
    expect(answer.headers.get("retry-after")).toBe(retry);
    expect((await problem(answer)).status).toBe(status);
  });
});

describe("paths, methods, queries, headers", () => {
  test("nothing there: 404", async () => {
    for (const path of [
      "/api/v1.2/nowhere",
      "/nowhere",
      "/api/v1.2/workload/x%00y",
      "/api/v1.2/workload/%E0%A4",
      "/k/zz",
      "/b/zz",
    ]) {
      expect((await problem(await server.ask(path))).status).toBe(404);
    }
  });

  test("another method: 405 with Allow", async () => {
    for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS"]) {
      const answer = await server.ask("/api/v1.2/nodes", { method });
      expect(answer.headers.get("allow")).toBe("GET, HEAD");
      expect((await problem(answer)).status).toBe(405);
    }
    expect((await server.ask("/api/v1.2/workload/j1", { method: "PUT" })).headers.get("allow")).toBe(
      "GET, DELETE, HEAD",
    );
  });

  test("HEAD is GET without a body", async () => {
    const answer = await raw(server.port, "HEAD", "/api/v1.2/nodes", { host: "localhost" });
    expect([answer.status, answer.body]).toEqual([200, ""]);
  });

  test("a query parameter that is wrong or unknown", async () => {
    for (const [query, field] of [
      ["limit=0", "query limit"],
      ["limit=201", "query limit"],
      ["limit=x", "query limit"],
      ["state=done", "query state"],
      ["colour=red", "query colour"],
      ["cursor=none-of-ours", "query cursor"],
    ]) {
      const answer = await server.ask(`/api/v1.2/workload?${query}`);
      const body = problemSchema.parse(await answer.json());
      expect([answer.status, body.field]).toEqual([400, field]);
    }
  });

  test("an idempotency key that is none", async () => {
    const answer = await server.ask("/api/v1.2/workload/submit", {
      json: { workload_type: "monte_carlo", payload: {} },
      headers: { "idempotency-key": "x".repeat(129) },
    });
    expect((await problem(answer)).field).toBe("header Idempotency-Key");
  });
});

test("every answer of the API carries the headers that keep browsers from misreading it", async () => {
  for (const path of [
    "/api/health",
    "/api",
    "/api/v1.2/openapi.json",
    "/metrics",
    "/api/v1.2/nowhere",
    "/",
    "/api/v1.2/workload",
  ]) {
    const { headers } = await server.ask(path);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("access-control-allow-origin")).toBeNull();
  }
});
