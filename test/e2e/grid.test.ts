/**
 * The whole grid: the real page in Chromium, native workers and the coordinator, on one job that all of
 * them compute together while one of them is killed.
 */
import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobResult, JobView, NetworkStatus } from "../../protocol/rest.ts";
import { launchChromium } from "../../scripts/chromium.mjs";
import { getJson, type RunningGrid, startGrid, submit, until } from "./grid-process.ts";

const screenshots = fileURLToPath(new URL("../../test-results/", import.meta.url));
/** Bitcoin's block 0. */
const genesis =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c";

let grid: RunningGrid;
let browser: Browser;
let page: Page;

/** What oracle.c prints for this range: its lowest hash, and how many have 14 leading zero bits (the job's shares). */
const oracle = {
  nonces: 100_663_296,
  count: 6052,
  nonce: 69_415_859,
  hash: "0000000eb3de11454fdc6d47199f5cf787d8179baa931966cd784104c299daaf",
};

/** What the page tells of itself, for tests. */
interface TabView {
  phase: string;
  acceptedByBackend: Record<string, number>;
}
const tab = (): Promise<TabView & { dispatches: number }> =>
  page.evaluate(() => {
    const { view, gpuDispatches } = (window as never as { queztl: { view: TabView; gpuDispatches: number } }).queztl;
    return { phase: view.phase, acceptedByBackend: { ...view.acceptedByBackend }, dispatches: gpuDispatches };
  });

const shot = (name: string): Promise<unknown> =>
  page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
const job = (id: string): Promise<JobView> => getJson(`${grid.url}/api/v1.2/workload/${id}`);

beforeAll(async () => {
  mkdirSync(screenshots, { recursive: true });
  grid = await startGrid();
  browser = await launchChromium({ gpu: true });
  page = await browser.newPage();
});

afterAll(async () => {
  await browser?.close();
  await grid?.end();
});

describe("the grid, end to end", () => {
  it("does nothing in the tab before Donate is pressed", async () => {
    await page.goto(`${grid.url}/?allow-software-gpu`);
    await page.getByTestId("donate-button").waitFor();
    await page.waitForTimeout(500);
    expect(page.workers()).toHaveLength(0);
    const status = await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
    expect(status.registry.online_nodes).toBe(0);
    await shot("donate");
  });

  it("finishes one job with a tab on WASM, the same tab on WebGPU and native workers, one of them killed", async () => {
    await page.getByTestId("family-hashing").click();
    await page.getByTestId("donate-button").click();
    const doomed = grid.worker({ own: true });
    grid.worker({ own: true });
    await until(
      async () => {
        const { registry } = await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
        return registry.online_nodes === 3;
      },
      40_000,
      grid.output,
    );

    // Hard enough that nothing is found: every nonce of the range is searched, and the shares tell so.
    const { nonces } = oracle;
    const payload = { header: genesis, target: `${"0".repeat(24)}${"f".repeat(40)}`, nonce_start: 0, nonces };
    const id = await submit(grid, { workload_type: "crypto_mining", payload, priority: 9 });
    let killed = false;
    let pictured = false;
    await until(
      async () => {
        const { progress, status } = await job(id);
        if (!killed && progress.fraction > 0.2) {
          killed = true;
          doomed.kill("SIGKILL");
        }
        if (!pictured && progress.fraction > 0.4) {
          pictured = true;
          await shot("computing");
        }
        return status === "completed";
      },
      150_000,
      grid.output,
    );
    expect(killed).toBe(true);

    const { progress, verification } = await job(id);
    const accepted = progress.slices_by_node_kind;
    expect(accepted["tab:wasm"] ?? 0).toBeGreaterThanOrEqual(3);
    expect(accepted["tab:webgpu"] ?? 0).toBeGreaterThanOrEqual(3);
    expect(accepted["native:wasm"] ?? 0).toBeGreaterThanOrEqual(3);
    expect(progress.grains_accepted).toBe(progress.grains);
    expect(verification.audited_results).toBeGreaterThanOrEqual(6);
    expect((await tab()).dispatches).toBeGreaterThan(0);

    const { result } = await getJson<JobResult>(`${grid.url}/api/v1.2/workload/${id}/result`);
    checkAgainstOracle(result as SearchResult);
    await shot("accepted");
  }, 170_000);

  it("stops within a second, and says so", async () => {
    await submit(grid, { workload_type: "monte_carlo", payload: { iterations: 2e10 }, priority: 5 });
    await until(async () => (await tab()).phase === "computing", 20_000);
    const startedMs = Date.now();
    await page.getByTestId("stop-button").click();
    await until(async () => (await tab()).phase === "stopped", 2_000);
    expect(Date.now() - startedMs).toBeLessThan(1_500);
    // Nothing is given to them any more. One that waits for the software GPU ends when that answers, or Chromium gives it up.
    const left = () => page.workers().map((worker) => worker.url());
    await until(
      async () => left().length === 0,
      60_000,
      () => `still there: ${left().join(", ")}`,
    );
    await shot("stopped");
  });

  it("shows on the dashboard what REST says, within two seconds, while nodes join and leave", async () => {
    await page.goto(`${grid.url}/dashboard`);
    await page.getByTestId("job-row").first().waitFor();
    const passing: ReturnType<RunningGrid["worker"]>[] = [];
    for (let round = 0; round < 4; round++) {
      passing.push(grid.worker({ own: false }));
      if (round % 2 === 1) passing.shift()?.kill(round === 1 ? "SIGKILL" : "SIGTERM");
      await page.waitForTimeout(700);
      await until(
        async () => (await differences()).length === 0,
        2_000,
        () => `still different: ${told.join(", ")}`,
      );
    }
    await until(async () => (await chartPixels()) > 50, 5_000);
    await shot("dashboard");
  });
});

