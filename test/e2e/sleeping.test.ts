/** Tabs that are really hidden and really frozen, in a browser without Playwright. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";
import { type RawChromium, type RawTab, startRawChromium } from "./raw-chromium.ts";

let grid: RunningGrid;
let browser: RawChromium;
let tab: RawTab;
let front: RawTab;

const held = async (): Promise<number> =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.reduce(
    (sum, node) => sum + node.leases.length,
    0,
  );
const phase = (): Promise<string> => tab.evaluate("window.queztl?.view.phase");
const click = (id: string): Promise<void> => tab.evaluate(`document.querySelector('[data-testid="${id}"]').click()`);
const has = (id: string): Promise<boolean> => tab.evaluate(`!!document.querySelector('[data-testid="${id}"]')`);
const grains = (): Promise<number> => tab.evaluate("window.queztl.view.meters.reduce((sum, m) => sum + m.grains, 0)");

beforeAll(async () => {
  grid = await startGrid();
  await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e12 }, priority: 5 });
  browser = await startRawChromium();
  tab = await browser.open(grid.url);
  await until(() => has("donate-button"), 15_000);
  await click("donate-button");
  await until(async () => (await phase()) === "computing", 20_000, grid.output);
  front = await browser.open("about:blank");
});
afterAll(async () => {
  await browser?.end();
  await grid?.end();
});

it("pauses while it is hidden, and computes there once that is ticked", async () => {
  await front.activate();
  await until(async () => (await tab.evaluate("document.visibilityState")) === "hidden", 5_000);
  await until(async () => (await held()) === 0, 5_000);
  const said = (): Promise<string> => tab.evaluate("document.querySelector('[data-testid=status]').textContent");
  await until(async () => (await said()).includes("another tab"), 2_000);
  await click("when-hidden");
  await until(async () => (await held()) > 0, 10_000);
  const before = await grains();
  await until(async () => (await grains()) > before, 15_000);
  expect(await tab.evaluate("document.visibilityState")).toBe("hidden");
});

it("gives back what it holds when it is frozen, and asks before it resumes", async () => {
  await until(async () => (await held()) > 0, 10_000);
  const frozenMs = performance.now();
  await tab.lifecycle("frozen");
  await until(async () => (await held()) === 0, 5_000);
  const freedMs = performance.now() - frozenMs;
  console.log(`free ${Math.round(freedMs)} ms after the tab was frozen`);
  expect(freedMs).toBeLessThan(1_500);
  await tab.activate();
  await tab.lifecycle("active");
  await until(async () => (await phase()) === "stopped", 5_000);
  expect(await tab.evaluate("document.querySelector('[data-testid=interrupted]').innerText")).toContain("sleep");
  expect(await held()).toBe(0);
  await click("resume-button");
  await until(async () => (await held()) > 0, 10_000);
  expect(await has("interrupted")).toBe(false);
});

it.skipIf(process.platform !== "linux")(
  "a tab that falls silent, its socket open, holds nothing after twenty seconds",
  async () => {
    await until(async () => (await held()) > 0, 10_000);
    browser.halt(true);
    try {
      const silentMs = performance.now();
      await until(async () => (await held()) === 0, 30_000);
      const freedMs = performance.now() - silentMs;
      console.log(`free ${Math.round(freedMs)} ms after the last word`);
      expect(freedMs).toBeLessThan(20_000);
    } finally {
      browser.halt(false);
    }
    // A device that wakes is no other one: it connects again, and asks before it goes on.
    await until(async () => ["stopped", "computing"].includes(await phase()), 20_000);
  },
  90_000,
);
