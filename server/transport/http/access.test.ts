/** Keys, tokens, sessions, limits: who may do and see what from another machine. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Scope } from "../../../protocol/rest.ts";
import { raw } from "./raw.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
/** A coordinator behind a public URL: nobody is local. */
const open = async (access = {}): Promise<void> => {
  server = await testServer({ access: { publicUrl: new URL("https://grid.example"), ...access } });
};
beforeEach(() => open());
afterEach(() => server.close());

const asOperator = { authorization: `Bearer ${operatorToken}` };
const keyWith = async (...scopes: Scope[]): Promise<{ authorization: string }> => {
  const { key } = await server.access.keyring.create("test", scopes);
  return { authorization: `Bearer ${key}` };
};
const submit = (headers: Record<string, string> = {}) =>
  server.ask("/api/v1.2/workload/submit", {
    json: { workload_type: "monte_carlo", payload: { note: "secret input" } },
    headers,
  });
const submitted = async (headers: Record<string, string>): Promise<string> =>
  ((await (await submit(headers)).json()) as { task_id: string }).task_id;

describe("what each may do", () => {
  test("submitting needs a key with its scope", async () => {
    expect((await submit()).status).toBe(401);
    expect((await submit(await keyWith("read"))).status).toBe(403);
    expect((await submit(await keyWith("submit"))).status).toBe(202);
    expect((await submit(asOperator)).status).toBe(202);
  });

  test("managing keys needs admin, and only the operator grants admin and scale", async () => {
    const make = (headers: Record<string, string>, scopes: string[]) =>
      server.ask("/api/v1.2/keys", { json: { label: "x", scopes }, headers });
    expect((await make({}, ["submit"])).status).toBe(401);
    expect((await make(await keyWith("submit", "read"), ["submit"])).status).toBe(403);
    const admin = await keyWith("admin");
    expect((await make(admin, ["submit", "read"])).status).toBe(201);
    expect((await make(admin, ["scale"])).status).toBe(403);
    expect((await make(asOperator, ["admin", "scale"])).status).toBe(201);
  });

  test("a job's data is its submitter's; its progress everybody's", async () => {
    const mine = await keyWith("submit");
    const other = await keyWith("submit");
    const reader = await keyWith("read");
    const id = await submitted(mine);
    server.grid.move(id, "completed", 1, { answer: "secret output" });
    const path = `/api/v1.2/workload/${id}`;
    for (const url of [path, "/api/v1.2/workload"]) {
      for (const [headers, sees] of [
        [mine, true],
        [reader, true],
        [asOperator, true],
        [other, false],
        [{}, false],
      ] as const) {
        const text = await (await server.ask(url, { headers })).text();
        expect(text.includes("secret input")).toBe(sees);
        expect(text).toContain('"fraction":1');
      }
    }
    for (const sub of ["/result", "/events"]) {
      const statuses = [];
      for (const headers of [mine, reader, asOperator, other, {}]) {
        const answer = await server.ask(path + sub, { headers });
        await answer.body?.cancel();
        statuses.push(answer.status);
      }
      expect(statuses).toEqual([200, 200, 200, 403, 401]);
    }
  });

  test("cancelling is the submitter's and the administrator's", async () => {
    const mine = await keyWith("submit");
    const cancel = async (headers: Record<string, string>) =>
      (await server.ask(`/api/v1.2/workload/${id}`, { method: "DELETE", headers })).status;
    const id = await submitted(mine);
    expect(await cancel({})).toBe(401);
    expect(await cancel(await keyWith("submit", "read", "scale"))).toBe(403);
    expect(server.grid.kept.get(id)?.job.status).toBe("queued");
    expect(await cancel(mine)).toBe(200);
  });

  test("idempotency keys of two submitters do not meet", async () => {
    const key = { "idempotency-key": "same" };
    const first = await submitted({ ...(await keyWith("submit")), ...key });
    expect(await submitted({ ...(await keyWith("submit")), ...key })).not.toBe(first);
  });
});

