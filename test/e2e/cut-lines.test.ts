/** Lines that are cut: the live feed resumes, and what a tab finished survives a reload until it is acknowledged. */
import type { Browser, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.mjs";
import { type RunningGrid, startGrid, submit, until } from "./grid-process.ts";
import { type Line, startProxy } from "./proxy.ts";

let grid: RunningGrid;
let browser: Browser;
let proxy: Line;
let page: Page;

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});
beforeEach(async () => {
  proxy = await startProxy(grid.url);
  page = await (await browser.newContext()).newPage();
});
afterEach(async () => {
  await page.context().close();
  await proxy.end();
});

const count = (text: string, part: string): number => text.split(part).length - 1;

it("a dashboard whose line is cut resumes after the last event, without a second snapshot", async () => {
  await page.goto(`${proxy.url}/dashboard`);
  const state = async (): Promise<string> => (await page.getByTestId("feed-state").innerText()).trim();
  await until(async () => (await state()) === "Live", 20_000, grid.output);
  expect(count(proxy.said(), "event: snapshot")).toBe(1);
  proxy.cut();
  await until(async () => (await state()) !== "Live", 5_000);
  await until(async () => (await state()) === "Live", 20_000);
  const asked = proxy.heads.filter((head) => head.startsWith("GET /api/v1.2/live"));
  expect(asked).toHaveLength(2);
  expect(asked[0]).not.toMatch(/last-event-id/i);
  expect(asked[1]).toMatch(/last-event-id: \d+/i);
  expect(count(proxy.said(), "event: snapshot")).toBe(1);
  const id = await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1000 }, priority: 5 });
  await until(
    async () => (await page.locator(`[data-testid=job-row][data-task-id="${id}"]`).count()) === 1,
    5_000,
    grid.output,
  );
});

/** Results that wait in the browser's storage for their acknowledgement. */
const keptResults = (): Promise<number> =>
  page.evaluate(async () => {
    const opened = indexedDB.open("queztl");
    await new Promise((resolve) => opened.addEventListener("success", resolve));
    const all = opened.result.transaction("results").objectStore("results").count();
    await new Promise((resolve) => all.addEventListener("success", resolve));
    opened.result.close();
    return all.result;
  });

it("results that nobody acknowledged are kept over a reload, and handed in by the next start", async () => {
  await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e12 }, priority: 5 });
  await page.goto(proxy.url);
  await page.getByTestId("donate-button").click();
  await until(
    () =>
      page.evaluate(() =>
        (window as never as { queztl: { view: { meters: { fraction: number }[] } } }).queztl.view.meters.some(
          ({ fraction }) => fraction > 0,
        ),
      ),
    20_000,
    grid.output,
  );
  proxy.muteNodes = true;
  await until(async () => (await keptResults()) > 0, 30_000);
  await page.reload();
  await page.getByTestId("donate-button").waitFor();
  expect(await keptResults()).toBeGreaterThan(0);
  proxy.muteNodes = false;
  const before = await keptResults();
  await page.getByTestId("donate-button").click();
  // New ones come and go meanwhile: it is the old ones that must be gone, which are the first by number.
  await until(
    async () => {
      const stored = await page.evaluate(() => {
        const { storedByBackend } = (
          window as never as { queztl: { view: { storedByBackend: Record<string, number> } } }
        ).queztl.view;
        return Object.values(storedByBackend).reduce((sum, each) => sum + each, 0);
      });
      return stored >= before && (await keptResults()) === 0;
    },
    30_000,
    grid.output,
  );
});
