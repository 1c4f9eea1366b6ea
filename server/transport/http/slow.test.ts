/** Clients that take their time: headers and bodies have deadlines, and say so when they pass. */
import type { AddressInfo } from "node:net";
import { Hono } from "hono";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HttpEnv } from "./api.ts";
import { readJsonBody } from "./body.ts";
import { httpServer } from "./listen.ts";
import { problemOf } from "./problems.ts";
import { rawBytes } from "./raw.ts";

const app = new Hono<HttpEnv>();
app.onError((error) => {
  const { body, headers } = problemOf(error);
  return new Response(JSON.stringify(body), { status: body.status, headers });
});
app.post("/", async (c) => c.json((await readJsonBody(c.env.incoming, { bytesMax: 100, msMax: 150 })).length));
const server = httpServer(app, { limits: { headersTimeout: 200, connectionsCheckingInterval: 20 } });
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";

test("a body in time is read", async () => {
  expect(await rawBytes(port, `${head}Connection: close\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 200 [\s\S]*2$/);
});

test("a body that does not come: 408, and the connection closes", async () => {
  const start = performance.now();
  const answer = await rawBytes(port, `${head}\r\n{`, 5_000);
  expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*problem-slow_body/);
  expect(performance.now() - start).toBeLessThan(4_000);
});

test("headers that do not end: 408, and the connection closes", async () => {
  const start = performance.now();
  const answer = await rawBytes(port, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", 5_000);
  expect(answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*problem-slow_body/);
  expect(performance.now() - start).toBeLessThan(4_000);
});
