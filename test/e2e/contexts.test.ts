/** The page as another device of the LAN opens it: over plain http, where browsers withhold all but the CPU. */
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { lanAddressesBestFirst } from "../../server/first-minutes/addresses.ts";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

interface TabView {
  phase: string;
  accepted: number;
}
const viewOf = (page: Page): Promise<TabView> =>
  page.evaluate(() => {
    const { view } = (window as never as { queztl: { view: TabView } }).queztl;
    return { phase: view.phase, accepted: view.accepted };
  });

const address = lanAddressesBestFirst()[0]?.address;
if (address === undefined) console.warn("Skipped: this machine has no address but loopback, which browsers trust.");

let grid: RunningGrid;
let browser: Browser;
const job = (id: string): Promise<JobView> => getJson(`${grid.url}/api/v1.2/workload/${id}`);
const tabs = async (): Promise<NetworkStatus["nodes"]> =>
  (await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`)).nodes.filter((node) => node.kind === "tab");
/** Stop, in the middle of computing: everything of the tab has ended within a second. `first` happens just before. */
async function stopsWithinASecond(page: Page, goneMsMax = 1_000, first = async (): Promise<void> => {}): Promise<void> {
  const id = await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 1e11 }, priority: 9 });
  await until(
    () =>
      page.evaluate(() =>
        (window as never as { queztl: { view: { meters: { fraction: number }[] } } }).queztl.view.meters.some(
          ({ fraction }) => fraction > 0,
        ),
      ),
    30_000,
    grid.output,
  );
  await first();
  const tookMs = await page.evaluate(async () => {
    const button = document.querySelector<HTMLElement>("[data-testid=stop-button]");
    const startedMs = performance.now();
    button?.click();
    const { queztl } = window as never as { queztl: { view: { phase: string } } };
    while (queztl.view.phase !== "stopped" && performance.now() - startedMs < 5_000)
      await new Promise((resolve) => setTimeout(resolve, 5));
    return performance.now() - startedMs;
  });
  console.log(`stopped ${Math.round(tookMs)} ms after the press`);
  expect(tookMs).toBeLessThan(1_000);
  await fetch(`${grid.url}/api/v1.2/workload/${id}`, { method: "DELETE" });
  const saidMs = performance.now();
  await until(async () => page.workers().length === 0, goneMsMax);
  console.log(`workers were gone ${Math.round(performance.now() - saidMs)} ms after that`);
}
const monteCarlo = { workload_type: "monte_carlo", payload: { iterations: 200_000_000 }, priority: 9 };

beforeAll(async () => {
  grid = await startGrid();
  browser = await launchChromium({ gpu: true });
});
afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

/** A volunteer's results count once an own node has audited them. */
async function computeWith(page: Page): Promise<void> {
  await page.getByTestId("donate-button").click();
  await until(async () => (await tabs()).some((node) => node.online), 20_000, grid.output);
  const auditor = grid.worker({ own: true });
  const id = await submit(grid, monteCarlo);
  await until(async () => (await job(id)).status === "completed", 90_000, grid.output);
  auditor.kill();
  const { progress } = await job(id);
  expect(progress.slices_by_node_kind["tab:wasm"] ?? 0).toBeGreaterThan(0);
  expect(progress.slices_by_node_kind["tab:webgpu"]).toBeUndefined();
  const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${id}/result`);
  expect((result as { estimate: number }).estimate).toBeCloseTo(Math.PI, 2);
}

