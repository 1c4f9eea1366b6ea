/** What is lost when a tab goes: computing that was done and never stored, and the time until others may have its leases. */
import { type Chromium, makeProfile, removeProfile, startChromium } from "./browser.ts";
import { type Coordinator, startCoordinator } from "./coordinator.ts";
import { computedOf, type Donor, never, openDonor } from "./donor.ts";
import { processesOf } from "./processes.ts";
import { sleep, waitFor } from "./wait.ts";

export type Way = "close" | "reload" | "renderer killed" | "browser killed" | "silent";
export const ways: Way[] = ["close", "reload", "renderer killed", "browser killed", "silent"];

export interface Leaving {
  way: Way;
  /** Computed for so long, on one thread, when it went. */
  computedMs: number;
  computedGrains: number;
  /** Grains whose results the coordinator had before anything came back, and after the browser's next visit. */
  storedGrains: number;
  storedAfterReturn: number;
  /** Seconds of one thread that were computed and never stored, without and with that next visit. */
  lostSeconds: number;
  lostAfterReturnSeconds: number;
  /** Milliseconds from its going until the coordinator had its leases back. */
  freedMs: number;
}

/** One tab, that goes after `computeMs` of computing. Coordinator, browser and profile are its own. */
export async function measureLeaving(way: Way, computeMs: number): Promise<Leaving> {
  const profile = makeProfile();
  const coordinator = await startCoordinator();
  let browser = await startChromium(profile);
  try {
    const job = await coordinator.submitEndless();
    const donor = await openDonor(browser);
    await donor.visit(coordinator.url, { threads: 1 });
    await donor.compute();
    const startedMs = performance.now();
    await sleep(computeMs);
    await waitFor("it holds a lease", async () => (await coordinator.held()) > 0);
    const view = await donor.view();
    const computedMs = performance.now() - startedMs;
    // From here on it loads and connects, and takes nothing new.
    if (way === "reload") await donor.tab.prepare(pausing);
    const wentMs = performance.now();
    await go(way, donor, browser);
    await waitFor("the leases are free", async () => (await coordinator.held()) === 0, 40_000, 10);
    const freedMs = performance.now() - wentMs;
    const computedGrains = computedOf(view);
    const storedGrains = await settled(coordinator, job);
    if (way === "silent") browser.halt(false);
    if (way === "browser killed") browser = await startChromium(profile);
    const back = way === "reload" || way === "silent" ? donor : await openDonor(browser);
    await comeBack(way, back, coordinator);
    const storedAfterReturn = await settled(coordinator, job);
    const secondsPerGrain = computedMs / 1000 / computedGrains;
    const lost = (stored: number): number => Math.max(0, computedGrains - stored) * secondsPerGrain;
    return {
      way,
      computedMs,
      computedGrains,
      storedGrains,
      storedAfterReturn,
      lostSeconds: lost(storedGrains),
      lostAfterReturnSeconds: lost(storedAfterReturn),
      freedMs,
    };
  } finally {
    await browser.end();
    await coordinator.end();
    removeProfile(profile);
  }
}

const pausing = `try { localStorage.setItem("queztl.choices.v1", ${JSON.stringify(JSON.stringify({ threads: 1, gpu: false, schedule: never }))}) } catch {}`;

async function go(way: Way, donor: Donor, browser: Chromium): Promise<void> {
  switch (way) {
    case "close":
      return donor.tab.close();
    case "reload":
      await donor.tab.send("Page.reload");
      return;
    case "renderer killed": {
      // The empty first tab's goes with it: nobody needs that one.
      for (const pid of processesOf(browser.pid, "renderer")) process.kill(pid, "SIGKILL");
      return;
    }
    case "browser killed":
      return browser.kill();
    case "silent":
      browser.halt(true);
  }
}

/** The next visit, in which the page takes no work: what it kept is handed in, and nothing is added. */
async function comeBack(way: Way, donor: Donor, coordinator: Coordinator): Promise<void> {
  if (way === "reload") await donor.ready();
  // A browser that was stopped goes on where it was; its tab is closed, and what it kept comes with a new one.
  if (way === "silent") await donor.tab.close();
  const tab = way === "silent" ? await openDonor(donor.browser) : donor;
  if (way !== "reload") await tab.visit(coordinator.url, { threads: 1, schedule: never });
  await tab.press("donate-button");
  await waitFor("it is connected, and nothing waits", async () => {
    const { nodeId, unacknowledged, phase } = await tab.view();
    return nodeId !== null && unacknowledged === 0 && phase === "idle";
  });
}

/** Grains stored, once the number stands still for half a second. */
async function settled(coordinator: Coordinator, job: string): Promise<number> {
  let before = -1;
  return waitFor(
    "the coordinator stores nothing more",
    async () => {
      const now = await coordinator.stored(job);
      const stands = now === before;
      before = now;
      return stands ? { now } : null;
    },
    20_000,
    500,
  ).then(({ now }) => now);
}
