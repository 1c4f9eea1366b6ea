/** Who gets in without a key: the local user's programs and our own pages; nobody who speaks through them. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { healthSchema } from "../../../protocol/rest.ts";
import { forwardingHeaders } from "../../access/keyless.ts";
import { raw, rawBytes } from "./raw.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

const body = JSON.stringify({ workload_type: "monte_carlo", payload: {} });
const submitPath = "/api/v1.2/workload/submit";
let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(() => server.close());

const submit = (headers: Record<string, string> = {}) =>
  raw(
    server.port,
    "POST",
    submitPath,
    {
      host: `127.0.0.1:${server.port}`,
      "content-type": "application/json",
      "content-length": String(body.length),
      ...headers,
    },
    body,
  );
const enabled = async () =>
  healthSchema.parse(JSON.parse((await raw(server.port, "GET", "/api/health", { host: "localhost" })).body))
    .keyless_loopback;

describe("let in", () => {
  test.each(["127.0.0.1", "localhost", "LOCALHOST:8000", "[::1]:8000", "127.1.2.3"])(
    "a program on this machine, host %s",
    async (host) => {
      expect((await submit({ host })).status).toBe(202);
      expect(await enabled()).toEqual({ enabled: true, reason: null });
    },
  );

  test("our own page, whose POST says so", async () => {
    const origin = `http://127.0.0.1:${server.port}`;
    expect((await submit({ origin, "sec-fetch-site": "same-origin" })).status).toBe(202);
  });
});

describe("refused", () => {
  test.each(forwardingHeaders)("the forwarding header %s", async (header) => {
    const answer = await submit({ [header]: "203.0.113.9" });
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toContain("Bearer");
    expect(JSON.parse(answer.body).detail).toContain(header);
  });

  test("a form's media types, which foreign pages may send unasked", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/json, text/plain",
      "",
    ]) {
      expect((await submit({ "content-type": type })).status).toBe(401);
    }
  });

  test("what the browser calls cross-site, even without an origin", async () => {
    for (const site of ["cross-site", "same-site", "bogus"])
      expect((await submit({ "sec-fetch-site": site })).status).toBe(401);
    expect((await enabled()).enabled).toBe(true);
  });

  test("HTTP/1.0, which stock proxies speak", async () => {
    const head = `POST ${submitPath} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    expect(await rawBytes(server.port, head + body)).toMatch(/^HTTP\/1\.1 401 /);
  });

  test("calls of the operator, and calls that spend money", async () => {
    const answer = await server.ask("/api/v1.2/keys", { json: { label: "x", scopes: ["scale"] } });
    expect(answer.status).toBe(403);
    const facts = { method: "POST", peer: "127.0.0.1", peerPort: 1, localAddress: "127.0.0.1", httpVersion: "1.1" };
    const headers: Record<string, string> = { host: "localhost", "content-type": "application/json" };
    const local = { ...facts, header: (name: string) => headers[name] };
    await expect(server.access.require(local, "submit")).resolves.toMatchObject({ kind: "local" });
    await expect(server.access.require(local, "scale")).rejects.toMatchObject({ code: "forbidden" });
  });

  test("a key that is wrong, though none would be needed", async () => {
    expect((await submit({ authorization: "Bearer qk_nonsense" })).status).toBe(401);
  });

  test("a peer of another machine", async () => {
    for (const peer of ["192.168.1.7", "::ffff:10.0.0.1", "fe80::1", "", "127.0.0.1.evil"]) {
      const headers: Record<string, string> = { host: "localhost", "content-type": "application/json" };
      const facts = {
        method: "POST",
        peer,
        peerPort: 1,
        localAddress: "127.0.0.1",
        httpVersion: "1.1",
        header: (name: string) => headers[name],
      };
      await expect(server.access.require(facts, "submit")).rejects.toMatchObject({ code: "unauthenticated" });
    }
  });
});

describe("latched off until the next start", () => {
  const latching: [string, Record<string, string>, number][] = [
    ["a rebound name", { host: "evil.example" }, 421],
    ["a name that begins like ours", { host: "localhost.evil.example" }, 421],
    ["an address beside", { host: "192.168.1.7" }, 421],
    ["a foreign page", { origin: "https://evil.example" }, 401],
    ["a page without origin", { origin: "null" }, 401],
    ["another port's page", { origin: "http://127.0.0.1:1" }, 401],
    ["an origin that only looks like ours", { origin: "http://127.0.0.1@evil.example" }, 401],
  ];
  test.each(latching)("by %s", async (_name, headers, status) => {
    expect((await submit(headers)).status).toBe(status);
    expect(server.printed).toHaveLength(1);
    const health = await enabled();
    expect(health.enabled).toBe(false);
    expect(health.reason?.message).toBe(server.printed[0]);
    const after = await submit();
    expect(after.status).toBe(401);
    expect(JSON.parse(after.body).detail).toContain("off until the next start");
    expect((await submit({ authorization: `Bearer ${operatorToken}` })).status).toBe(202);
    expect(server.printed).toHaveLength(1);
  });

  test("also when the foreign page only looks", async () => {
    await raw(server.port, "GET", "/api/health", { host: "localhost", origin: "https://evil.example" });
    expect((await submit()).status).toBe(401);
  });
});

describe("off from the start", () => {
  test.each([
    ["public_url", { publicUrl: new URL("https://grid.example") }],
    ["tls", { tls: true }],
    ["service", { service: true }],
    ["trusted_proxies", { trustedProxies: ["127.0.0.1"] }],
  ])("%s", async (code, access) => {
    await server.close();
    server = await testServer({ access });
    expect((await submit()).status).toBe(401);
    expect((await enabled()).reason?.code).toBe(code);
  });

  test("for programs of other users of this machine", async () => {
    await server.close();
    server = await testServer({ access: { askOwner: async () => 12345, ownUid: 1000 } });
    const answer = await submit();
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body).detail).toContain("user 12345");
  });
});
