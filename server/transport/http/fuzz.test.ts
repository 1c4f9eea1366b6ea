/** Whatever is sent, the answer is deliberate: no 5xx but 501 and 503, and refusals are problem documents. */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { problemSchema } from "../../../protocol/rest.ts";
import { raw } from "./raw.ts";
import { operatorToken, type TestServer, testServer } from "./test-server.ts";

let server: TestServer;
beforeAll(async () => {
  const plenty = { perSecond: 1e9, burst: 1e9 };
  const rates = { failures: plenty, submissions: plenty, requests: plenty };
  server = await testServer({ access: { rates } });
  await server.ask("/api/v1.2/workload/submit", { json: { workload_type: "monte_carlo", payload: {} } });
});
afterAll(() => server.close());

const segment = fc.oneof(
  fc.constantFrom(
    "api",
    "v1.2",
    "workload",
    "submit",
    "j1",
    "result",
    "keys",
    "session",
    "nodes",
    "k",
    "b",
    "..",
    "%2e",
    "%ff",
    "",
  ),
  fc.string({ maxLength: 8 }).map((text) => encodeURIComponent(text)),
);
const known = fc.constantFrom(
  "/api/health",
  "/api/v1.2/workload",
  "/api/v1.2/workload/submit",
  "/api/v1.2/workload/j1",
  "/api/v1.2/workload/j1/result",
  "/api/v1.2/keys",
  "/api/v1.2/session",
  "/api/v1.2/nodes",
  "/metrics",
  "/api",
  "/dashboard",
  "/volunteers",
  "/playground",
);
const query = fc.oneof(
  fc.constant(""),
  fc.webQueryParameters().map((text) => `?${text}`),
  fc.tuple(fc.constantFrom("limit", "state", "cursor", "wait", "submitter"), fc.string({ maxLength: 6 })).map(
    // A long wait would only slow the test down.
    ([name, value]) => (name === "wait" ? "?wait=x" : `?${name}=${encodeURIComponent(value)}`),
  ),
);
const path = fc.tuple(
  fc.oneof(
    known,
    fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.join("/")}`),
  ),
  query,
);
const headerText = fc.stringMatching(/^[\x21-\x7e]{0,24}$/);
const headers = fc.record(
  {
    authorization: fc.oneof(
      fc.constant(`Bearer ${operatorToken}`),
      headerText.map((text) => `Bearer ${text}`),
      headerText,
    ),
    "content-type": fc.constantFrom("application/json", "text/plain", "application/json; charset=utf-8", ""),
    cookie: fc.oneof(
      headerText,
      headerText.map((text) => `queztl_session=${text}`),
    ),
    "idempotency-key": headerText,
    "if-none-match": headerText,
    "last-event-id": headerText,
    "x-forwarded-for": headerText,
    "sec-fetch-site": fc.constantFrom("same-origin", "cross-site", "none"),
    range: headerText,
  },
  { requiredKeys: [] },
);
const hosts = fc.constantFrom(
  "localhost",
  "127.0.0.1:8000",
  "[::1]",
  "evil.example",
  "a b",
  "[",
  "localhost:99999",
  "%",
  "xn--a",
);
const bodies = fc.oneof(
  fc.json(),
  fc.string(),
  fc
    .record(
      {
        workload_type: fc.oneof(fc.constantFrom("monte_carlo", "llm_inference"), fc.string()),
        payload: fc.anything({ withNullPrototype: false }),
        priority: fc.oneof(fc.integer({ min: -1, max: 12 }), fc.double()),
        label: fc.string(),
        scopes: fc.array(fc.constantFrom("submit", "admin", "x")),
        token: fc.string(),
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? String(inner) : inner))),
);

test("no request yields a server error that was not meant", { timeout: 60_000 }, async () => {
  const methods = fc.constantFrom("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS");
  await fc.assert(
    fc.asyncProperty(methods, path, hosts, headers, bodies, async (method, [at, search], host, more, body) => {
      const bytes = method === "GET" || method === "HEAD" ? "" : body;
      const length = { "content-length": String(Buffer.byteLength(bytes)) };
      const answer = await raw(server.port, method, at + search, { host, ...more, ...length }, bytes);
      expect(server.defects).toEqual([]);
      expect(answer.status < 500 || answer.status === 501 || answer.status === 503).toBe(true);
      if (answer.status >= 400 && answer.body !== "")
        expect(problemSchema.parse(JSON.parse(answer.body)).status).toBe(answer.status);
    }),
    { numRuns: 1_500 },
  );
});
