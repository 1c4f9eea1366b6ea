/** What is measured of a tab, one after the other, each with a browser and a grid that are fresh where it matters. */
import { type RunningGrid, until } from "../../test/e2e/grid-process.ts";
import { type RawChromium, startRawChromium } from "../../test/e2e/raw-chromium.ts";
import { DonatingTab, held, received, startTabGrid, status } from "./donating-tab.ts";
import { startProxy } from "./proxy.ts";

export interface Plan {
  /** How long a rate is looked at, and how often. */
  windowMs: number;
  rounds: number;
  /** A software adapter, as no other is at hand; slow to start. */
  gpu: boolean;
}

export const fullPlan: Plan = { windowMs: 15_000, rounds: 3, gpu: true };
export const quickPlan: Plan = { windowMs: 2_000, rounds: 1, gpu: false };

export interface Row {
  what: string;
  value: number;
  unit: "share" | "grains/s" | "s" | "ms" | "KB" | "";
  /** At most, or at least where `least`; null where the figure only says how things are. */
  target: number | null;
  least?: boolean;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
};

export async function measureTab(plan: Plan, say: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = [];
  const parts: [string, (plan: Plan) => Promise<Row[]>][] = [
    ["First visit", measureFirstVisit],
    ["Visible and hidden, CPU", (of) => measureHidden(of, false)],
    ...(plan.gpu
      ? [["Visible and hidden, GPU", (of: Plan) => measureHidden(of, true)] as [string, typeof measureLost]]
      : []),
    ["Lost on leaving", measureLost],
    ["Stop", measureStop],
  ];
  for (const [name, measure] of parts) {
    say(name);
    const found = await measure(plan);
    for (const { what, value, unit } of found) say(`  ${what}: ${value.toPrecision(3)} ${unit}`);
    rows.push(...found);
  }
  return rows;
}

async function withBrowser<T>(gpu: boolean, use: (grid: RunningGrid, browser: RawChromium) => Promise<T>): Promise<T> {
  const grid = await startTabGrid();
  const browser = await startRawChromium({ gpu });
  try {
    return await use(grid, browser);
  } finally {
    await browser.end();
    await grid.end();
  }
}

export async function measureFirstVisit({ windowMs }: Plan): Promise<Row[]> {
  return withBrowser(false, async (grid, browser) => {
    const proxy = await startProxy(grid.url);
    try {
      const startedMs = performance.now();
      const tab = await DonatingTab.open(browser, grid, false, proxy.url);
      const clickedMs = performance.now();
      await tab.click("donate-button");
      await until(
        async () => (await status(grid)).nodes.some((node) => node.kind === "tab" && node.accepted_slices > 0),
        60_000,
        grid.output,
      );
      const acceptedMs = performance.now();
      const { page, kernels, talk } = { ...proxy.counted };
      const smooth = await measureSmoothness(tab, windowMs);
      return [
        {
          what: "from address to first accepted slice",
          value: (acceptedMs - startedMs) / 1_000,
          unit: "s",
          target: null,
        },
        { what: "from click to first accepted slice", value: (acceptedMs - clickedMs) / 1_000, unit: "s", target: 10 },
        { what: "transferred before kernels: page", value: page / 1_024, unit: "KB", target: 150 },
        { what: "transferred to the first slice: kernels", value: kernels / 1_024, unit: "KB", target: null },
        { what: "transferred to the first slice: API and socket", value: talk / 1_024, unit: "KB", target: null },
        ...smooth,
      ];
    } finally {
      proxy.close();
    }
  });
}

/** Of the page's main thread while the tab computes: tasks longer than 50 ms, and frames that came late. */
async function measureSmoothness(tab: DonatingTab, ms: number): Promise<Row[]> {
  await tab.tab.evaluate(`(() => {
    const seen = { longest: 0, blocked: 0, frames: 0, late: 0 };
    window.smooth = seen;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        seen.longest = Math.max(seen.longest, duration);
        seen.blocked += duration - 50;
      }
    }).observe({ type: "longtask" });
    let last = performance.now();
    const frame = (now) => {
      seen.frames++;
      if (now - last > 34) seen.late++;
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  })()`);
  await sleep(ms);
  const { longest, blocked, frames, late } =
    await tab.tab.evaluate<Record<"longest" | "blocked" | "frames" | "late", number>>("window.smooth");
  return [
    { what: "longest task of the page's thread above 50 ms", value: longest, unit: "ms", target: null },
    { what: "share of time blocked beyond 50 ms", value: blocked / ms, unit: "share", target: null },
    {
      what: "share of frames late by a frame or more",
      value: frames > 0 ? late / frames : 1,
      unit: "share",
      target: null,
    },
  ];
}

