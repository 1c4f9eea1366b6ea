/** What a tab gets done while it is in front, hidden behind another, hidden for long, and frozen. */
import { makeProfile, removeProfile, startChromium } from "./browser.ts";
import { startCoordinator } from "./coordinator.ts";
import { computedOf, type Donor, openDonor } from "./donor.ts";
import { sleep, waitFor } from "./wait.ts";

export interface ThroughputPlan {
  backend: "wasm" | "webgpu";
  /** Each of them visible and hidden in turn, so that a noisy minute strikes both. */
  rounds: number;
  windowMs: number;
  /** Time hidden before the long-hidden window: browsers throttle most after five minutes. 0 leaves it out. */
  longHiddenMs: number;
}

export interface Window {
  grains: number;
  ms: number;
  /** CPU time of the tab's workers (and of the GPU process for a software adapter) over the time. */
  cores: number;
  /** Grains of which the coordinator stored a result meanwhile. */
  stored: number;
  /** As the page says at its end. */
  visibility: string;
}

export interface Throughput {
  backend: "wasm" | "webgpu";
  visible: Window[];
  hidden: Window[];
  /** After `longHiddenMs` of being hidden. */
  longHidden: Window | null;
  frozen: Window;
  /** Milliseconds from the freeze until the coordinator had the leases back. */
  frozenFreedMs: number;
  /** Of the page when it is thawed: it asks before it resumes. */
  thawedPhase: string;
}

export async function measureThroughput(plan: ThroughputPlan, tell: (line: string) => void): Promise<Throughput> {
  const profile = makeProfile();
  const coordinator = await startCoordinator();
  const gpu = plan.backend === "webgpu";
  const browser = await startChromium(profile, { gpu });
  try {
    const job = await coordinator.submitEndless();
    const donor = await openDonor(browser);
    const front = await browser.open();
    await donor.tab.activate();
    const choices = gpu ? { threads: 0, gpu: true, whenHidden: true } : { whenHidden: true };
    await donor.visit(`${coordinator.url}/${gpu ? "?allow-software-gpu" : ""}`, choices);
    // The first grains warm it up: kernels are compiled, slices grow to their size.
    await donor.compute(2);
    const clock = donor.clock(gpu);
    const window = async (name: string): Promise<Window> => {
      await sleep(1_000);
      const measured = await windowOf(donor, clock, () => coordinator.stored(job), plan.windowMs);
      tell(
        `${plan.backend}, ${name}: ${measured.grains.toFixed(2)} grains in ${Math.round(measured.ms)} ms, ${measured.cores.toFixed(2)} cores`,
      );
      return measured;
    };
    const visible: Window[] = [];
    const hidden: Window[] = [];
    for (let round = 0; round < plan.rounds; round++) {
      await show(donor, () => donor.tab.activate(), "visible");
      visible.push(await window("visible"));
      await show(donor, () => front.activate(), "hidden");
      hidden.push(await window("hidden"));
    }
    let longHidden: Window | null = null;
    if (plan.longHiddenMs > 0) {
      await sleep(Math.max(0, plan.longHiddenMs - plan.windowMs));
      longHidden = await window(`hidden for ${Math.round(plan.longHiddenMs / 1000)} s`);
    }
    const frozenAtMs = Date.now();
    await donor.tab.send("Page.setWebLifecycleState", { state: "frozen" });
    const freed = await waitFor("the leases of the frozen tab are free", async () => (await coordinator.held()) === 0);
    const frozenFreedMs = freed ? Date.now() - frozenAtMs : Number.NaN;
    const before = { stored: await coordinator.stored(job), cpuMs: clock.sample(), atMs: Date.now() };
    await sleep(Math.min(plan.windowMs, 10_000));
    const ms = Date.now() - before.atMs;
    const stored = (await coordinator.stored(job)) - before.stored;
    const cores = (clock.sample() - before.cpuMs) / ms;
    await donor.tab.activate();
    await donor.tab.send("Page.setWebLifecycleState", { state: "active" });
    await donor.untilPhase("stopped");
    const thawedPhase = (await donor.view()).phase;
    const frozen = { grains: stored, ms, cores, stored, visibility: "frozen" };
    return { backend: plan.backend, visible, hidden, longHidden, frozen, frozenFreedMs, thawedPhase };
  } finally {
    await browser.end();
    await coordinator.end();
    removeProfile(profile);
  }
}

async function show(donor: Donor, act: () => Promise<void>, state: string): Promise<void> {
  await act();
  await waitFor(`the tab is ${state}`, async () => (await donor.tab.evaluate("document.visibilityState")) === state);
}

async function windowOf(
  donor: Donor,
  clock: { sample(): number },
  stored: () => Promise<number>,
  ms: number,
): Promise<Window> {
  const storedBefore = await stored();
  const before = { grains: computedOf(await donor.view()), cpuMs: clock.sample(), atMs: performance.now() };
  await sleep(ms);
  const after = { grains: computedOf(await donor.view()), cpuMs: clock.sample(), atMs: performance.now() };
  const passedMs = after.atMs - before.atMs;
  return {
    grains: after.grains - before.grains,
    ms: passedMs,
    cores: (after.cpuMs - before.cpuMs) / passedMs,
    stored: (await stored()) - storedBefore,
    visibility: await donor.tab.evaluate<string>("document.visibilityState"),
  };
}

/** Grains a second over all windows. */
export const rateOf = (windows: readonly Window[]): number =>
  (1000 * windows.reduce((sum, { grains }) => sum + grains, 0)) / windows.reduce((sum, { ms }) => sum + ms, 0);