describe("the session cookie", () => {
  const begin = async (): Promise<string> => {
    const answer = await server.ask("/api/v1.2/session", { json: { token: operatorToken } });
    expect(answer.headers.get("set-cookie")).toMatch(/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);
    return answer.headers.get("set-cookie")!.split(";")[0]!;
  };
  const make = (headers: Record<string, string>) => server.ask("/api/v1.2/keys", { json: { label: "x" }, headers });

  test("counts for our own pages only", async () => {
    const cookie = await begin();
    expect((await make({ cookie, origin: "https://grid.example" })).status).toBe(201);
    expect((await make({ cookie, origin: server.url })).status).toBe(201);
    const foreign: Record<string, string>[] = [
      { cookie },
      { cookie, origin: "https://evil.example" },
      { cookie, origin: "null" },
      { cookie, origin: "https://grid.example.evil.example" },
    ];
    for (const headers of foreign) {
      const answer = await make(headers);
      expect([answer.status, ((await answer.json()) as { type: string }).type]).toEqual([
        403,
        "/api#problem-cross_site",
      ]);
    }
    // fetch sets Sec-Fetch-Site itself, so this one goes by hand.
    const read = await raw(server.port, "GET", "/api/v1.2/keys", {
      host: "localhost",
      cookie,
      "sec-fetch-site": "cross-site",
    });
    expect(read.status).toBe(403);
  });

  test("ends after 12 hours, and by DELETE", async () => {
    let now = Date.now();
    await server.close();
    await open({ now: () => now });
    const cookie = await begin();
    const own = { cookie, origin: server.url };
    expect((await make(own)).status).toBe(201);
    now += 12 * 3600 * 1000;
    expect((await make(own)).status).toBe(401);
    const second = { cookie: await begin(), origin: server.url };
    await server.ask("/api/v1.2/session", { method: "DELETE", headers: second });
    expect((await make(second)).status).toBe(401);
  });

  test("is not begun by a foreign page, nor with a wrong token, nor by a query", async () => {
    const begun = (token: string, headers = {}) => server.ask("/api/v1.2/session", { json: { token }, headers });
    expect((await begun(operatorToken, { origin: "https://evil.example" })).status).toBe(403);
    expect((await begun("wrong")).status).toBe(401);
    expect((await server.ask(`/api/v1.2/keys?token=${operatorToken}`)).status).toBe(401);
    expect(server.access.sessions.size).toBe(0);
  });
});

describe("limits", () => {
  test("wrong credentials: ten, then 429 even for the right one, until time has passed", async () => {
    let now = 0;
    await server.close();
    await open({ now: () => now });
    for (let attempt = 0; attempt < 10; attempt++) {
      expect((await server.ask("/api/v1.2/keys", { headers: { authorization: "Bearer wrong" } })).status).toBe(401);
    }
    const answer = await server.ask("/api/v1.2/keys", { headers: asOperator });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "5"]);
    now += 5_000;
    expect((await server.ask("/api/v1.2/keys", { headers: asOperator })).status).toBe(200);
  });

  test("submissions per key", async () => {
    await server.close();
    await open({ now: () => 0, rates: { submissions: { perSecond: 0.5, burst: 3 } } });
    const one = await keyWith("submit");
    const statuses = [];
    for (let count = 0; count < 4; count++) statuses.push((await submit(one)).status);
    expect(statuses).toEqual([202, 202, 202, 429]);
    expect((await submit(one)).headers.get("retry-after")).toBe("2");
    expect((await submit(await keyWith("submit"))).status).toBe(202);
  });

  test("requests per address, told by a trusted proxy alone", async () => {
    await server.close();
    const rates = { requests: { perSecond: 1, burst: 2 } };
    await open({ now: () => 0, rates, trustedProxies: ["127.0.0.1"] });
    const ask = async (from: string) =>
      (await server.ask("/api/health", { headers: { "x-forwarded-for": from } })).status;
    expect([await ask("203.0.113.1"), await ask("203.0.113.1"), await ask("203.0.113.1")]).toEqual([200, 200, 429]);
    expect(await ask("203.0.113.2")).toBe(200);
    // What the client itself wrote before the proxy's entry changes nothing.
    expect(await ask("198.51.100.7, 203.0.113.1")).toBe(429);
    expect([await ask("2001:db8::1"), await ask("2001:db8::2"), await ask("2001:db8:0:0:9::3")]).toEqual([
      200, 200, 429,
    ]);
  });
});

test("Host: only the names that the operator gave", async () => {
  await server.close();
  await open({ allowedHosts: ["node.lan", "192.168.1.7"] });
  const status = async (host: string) => (await raw(server.port, "GET", "/api/health", { host })).status;
  for (const host of [
    "grid.example",
    "GRID.example:443",
    "grid.example.",
    "node.lan:8000",
    "192.168.1.7",
    "localhost",
  ]) {
    expect(await status(host)).toBe(200);
  }
  for (const host of ["evil.example", "192.168.1.8", "grid.example.evil.example", "xgrid.example", "[::2]"]) {
    expect(await status(host)).toBe(421);
  }
});
