/** The letter box by which an identity comes to another device. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(async () => {
  expect(server.defects).toEqual([]);
  await server.close();
});
const path = "/api/v1.2/identity-links";
const name = "0123456789abcdef0123456789abcdef";
const put = (json: unknown) => server.ask(path, { json });
const take = (json: unknown) => server.ask(`${path}/take`, { json });

test("a sealed identity is kept for five minutes and handed out once, without a credential", async () => {
  const made = await put({ name, sealed: "abc_-1" });
  expect(made.status).toBe(201);
  const { expires_at } = (await made.json()) as { expires_at: string };
  expect(Math.abs(Date.parse(expires_at) - Date.now() - 300_000)).toBeLessThan(5_000);
  const taken = await take({ name });
  expect([taken.status, await taken.json()]).toEqual([200, { sealed: "abc_-1" }]);
  expect(taken.headers.get("cache-control")).toBe("no-store");
  const again = await take({ name });
  expect([again.status, ((await again.json()) as { type: string }).type]).toEqual([404, "/api#problem-no_such_link"]);
});

test("what is no name and no sealed identity is refused", async () => {
  const odd: [unknown, number][] = [
    [{ name }, 422],
    [{ name: "short", sealed: "a" }, 422],
    [{ name, sealed: "not base64!" }, 422],
    [{ name, sealed: "a".repeat(513) }, 422],
    [{ name, sealed: "a", code: "x" }, 422],
    [{ name, sealed: "a".repeat(3_000) }, 413],
  ];
  for (const [json, status] of odd) expect([json, (await put(json)).status]).toEqual([json, status]);
  await put({ name, sealed: "a" });
  expect((await put({ name, sealed: "b" })).status).toBe(503);
});

test("nobody tries many codes: ten, and then one every ten seconds", async () => {
  const answers = [];
  for (let tries = 0; tries < 11; tries++) answers.push((await take({ name })).status);
  expect(answers).toEqual([...Array(10).fill(404), 429]);
});