describe.skipIf(address === undefined)("a page over plain http on the LAN", () => {
  it("says what is missing, why, and the ways out, and computes a correct job on the CPU", async () => {
    const page = await (await browser.newContext()).newPage();
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(grid.url.replace("localhost", address as string));
    await page.getByTestId("donate-button").waitFor();
    expect(
      await page.evaluate(() => [
        isSecureContext,
        "gpu" in navigator,
        crypto.subtle === undefined,
        "locks" in navigator,
      ]),
    ).toEqual([false, false, true, false]);
    const missing = await page.getByTestId("missing").innerText();
    for (const words of ["CPU only", "plain http", "--https", "--tls-cert", "QUEZTL_PUBLIC_URL"])
      expect(missing).toContain(words);
    expect(await page.getByTestId("help").getAttribute("data-able")).toBe("true");
    await computeWith(page);
    await until(async () => (await viewOf(page)).accepted > 0, 5_000);

    // Over http tabs have no lock in common: the second one asks, and shows the first.
    const node = (await tabs()).find((each) => each.online)?.node_id;
    const second = await page.context().newPage();
    await second.goto(page.url());
    await second.getByTestId("donate-button").click();
    await second.getByTestId("other-tab").waitFor();
    expect((await tabs()).filter((each) => each.online).map((each) => each.node_id)).toEqual([node]);
    await second.getByTestId("stop-other").click();
    await until(async () => (await viewOf(page)).phase === "stopped", 3_000);

    // The same key again, from storage.
    await second.close();
    await page.reload();
    await page.getByTestId("donate-button").click();
    await until(async () => (await tabs()).some((each) => each.online && each.node_id === node), 20_000);
    // Without isolation there is no flag to raise: the message between two steps is heard.
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    await stopsWithinASecond(page);
    expect(errors).toEqual([]);
    await page.context().close();
  }, 150_000);
});

it("computes with workers that the page makes, where workers cannot start workers", async () => {
  const page = await browser.newPage();
  const scripts: string[] = [];
  page.on("request", (request) => scripts.push(request.url()));
  await page.addInitScript(() => {
    const names: (string | undefined)[] = [];
    (window as never as { made: unknown }).made = names;
    window.Worker = new Proxy(Worker, {
      construct(target, [url, options]: [string, WorkerOptions?]) {
        names.push(options?.name);
        return new target(url, options);
      },
    });
  });
  await page.goto(`${grid.url}/?page-made-workers`);
  await computeWith(page);
  expect(await page.evaluate(() => (window as never as { made: string[] }).made)).toContain("queztl-compute");
  // Where the browser has its own cryptography, none is fetched.
  expect(scripts.filter((url) => url.includes("plain-crypto"))).toEqual([]);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
  await stopsWithinASecond(page);
  await page.context().close();
}, 150_000);

it("a kernel that never pauses is stopped with its worker, within a second too", async () => {
  const page = await browser.newPage();
  await page.goto(`${grid.url}/?page-made-workers`);
  await page.getByTestId("donate-button").click();
  // Chromium gives a script two more seconds after `terminate()`.
  await stopsWithinASecond(page, 4_000, async () => {
    const named = await Promise.all(
      page.workers().map(async (worker) => [await worker.evaluate(() => self.name), worker] as const),
    );
    const busy = named.filter(([name]) => name === "queztl-compute");
    expect(busy.length).toBeGreaterThan(0);
    // As a kernel whose step never ends: neither message nor flag is looked at any more.
    for (const [, worker] of busy)
      await worker.evaluate(() => {
        setTimeout(() => {
          for (;;);
        });
      });
    await page.waitForTimeout(200);
  });
  await page.context().close();
}, 60_000);

it("says so where WebAssembly is switched off, and starts nothing", async () => {
  const page = await browser.newPage();
  // As Lockdown Mode leaves it.
  await page.addInitScript(() => {
    delete (window as { WebAssembly?: unknown }).WebAssembly;
  });
  await page.goto(grid.url);
  await page.getByTestId("missing").waitFor();
  expect(await page.getByTestId("missing").innerText()).toContain("WebAssembly is switched off");
  expect(await page.getByTestId("help").getAttribute("data-able")).toBe("false");
  expect(await page.getByTestId("donate-button").isDisabled()).toBe(true);
  await page.context().close();
});
