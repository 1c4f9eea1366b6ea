/** How a tab goes: closed, hidden, crashed (frozen: sleeping.test.ts); and what becomes of what it had been given. */
import type { Browser, BrowserContext, Page } from "playwright";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

let grid: RunningGrid;
let browser: Browser;
let context: BrowserContext;
let page: Page;

const viewOf = (): Promise<{ phase: string; release: string | null; meters: { backend: string }[] }> =>
  page.evaluate(() => {
    const { view } = (window as never as { queztl: { view: never } }).queztl;
    return JSON.parse(JSON.stringify(view));
  });
const phase = async (): Promise<string> => (await viewOf()).phase;
/** Leases that tabs hold, as the coordinator counts them. */
const held = async (): Promise<number> =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes
    .filter((node) => node.kind === "tab")
    .reduce((sum, node) => sum + node.leases.length, 0);

async function donate(): Promise<void> {
  await page.getByTestId("donate-button").click();
  await until(async () => (await phase()) === "computing" && (await held()) > 0, 20_000, grid.output);
}
/** Milliseconds from `startedMs` until nothing is held. */
async function freedWithin(ms: number, startedMs = performance.now()): Promise<number> {
  await until(async () => (await held()) === 0, ms);
  return performance.now() - startedMs;
}

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium();
  // More than enough for all that follows.
  await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e12 }, priority: 5 });
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});
beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
  await page.goto(grid.url);
  await page.getByTestId("donate-button").waitFor();
});
afterEach(() => context.close());

it("a closed tab holds nothing after a second, also when its worker has no time for a word", async () => {
  // Workers that cannot be reached any more: only the page's beacon is left to tell.
  await page.evaluate(() => {
    const silence = (): void => {
      Worker.prototype.postMessage = () => {};
    };
    addEventListener("pagehide", silence, { capture: true });
  });
  await donate();
  const { release } = await viewOf();
  const closedMs = performance.now();
  await page.close();
  const freedMs = await freedWithin(2_000, closedMs);
  console.log(`freed ${Math.round(freedMs)} ms after the tab closed`);
  expect(freedMs).toBeLessThan(1_000);
  const again = { method: "POST", body: JSON.stringify({ release: `${release}x` }) };
  const headers = { "content-type": "application/json" };
  expect((await fetch(`${grid.url}/api/v1.2/node/departure`, { ...again, headers })).status).toBe(403);
});

it("a hidden tab pauses and says why, unless its owner ticks that it goes on", async () => {
  await donate();
  const show = (state: "hidden" | "visible"): Promise<void> =>
    page.evaluate((value) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => value });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await show("hidden");
  await freedWithin(2_000);
  await until(async () => (await page.getByTestId("status").innerText()).includes("another tab or window"), 3_000);
  await page.getByTestId("when-hidden").check();
  await until(async () => (await held()) > 0, 5_000);
  await page.getByTestId("when-hidden").uncheck();
  await freedWithin(2_000);
  await show("visible");
  await until(async () => (await held()) > 0, 5_000);
});

it("rests on a low battery, and goes on when it is plugged in; where no battery is told it computes", async () => {
  await page.addInitScript(() => {
    const battery = Object.assign(new EventTarget(), { charging: true, level: 0.2 });
    Object.assign(navigator, { getBattery: async () => battery });
    (window as never as { battery: unknown }).battery = battery;
  });
  await page.reload();
  await donate();
  const plug = (charging: boolean): Promise<void> =>
    page.evaluate((plugged) => {
      const { battery } = window as never as { battery: EventTarget & { charging: boolean } };
      battery.charging = plugged;
      battery.dispatchEvent(new Event("chargingchange"));
    }, charging);
  await plug(false);
  await freedWithin(2_000);
  await until(async () => (await page.getByTestId("status").innerText()).includes("battery is at 20 %"), 2_000);
  await plug(true);
  await until(async () => (await held()) > 0, 5_000);
});

it("pauses where the browser saves data, and goes on when its owner says so", async () => {
  await page.addInitScript(() => {
    const connection = Object.assign(new EventTarget(), { saveData: false });
    Object.defineProperty(Navigator.prototype, "connection", { configurable: true, get: () => connection });
  });
  await page.reload();
  await donate();
  await page.evaluate(() => {
    const { connection } = navigator as never as { connection: EventTarget & { saveData: boolean } };
    connection.saveData = true;
    connection.dispatchEvent(new Event("change"));
  });
  await freedWithin(2_000);
  await until(async () => (await page.getByTestId("status").innerText()).includes("saves data"), 2_000);
  await page.getByTestId("when-saving-data").check();
  await until(async () => (await held()) > 0, 5_000);
});

it("obeys Compute Pressure: it computes less of the time while the device is under pressure", async () => {
  await page.addInitScript(() => {
    (window as never as { PressureObserver: unknown }).PressureObserver = class {
      constructor(private readonly on: (records: { state: string }[]) => void) {
        (window as never as { press: unknown }).press = (state: string) => this.on([{ state }]);
      }
      async observe(): Promise<void> {}
      disconnect(): void {}
    };
  });
  await page.reload();
  await page.getByTestId("threads").fill("1");
  await donate();
  const press = (state: string): Promise<void> =>
    page.evaluate((value) => (window as never as { press(state: string): void }).press(value), state);
  const notes = (): Promise<number> => page.getByTestId("plan-note").filter({ hasText: "under pressure" }).count();
  expect(await notes()).toBe(0);
  const grains = (): Promise<number> =>
    page.evaluate(
      () =>
        (window as never as { queztl: { view: { meters: { grains: number }[] } } }).queztl.view.meters[0]?.grains ?? 0,
    );
  const oneMore = async (): Promise<void> => {
    const before = await grains();
    await until(async () => (await grains()) > before, 60_000);
  };
  /** Milliseconds of a grain, from its first to its last moment. */
  const grainMs = async (): Promise<number> => {
    await oneMore();
    const startedMs = performance.now();
    await oneMore();
    return performance.now() - startedMs;
  };
  const freeMs = await grainMs();
  await press("critical");
  await until(async () => (await notes()) === 1, 10_000);
  // It goes down by and by, to a quarter of the time: four times as long.
  await page.waitForTimeout(8_000);
  expect(await grainMs()).toBeGreaterThan(1.5 * freeMs);
}, 240_000);

it("a crash is noticed at the next start: told, and with fewer threads; the owner may wave it off", async () => {
  await page.getByTestId("threads").fill("2");
  await donate();
  expect((await viewOf()).meters).toHaveLength(2);
  const crashed = new Promise((resolve) => page.once("crash", resolve));
  await page.goto("chrome://crash").catch(() => {});
  await crashed;
  page = await context.newPage();
  await page.goto(grid.url);
  await donate();
  // Other notes may stand there too: a busy machine is one whose frames come late.
  const careful = (): Promise<number> =>
    page.getByTestId("plan-note").filter({ hasText: "ended while it computed" }).count();
  expect(await careful()).toBe(1);
  expect((await viewOf()).meters).toHaveLength(1);
  // The operator hears of it too.
  await until(async () => grid.output().includes("it crashed, or was killed"), 5_000, grid.output);
  await page.getByTestId("forget-crashes").click();
  await until(async () => (await viewOf()).meters.length === 2, 3_000);
  // An end that is said is no crash.
  await page.reload();
  await donate();
  expect(await careful()).toBe(0);
});
