/** A real tab that donates, in a browser driven by the DevTools protocol alone, as its owner and its coordinator see it. */
import type { JobList, NetworkStatus } from "../../protocol/rest.ts";
import { getJson, type RunningGrid, startGrid, until } from "../../test/e2e/grid-process.ts";
import type { RawChromium, RawTab } from "../../test/e2e/raw-chromium.ts";

const startMsMax = 60_000;

export class DonatingTab {
  private constructor(
    readonly tab: RawTab,
    private readonly story: () => string,
  ) {}

  /** Loads the page; nothing runs yet. `gpu` takes a software adapter for one. */
  static async open(browser: RawChromium, grid: RunningGrid, gpu = false, url = grid.url): Promise<DonatingTab> {
    const opened = new DonatingTab(await browser.open(`${url}/${gpu ? "?allow-software-gpu" : ""}`), grid.output);
    // While it loads there may be nothing to ask.
    await until(() => opened.has("donate-button").catch(() => false), startMsMax, grid.output);
    return opened;
  }

  /** Clicks Donate, and resolves once something is computed. */
  async donate(): Promise<void> {
    await this.click("donate-button");
    await this.computes();
  }

  computes(): Promise<void> {
    return until(async () => (await this.phase()) === "computing" && (await this.done()) > 0, startMsMax, this.story);
  }

  has(id: string): Promise<boolean> {
    return this.tab.evaluate(`!!document.querySelector('[data-testid="${id}"]')`);
  }

  click(id: string): Promise<void> {
    return this.tab.evaluate(`document.querySelector('[data-testid="${id}"]').click()`);
  }

  phase(): Promise<string> {
    return this.tab.evaluate("window.queztl?.view.phase");
  }

  /** Grains computed since the donation began, the part of those that are being computed included. */
  done(backend?: string): Promise<number> {
    const chosen = backend === undefined ? "true" : `meter.backend === ${JSON.stringify(backend)}`;
    return this.tab.evaluate(
      `window.queztl.view.meters.filter((meter) => ${chosen}).reduce((sum, meter) => sum + meter.grains + meter.fraction, 0)`,
    );
  }

  /** Grains a second, over `ms`. */
  async rate(ms: number, backend?: string): Promise<number> {
    const [before, startedMs] = [await this.done(backend), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, ms));
    const after = await this.done(backend);
    return (1_000 * (after - before)) / (performance.now() - startedMs);
  }

  /** Clicks Stop, and answers how many milliseconds later nothing runs. */
  async stop(): Promise<number> {
    await until(() => this.has("stop-button"), startMsMax, this.story);
    const startedMs = performance.now();
    await this.click("stop-button");
    while ((await this.phase()) !== "stopped") {
      if (performance.now() - startedMs > startMsMax) throw new Error(`The tab does not stop.\n${this.story()}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return performance.now() - startedMs;
  }
}

/** A grid with work that is left to tabs; its own node checks their results and computes nothing else. */
export async function startTabGrid(): Promise<RunningGrid> {
  const grid = await startGrid(["--demo-job"]);
  grid.worker({ own: true });
  return grid;
}

export async function status(grid: RunningGrid): Promise<NetworkStatus> {
  return getJson<NetworkStatus>(`${grid.url}/api/v1.2/network/status`);
}

/** Leases that tabs hold. */
export async function held(grid: RunningGrid): Promise<number> {
  const { nodes } = await status(grid);
  return nodes.filter(({ kind }) => kind === "tab").reduce((sum, { leases }) => sum + leases.length, 0);
}

/** Grains that came to the coordinator, of all demo jobs. */
export async function received(grid: RunningGrid): Promise<number> {
  const { jobs } = await getJson<JobList>(`${grid.url}/api/v1.2/workload?limit=200`);
  return jobs.reduce((sum, { progress }) => sum + progress.grains_accepted + progress.grains_candidate, 0);
}
