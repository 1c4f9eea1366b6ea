/** The dashboard in Firefox and WebKitGTK: live on one stream, which ends when it is left. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { findOtherBrowsers } from "../../scripts/other-browsers.mjs";
import { startFirefox } from "./firefox.ts";
import { type RunningGrid, startGrid, submit, until } from "./grid-process.ts";
import type { OtherBrowser } from "./other-browsers.ts";
import { startWebKit, type WebKitPrograms } from "./webkit.ts";

const { firefox, webkit, missing } = await findOtherBrowsers();
for (const words of missing) console.warn(words);

let grid: RunningGrid;
let browser: OtherBrowser | null = null;
beforeAll(async () => {
  grid = await startGrid();
}, 60_000);
afterAll(() => grid?.end());
afterEach(async () => {
  await browser?.end();
  browser = null;
});

async function streams(): Promise<number> {
  const metrics = await (await fetch(`${grid.url}/metrics`)).text();
  return Number(/^queztl_event_streams (\d+)$/m.exec(metrics)?.[1]);
}

async function isLiveOnOneStream(opened: OtherBrowser): Promise<void> {
  browser = opened;
  await opened.goto(`${grid.url}/dashboard`);
  const state = (): Promise<string> =>
    opened.evaluate(() => document.querySelector<HTMLElement>("[data-testid=feed-state]")?.innerText.trim() ?? "");
  await until(async () => (await state()) === "Live", 30_000, grid.output);
  const shared = await opened.evaluate(() => [typeof SharedWorker, "locks" in navigator].join(", "));
  console.log(`${opened.name}: SharedWorker is a ${shared.replace(", ", ", Web Locks: ")}`);
  expect(await streams()).toBe(1);
  const id = await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1000 }, priority: 5 });
  await until(async () => {
    const ids = await opened.evaluate(() =>
      [...document.querySelectorAll("[data-testid=job-row]")].map((row) => row.getAttribute("data-task-id")),
    );
    return ids.includes(id);
  }, 10_000);
  await opened.goto("about:blank");
  await until(async () => (await streams()) === 0, 10_000);
  expect(opened.errors ?? []).toEqual([]);
}

describe("a dashboard", () => {
  it.skipIf(firefox === null)(
    "in Firefox",
    async () => isLiveOnOneStream(await startFirefox(firefox as string)),
    90_000,
  );
  it.skipIf(webkit === null)(
    "in WebKitGTK",
    async () => isLiveOnOneStream(await startWebKit(webkit as WebKitPrograms)),
    90_000,
  );
});
