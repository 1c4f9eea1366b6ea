/** What the page itself feels of the computing: tasks that block its main thread, and frames that come late. */
import { makeProfile, removeProfile, startChromium } from "./browser.ts";
import { startCoordinator } from "./coordinator.ts";
import { openDonor } from "./donor.ts";
import { sleep } from "./wait.ts";

export interface Smoothness {
  name: string;
  ms: number;
  /** Tasks of the main thread longer than 50 ms (Long Tasks API). */
  longTasks: number;
  longestTaskMs: number;
  frames: number;
  frameP50Ms: number;
  frameP99Ms: number;
  /** Share of the frames that took more than one and a half of the usual interval. */
  late: number;
}

/** Before the page's own scripts. */
const observe = `
  if (location.protocol === "http:") {
    const noted = (window.noted = { tasks: [], frames: [] });
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) noted.tasks.push([startTime, duration]);
    }).observe({ type: "longtask", buffered: true });
    let last = 0;
    requestAnimationFrame(function frame(now) {
      if (last > 0) noted.frames.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    });
  }`;

type Noted = { tasks: [number, number][]; frames: number[] };

/** The page at rest, while it starts, and computing with the default number of threads and with all of them. */
export async function measureSmoothness(ms: number, cores: number): Promise<Smoothness[]> {
  const profile = makeProfile();
  const coordinator = await startCoordinator();
  const browser = await startChromium(profile);
  try {
    await coordinator.submitEndless();
    const donor = await openDonor(browser);
    await donor.tab.activate();
    const take = async (name: string, passedMs: number): Promise<Smoothness> => {
      const noted = "window.noted";
      const taken = await donor.tab.evaluate<Noted>(
        `({ tasks: ${noted}.tasks.splice(0), frames: ${noted}.frames.splice(0) })`,
      );
      return smoothnessOf(name, passedMs, taken);
    };
    const rows: Smoothness[] = [];
    const choices: (number | undefined)[] = [undefined, cores];
    for (const threads of choices) {
      const words = threads === undefined ? "the default threads" : `all ${threads} cores`;
      const startedMs = await donor.visit(coordinator.url, { threads }, observe);
      if (threads === undefined) {
        rows.push(await take("while it loads", Date.now() - startedMs));
        await sleep(ms);
        rows.push(await take("at rest", ms));
      } else await take("", 0);
      const clickedMs = Date.now();
      await donor.compute();
      rows.push(await take(`from the click until it computes, ${words}`, Date.now() - clickedMs));
      await sleep(ms);
      rows.push(await take(`computing, ${words}`, ms));
      await donor.press("stop-button");
      await donor.untilPhase("stopped");
    }
    return rows;
  } finally {
    await browser.end();
    await coordinator.end();
    removeProfile(profile);
  }
}

export function smoothnessOf(name: string, ms: number, { tasks, frames }: Noted): Smoothness {
  const sorted = [...frames].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const usual = at(0.1);
  return {
    name,
    ms,
    longTasks: tasks.length,
    longestTaskMs: Math.max(0, ...tasks.map(([, duration]) => duration)),
    frames: frames.length,
    frameP50Ms: at(0.5),
    frameP99Ms: at(0.99),
    late: frames.length === 0 ? 0 : frames.filter((frame) => frame > 1.5 * usual).length / frames.length,
  };
}
