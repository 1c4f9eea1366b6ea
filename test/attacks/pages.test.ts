/** Pages of others, in the browser of somebody who runs a coordinator on this machine: they get nothing done. */
import { request } from "node:http";
import { afterAll, afterEach, beforeEach, expect, test } from "vitest";
import { AttackedGrid } from "./grid.ts";

let grid: AttackedGrid;

// A foreign page latches keyless access off until the next start, so each test has a coordinator of its own.
beforeEach(async () => {
  grid = new AttackedGrid();
  await grid.start();
}, 60_000);
afterEach(() => grid.end());
afterAll(() => {});

const body = JSON.stringify({ workload_type: "monte_carlo", payload: { iterations: 1_000_000 } });

/** `fetch` does not let a program choose its Host and Origin, as this must. */
function post(headers: Record<string, string>, path = "/api/v1.2/workload/submit", text = body): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port: grid.port, path, method: "POST", headers };
    const sent = request(options, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.once("error", reject);
    sent.end(text);
  });
}

const json = { "content-type": "application/json" };
const jobs = async (): Promise<number> => {
  const answer = await grid.ask("/api/v1.2/workload");
  return ((await answer.json()) as { jobs: unknown[] }).jobs.length;
};

test("this machine's own programs may submit without a key, until a foreign page was seen", async () => {
  expect(await post(json)).toBe(202);
  expect(await post({ ...json, host: "rebound.example" })).toBeGreaterThanOrEqual(400);
  expect(await post(json)).toBe(401);
  expect(await jobs()).toBe(1);
});

test.each([
  ["a name that was rebound to this machine", { host: `rebound.example:1` }],
  ["another page, by fetch", { origin: "https://evil.example" }],
  ["an opaque origin", { origin: "null" }],
  ["a page that the browser calls cross-site", { "sec-fetch-site": "cross-site" }],
])("%s submits nothing", async (_, headers) => {
  expect(await post({ ...json, ...headers })).toBeGreaterThanOrEqual(400);
  expect(await jobs()).toBe(0);
});

test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])(
  "a form of type %s, which a page may post unasked, submits nothing",
  async (type) => {
    expect(await post({ "content-type": type })).toBeGreaterThanOrEqual(400);
    expect(await jobs()).toBe(0);
  },
);