/** Pixels of the chart that are in the colour of its line, more or less: the theme's green. */
const chartPixels = (): Promise<number> =>
  page.locator(".chart canvas").evaluate((canvas: HTMLCanvasElement) => {
    const image = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
    let drawn = 0;
    for (let at = 0; at < image.length; at += 4) {
      const [red, green, , alpha] = image.slice(at, at + 4) as unknown as number[];
      if ((alpha ?? 0) > 150 && (green ?? 0) > (red ?? 0) + 60) drawn++;
    }
    return drawn;
  });

let told: string[] = [];

/** Figures on the dashboard that are not what REST says now. */
async function differences(): Promise<string[]> {
  const { registry, scheduler, nodes } = await getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
  const expected: Record<string, number> = {
    "total-online_nodes": registry.online_nodes,
    "total-total_cpu_cores": registry.total_cpu_cores,
    "total-active_tasks": scheduler.active_tasks,
    "total-completed_tasks": scheduler.completed_tasks,
    "total-accepted_slices": scheduler.accepted_slices,
  };
  told = [];
  for (const [name, value] of Object.entries(expected)) {
    const shown = await page.getByTestId(name).getAttribute("data-value");
    if (Number(shown) !== value) told.push(`${name}: ${shown} for ${value}`);
  }
  const rows = await page.getByTestId("node-row").count();
  if (rows !== nodes.length) told.push(`node rows: ${rows} for ${nodes.length}`);
  return told;
}

interface SearchResult {
  found: boolean;
  hashes: number;
  shares: number;
  best: { nonce: number; hash: string };
}

function checkAgainstOracle(result: SearchResult): void {
  expect(result.found).toBe(false);
  expect(result.hashes).toBe(oracle.nonces);
  expect(result.shares).toBe(oracle.count);
  expect(result.best).toMatchObject({ nonce: oracle.nonce, hash: oracle.hash });
  // The system's own SHA-256 agrees on the best one.
  const header = Buffer.from(genesis, "hex");
  header.writeUInt32LE(result.best.nonce, 76);
  const once = createHash("sha256").update(header).digest();
  expect(createHash("sha256").update(once).digest().reverse().toString("hex")).toBe(oracle.hash);
}
