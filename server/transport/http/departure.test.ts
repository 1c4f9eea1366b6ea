/** Last words of a page, as browsers send them: a beacon. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

const path = "/api/v1.2/node/departure";

test("hands the token to the grid, without a credential, also behind a public URL", async () => {
  expect((await server.ask(path, { json: { release: "good token" } })).status).toBe(202);
  const open = await testServer({ access: { publicUrl: new URL("https://grid.example") } });
  expect((await open.ask(path, { json: { release: "good token" } })).status).toBe(202);
  await open.close();
  expect(server.grid.departed).toEqual(["good token"]);
});

test("a wrong token is refused, and so is everything that is no token", async () => {
  expect((await server.ask(path, { json: { release: "bad token" } })).status).toBe(403);
  const odd: [unknown, number][] = [
    [{}, 422],
    [{ release: 5 }, 422],
    [{ release: "" }, 422],
    [{ release: "good".repeat(33) }, 422],
    [{ release: "good token", node: "x" }, 422],
    [{ release: "good".repeat(300) }, 413],
  ];
  for (const [json, status] of odd) expect([json, (await server.ask(path, { json })).status]).toEqual([json, status]);
  const text = {
    method: "POST",
    body: JSON.stringify({ release: "good token" }),
    headers: { "content-type": "text/plain" },
  };
  expect((await server.ask(path, text)).status).toBe(415);
  expect(server.grid.departed).toEqual(["bad token"]);
});