async function measureHidden({ windowMs, rounds }: Plan, gpu: boolean): Promise<Row[]> {
  const name = gpu ? "GPU (in software)" : "CPU";
  const backend = gpu ? "webgpu" : "wasm";
  return withBrowser(gpu, async (grid, browser) => {
    const tab = await DonatingTab.open(browser, grid, gpu);
    await tab.click("when-hidden");
    await tab.donate();
    await until(async () => (await tab.done(backend)) > 0, 60_000, grid.output);
    const front = await browser.open("about:blank");
    const [visible, hidden]: [number[], number[]] = [[], []];
    for (let round = 0; round < rounds; round++) {
      for (const [rates, shown] of [
        [visible, tab.tab],
        [hidden, front],
      ] as const) {
        await shown.activate();
        await until(
          async () => (await tab.tab.evaluate("document.visibilityState")) === (shown === front ? "hidden" : "visible"),
          5_000,
        );
        await sleep(1_000);
        rates.push(await tab.rate(windowMs, backend));
      }
    }
    const share = median(hidden) / median(visible);
    return [
      { what: `${name}: visible`, value: median(visible), unit: "grains/s", target: null },
      { what: `${name}: hidden, of visible`, value: share, unit: "share", target: gpu ? null : 0.8, least: true },
      ...(gpu ? [] : await measureFrozen(grid, tab, windowMs)),
    ];
  });
}

/** A frozen tab computes nothing, by design: what counts is that what it held is free. */
async function measureFrozen(grid: RunningGrid, tab: DonatingTab, windowMs: number): Promise<Row[]> {
  const frozenMs = performance.now();
  await tab.tab.lifecycle("frozen");
  await until(async () => (await held(grid)) === 0, 30_000, grid.output);
  const freeMs = performance.now() - frozenMs;
  const before = await received(grid);
  await sleep(windowMs);
  const after = await received(grid);
  return [
    { what: "CPU: frozen", value: (1_000 * (after - before)) / windowMs, unit: "grains/s", target: null },
    { what: "frozen tab: what it held is free after", value: freeMs / 1_000, unit: "s", target: 1.5 },
  ];
}

async function measureLost({ rounds }: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  const ways = [
    ["close", 1],
    ["reload", 1],
    ["kill", 20],
  ] as const;
  for (const [way, freeTarget] of ways) {
    const lost: number[] = [];
    const free: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const found = await withBrowser(false, (grid, browser) => loseOne(grid, browser, way));
      lost.push(found.lostSeconds);
      free.push(found.freeMs / 1_000);
    }
    rows.push({ what: `${way}: computing lost, of each thread`, value: Math.max(...lost), unit: "s", target: 5 });
    rows.push({ what: `${way}: what it held is free after`, value: Math.max(...free), unit: "s", target: freeTarget });
  }
  return rows;
}

async function loseOne(
  grid: RunningGrid,
  browser: RawChromium,
  way: "close" | "reload" | "kill",
): Promise<{ lostSeconds: number; freeMs: number }> {
  const tab = await DonatingTab.open(browser, grid);
  await tab.donate();
  // Somewhere between two deliveries of finished grains.
  await sleep(6_000 + 3_000 * Math.random());
  const rate = await tab.rate(2_000);
  const computed = await tab.done();
  const goneMs = performance.now();
  if (way === "close") await tab.tab.close();
  else if (way === "reload") await tab.tab.reload();
  else browser.kill();
  await until(async () => (await held(grid)) === 0, 30_000, grid.output);
  const freeMs = performance.now() - goneMs;
  await sleep(500);
  const lostSeconds = Math.max(0, computed - (await received(grid))) / rate;
  return { lostSeconds, freeMs };
}

async function measureStop({ gpu }: Plan): Promise<Row[]> {
  const rows: Row[] = [];
  const row = (state: string, ms: number): Row => ({
    what: `Stop while ${state}`,
    value: ms,
    unit: "ms",
    target: 1_000,
  });
  await withBrowser(gpu, async (grid, browser) => {
    const tab = await DonatingTab.open(browser, grid);
    await tab.click("donate-button");
    rows.push(row("starting", await tab.stop()));
    await tab.donate();
    rows.push(row("computing on the CPU", await tab.stop()));
    await tab.donate();
    const front = await browser.open("about:blank");
    await front.activate();
    await until(async () => (await held(grid)) === 0, 10_000, grid.output);
    rows.push(row("paused in the background", await tab.stop()));
    await tab.click("when-hidden");
    await tab.donate();
    rows.push(row("computing in the background", await tab.stop()));
    await tab.tab.activate();
    await tab.donate();
    await grid.killCoordinator();
    await until(
      async () =>
        (await tab.phase()) !== "idle" &&
        (await tab.tab.evaluate<boolean>(
          "window.queztl.view.trouble !== null || window.queztl.view.phase === 'connecting'",
        )),
      30_000,
    );
    rows.push(row("the coordinator is away", await tab.stop()));
    await tab.click("donate-button");
    await until(async () => (await tab.phase()) === "connecting", 20_000);
    rows.push(row("connecting", await tab.stop()));
    await grid.startAgain();
    if (!gpu) return;
    grid.worker({ own: true });
    const onGpu = await DonatingTab.open(browser, grid, true);
    await onGpu.donate();
    await until(async () => (await onGpu.done("webgpu")) > 0, 60_000, grid.output);
    rows.push(row("computing on the GPU (in software)", await onGpu.stop()));
  });
  return rows;
}
