/**
 * No URL of the product is one that blockers of miners block. Not by evasion: files are named by their content, and the
 * page computes only after a click. This notices when a name comes to resemble theirs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { blocked, parseRules } from "./blocker-rules.ts";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const rules = parseRules(readFileSync(`${root}test/fixtures/blocker-rules.txt`, "utf8"));
const origin = "https://grid.example.org";
let grid: RunningGrid;
let browser: Browser;

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium({ gpu: true });
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

it("the rules are read as blockers read them", () => {
  expect(rules).toHaveLength(16);
  const bad = [
    `${origin}/hash.wasm`,
    `${origin}/lib/miner.js?v=2`,
    "wss://grid.example.org/wproxy",
    `${origin}/x?proxy=wss://pool`,
    "https://cdn.example.xyz/a.js",
  ];
  for (const url of bad) expect([url, blocked(rules, [url]).length]).toEqual([url, 1]);
  expect(blocked(rules, [`${origin}/rehash.wasm`, `${origin}/miners.html`, "https://xyz.example.org/a.js"])).toEqual(
    [],
  );
  expect(
    blocked(parseRules("||coin.example^\n|https://a/*/b.js|"), ["https://x.coin.example/", "https://a/1/b.js"]),
  ).toHaveLength(2);
  expect(blocked(parseRules("||coin.example^"), ["https://notcoin.example/", "https://coin.example.org/"])).toEqual([]);
});

it("matches no file of the build, no kernel and no route", async () => {
  const { paths } = await getJson<{ paths: Record<string, unknown> }>(`${grid.url}/api/v1.2/openapi.json`);
  const files = readdirSync(`${root}dist/client`, { recursive: true, encoding: "utf8" });
  const kernels = readdirSync(`${root}dist/kernels`).filter((name) => /^[0-9a-f]{64}\.(wasm|wgsl)$/.test(name));
  expect(Math.min(Object.keys(paths).length, files.length, kernels.length)).toBeGreaterThan(5);
  const urls = [
    ...Object.keys(paths),
    ...files.map((file) => `/${file.replaceAll("\\", "/")}`),
    ...kernels.map((kernel) => `/k/${kernel}`),
    ...[
      "/",
      "/dashboard",
      "/ws",
      "/api",
      "/api/style.css",
      "/worker.mjs",
      "/queztl.mjs",
      "/queztl-sdk.mjs",
      "/queztl-sdk.d.mts",
      `/b/${"0".repeat(64)}`,
    ],
  ].map((path) => origin + path);
  expect(blocked(rules, urls)).toEqual([]);
});

it("matches nothing that a computing tab asks for, which is all of this site", async () => {
  const page = await (await browser.newContext()).newPage();
  const urls = new Set<string>();
  page.context().on("request", (request) => urls.add(request.url()));
  page.on("websocket", (socket) => urls.add(socket.url()));
  page.on("worker", (worker) => urls.add(worker.url()));
  await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e11 }, priority: 5 });
  await page.goto(`${grid.url}/?allow-software-gpu`);
  await page.getByTestId("donate-button").click();
  await until(
    async () =>
      (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.some(
        (node) => node.leases.length > 0,
      ),
    20_000,
    grid.output,
  );
  await until(
    async () => [...urls].some((url) => /\/k\/[0-9a-f]{64}\.wasm$/.test(url)),
    10_000,
    () => [...urls].join("\n"),
  );
  expect(blocked(rules, urls)).toEqual([]);
  const { host } = new URL(grid.url);
  expect([...urls].filter((url) => new URL(url).host !== host)).toEqual([]);
});
