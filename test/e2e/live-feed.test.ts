/** The dashboards of one browser share one stream of the coordinator, however they share it. */
import type { Browser, BrowserContext, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium } from "../../scripts/chromium.mjs";
import { lanAddressesBestFirst } from "../../server/first-minutes/addresses.ts";
import { type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

let grid: RunningGrid;
let browser: Browser;
/** More than the six connections that browsers open to a site over HTTP/1.1. */
const tabs = 8;
const lan = lanAddressesBestFirst()[0]?.address;

/** Streams that are open at the coordinator. */
async function streams(): Promise<number> {
  const metrics = await (await fetch(`${grid.url}/metrics`)).text();
  return Number(/^queztl_event_streams (\d+)$/m.exec(metrics)?.[1]);
}
const isLive = (page: Page): Promise<boolean> =>
  page
    .getByTestId("feed-state")
    .innerText()
    .then((text) => text.trim() === "Live");
const jobRows = (page: Page): Promise<string[]> =>
  page.getByTestId("job-row").evaluateAll((rows) => rows.map((row) => row.getAttribute("data-task-id") ?? ""));
const all = async (pages: Page[], holds: (page: Page) => Promise<boolean>): Promise<boolean> =>
  (await Promise.all(pages.map(holds))).every(Boolean);
const untilAll = (pages: Page[], holds: (page: Page) => Promise<boolean>): Promise<void> =>
  until(() => all(pages, holds), 30_000, grid.output);

async function open(context: BrowserContext, url = grid.url): Promise<Page> {
  const page = await context.newPage();
  await page.goto(`${url}/dashboard`);
  return page;
}

/** Eight dashboards, all live on one stream, which see a job that is submitted now. */
async function eightOnOne(context: BrowserContext): Promise<Page[]> {
  const pages: Page[] = [];
  for (let at = 0; at < tabs; at++) pages.push(await open(context));
  await untilAll(pages, isLive);
  expect(await streams()).toBe(1);
  await seesNewJob(pages);
  expect(await streams()).toBe(1);
  return pages;
}
async function seesNewJob(pages: Page[]): Promise<void> {
  const id = await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e9 }, priority: 5 });
  await untilAll(pages, async (page) => (await jobRows(page)).includes(id));
}

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

describe("eight dashboards of one browser", () => {
  it("are live on one stream of a SharedWorker, which ends with the last of them", async () => {
    const context = await browser.newContext();
    const pages = await eightOnOne(context);
    // The first tab's end is nothing to the others, and the pages' own requests are not held up.
    await pages.shift()?.close();
    await seesNewJob(pages);
    expect(await streams()).toBe(1);
    for (const page of pages) await page.close();
    await until(async () => (await streams()) === 0, 5_000);
    await context.close();
  });

  it.skipIf(lan === undefined)("share it over plain http on the LAN too", async () => {
    const context = await browser.newContext();
    const pages: Page[] = [];
    for (let at = 0; at < tabs; at++) pages.push(await open(context, grid.url.replace("localhost", lan as string)));
    await untilAll(pages, isLive);
    expect(await pages[0]?.evaluate(() => [isSecureContext, "locks" in navigator])).toEqual([false, false]);
    expect(await streams()).toBe(1);
    await context.close();
    await until(async () => (await streams()) === 0, 5_000);
  });

  it("without SharedWorker are live on one stream of the tab that leads; when it closes another goes on", async () => {
    const context = await browser.newContext();
    await context.addInitScript(() => {
      delete (window as { SharedWorker?: unknown }).SharedWorker;
    });
    const asked: (string | null)[] = [];
    context.on("request", (request) => {
      if (request.url().endsWith("/live")) asked.push(request.headers()["last-event-id"] ?? null);
    });
    const pages = await eightOnOne(context);
    await until(async () => asked.length === 1, 3_000);
    await pages.shift()?.close();
    await seesNewJob(pages);
    await untilAll(pages, isLive);
    expect(await streams()).toBe(1);
    expect(asked).toHaveLength(2);
    expect(asked[1]).toMatch(/^\d+$/);
    await context.close();
    await until(async () => (await streams()) === 0, 5_000);
  });

  it("without either, a tab has a stream of its own while it is in view", async () => {
    const context = await browser.newContext();
    await context.addInitScript(() => {
      delete (window as { SharedWorker?: unknown }).SharedWorker;
      delete (Navigator.prototype as { locks?: unknown }).locks;
    });
    const page = await open(context);
    await untilAll([page], isLive);
    const show = (state: "hidden" | "visible"): Promise<void> =>
      page.evaluate((value) => {
        Object.defineProperty(document, "visibilityState", { configurable: true, get: () => value });
        document.dispatchEvent(new Event("visibilitychange"));
      }, state);
    await show("hidden");
    await until(async () => (await streams()) === 0, 5_000);
    await show("visible");
    await untilAll([page], isLive);
    await seesNewJob([page]);
    expect(await streams()).toBe(1);
    await context.close();
  });
});
