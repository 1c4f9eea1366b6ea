/** Researchers' own code in a real browser: written in the playground, computed by a tab whose owner allowed it. */
import type { Browser, BrowserContext } from "playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { examples } from "../../client/playground/examples.ts";
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

let grid: RunningGrid;
let browser: Browser;
let context: BrowserContext;

const online = async (): Promise<number> =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.filter((node) => node.online).length;

beforeAll(async () => {
  grid = await startGrid();
  grid.worker({ own: true });
  browser = await launchChromium();
  context = await browser.newContext();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

it("runs every example of the playground", async () => {
  const page = await context.newPage();
  await page.goto(`${grid.url}/playground`);
  // The shader needs a GPU: e2e/shaders.
  for (const [at, { title }] of examples.filter(({ language }) => language !== "wgsl").entries()) {
    await page.getByLabel("Example").selectOption({ label: title });
    await page.getByTestId("run").click();
    await page.locator('[data-testid="state"][data-status="completed"]').waitFor({ timeout: 60_000 });
    await page.getByTestId("outputs").locator("li").first().waitFor();
    const first = await page.getByTestId("outputs").locator("li").allTextContents();
    if (at === 0) expect(first.slice(0, 7)).toEqual(["0", "1", "7", "2", "5", "8", "16"]);
    if (at === 1) expect(Number(first[0])).toBeCloseTo(Math.PI, 1);
    if (at === 2) expect(first[0]).toBe('{"letters":9,"vowels":4}');
  }
}, 200_000);

it("shows where a program does not compile", async () => {
  const page = context.pages()[0]!;
  await page.getByTestId("code").fill("export function run(at: usize, length: i32): u64 {\n  return nope;\n}\n");
  await page.getByTestId("run").click();
  await page.getByTestId("problems").waitFor({ timeout: 30_000 });
  expect(await page.getByTestId("problems").textContent()).toContain("line 2, column 10");
});

it("is computed by a tab only once its owner allows it", async () => {
  const page = await context.newPage();
  await page.goto(grid.url);
  const code =
    'import { index, answer } from "./queztl";\nexport function run(at: usize, length: i32): u64 {\n  let x = index(at) | 1;\n  for (let i = 0; i < 3000000; i++) x = x * 6364136223846793005 + 1442695040888963407;\n  return answer((x >> 40).toString());\n}\n';
  const payload = { language: "assemblyscript", code, inputs: { count: 3_000 } };
  await page.getByTestId("donate-button").click();
  await page.getByTestId("stop-button").waitFor();
  const first = await submit(grid, { workload_type: "custom", payload: { ...payload, inputs: { count: 400 } } });
  const view = (id: string): Promise<JobView> => getJson(`${grid.url}/api/v1.2/workload/${id}`);
  await until(async () => (await view(first)).status === "completed", 60_000, grid.output);
  expect((await view(first)).progress.slices_by_node_kind["tab:wasm"] ?? 0).toBe(0);

  await page.getByTestId("stop-button").click();
  await until(async () => (await online()) === 1, 10_000, grid.output);
  await page.getByTestId("family-custom").click();
  await page.getByTestId("donate-button").click();
  await page.getByTestId("stop-button").waitFor();
  await until(async () => (await online()) === 2, 30_000, grid.output);
  // The machine's own worker may be done with a job before a busy browser has begun.
  let second = "";
  const byTab = async (): Promise<boolean> => {
    second = await submit(grid, { workload_type: "custom", payload });
    await until(async () => (await view(second)).status === "completed", 120_000, grid.output);
    return ((await view(second)).progress.slices_by_node_kind["tab:wasm"] ?? 0) > 0;
  };
  await until(byTab, 180_000, grid.output);
  const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${second}/result`);
  const expected = (index: number): number => {
    let x = BigInt(index) | 1n;
    for (let i = 0; i < 3_000_000; i++)
      x = BigInt.asUintN(64, x * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
    return Number(x >> 40n);
  };
  expect((result as { outputs: number[] }).outputs[2_999]).toBe(expected(2_999));
}, 240_000);
