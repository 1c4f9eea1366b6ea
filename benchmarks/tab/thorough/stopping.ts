/** How long a tab computes on after Stop was pressed, in every state that it can be in. */
import { type Chromium, makeProfile, removeProfile, startChromium } from "./browser.ts";
import { type Coordinator, startCoordinator } from "./coordinator.ts";
import { type Choices, type Donor, never, openDonor } from "./donor.ts";
import { coresBefore, lastBusy, sampleUntil } from "./processes.ts";
import { sleep, waitFor } from "./wait.ts";

export interface Stopping {
  state: string;
  /** What the page said it did as Stop was pressed. */
  phase: string;
  /** Cores that its threads used in the third of a second before: a stop that ends nothing says nothing. */
  coresBefore: number;
  /** Milliseconds from the press until nothing computed any more; 0 where nothing did. */
  computedOnMs: number;
  /** Until the page said that it has stopped. */
  saidMs: number;
  /** Until the coordinator had its leases back; null where it could not be asked. */
  freedMs: number | null;
}

interface Stage {
  coordinator: Coordinator;
  browser: Chromium;
  donor: Donor;
  /** Another tab of the same browser. */
  front: Donor;
}

interface State {
  name: string;
  gpu?: boolean;
  choices: Choices;
  /** Brings the tab there and presses Stop; answers when, and in which phase. */
  press(stage: Stage): Promise<{ atMs: number; phase: string }>;
  /** Puts right what was broken for it. */
  mend?(stage: Stage): Promise<void>;
}

const busy = `view.phase === "computing" && view.meters.some((meter) => meter.workload !== null && meter.fraction > 0)`;

export const states: State[] = [
  {
    name: "starting",
    choices: {},
    press: ({ donor }) => donateAndPressWhen(donor, `view.phase === "starting"`),
  },
  {
    name: "connecting",
    choices: {},
    // It is there and says nothing.
    press: async ({ coordinator, donor }) => {
      coordinator.halt(true);
      return donateAndPressWhen(donor, `view.phase === "connecting"`);
    },
    mend: async ({ coordinator }) => coordinator.halt(false),
  },
  {
    name: "just connected",
    choices: {},
    press: ({ donor }) => donateAndPressWhen(donor, `view.nodeId !== null`),
  },
  { name: "computing, CPU", choices: {}, press: ({ donor }) => computeAndPress(donor) },
  {
    name: "computing, GPU (software)",
    gpu: true,
    choices: { threads: 0, gpu: true },
    press: ({ donor }) => computeAndPress(donor),
  },
  {
    name: "paused",
    choices: { schedule: never },
    press: async ({ donor }) => {
      await donor.press("donate-button");
      await waitFor("it is connected", async () => (await donor.view()).nodeId !== null);
      await sleep(500);
      return donor.pressWhen("stop-button", `view.phase === "idle"`);
    },
  },
  {
    name: "reconnecting",
    choices: {},
    press: async ({ coordinator, donor }) => {
      await donor.compute(0.5);
      await coordinator.kill();
      return donor.pressWhen("stop-button", `view.trouble !== null && (${busy})`);
    },
    mend: ({ coordinator }) => coordinator.startAgain(),
  },
  {
    name: "hidden, pressed in another tab",
    choices: { whenHidden: true },
    press: async ({ coordinator, donor, front }) => {
      await donor.compute(0.5);
      await front.tab.activate();
      await front.visit(coordinator.url, { whenHidden: true });
      await waitFor("the other tab shows it", () => front.has("stop-other"));
      const { phase } = await donor.view();
      return { atMs: await front.press("stop-other"), phase: `${phase}, ${await visibility(donor)}` };
    },
  },
];

const visibility = (donor: Donor): Promise<string> => donor.tab.evaluate("document.visibilityState");

async function donateAndPressWhen(donor: Donor, when: string): Promise<{ atMs: number; phase: string }> {
  // Both from within the page: a state may last some milliseconds only.
  const pressed = donor.pressWhen("stop-button", when);
  await donor.press("donate-button");
  return pressed;
}

async function computeAndPress(donor: Donor): Promise<{ atMs: number; phase: string }> {
  await donor.compute(0.5);
  return donor.pressWhen("stop-button", busy);
}

/** Goes through the states that `chosen` names, `times` each. */
export async function measureStops(
  chosen: readonly string[],
  times: number,
  tell: (line: string) => void,
): Promise<Stopping[]> {
  const profile = makeProfile();
  const coordinator = await startCoordinator();
  const browser = await startChromium(profile, { gpu: true });
  try {
    await coordinator.submitEndless();
    const front = await openDonor(browser);
    const donor = await openDonor(browser);
    const all: Stopping[] = [];
    for (const state of states.filter(({ name }) => chosen.includes(name))) {
      for (let time = 0; time < times; time++) {
        const stopping = await measureStop(state, { coordinator, browser, donor, front });
        tell(
          `Stop while ${state.name}: ${stopping.coresBefore.toFixed(2)} cores before, computed ${stopping.computedOnMs} ms on, said so after ${stopping.saidMs} ms`,
        );
        all.push(stopping);
      }
    }
    return all;
  } finally {
    await browser.end();
    await coordinator.end();
    removeProfile(profile);
  }
}

/** Watched for so long after the press. */
const watchMs = 3_000;

async function measureStop(state: State, stage: Stage): Promise<Stopping> {
  const { coordinator, donor } = stage;
  await donor.tab.activate();
  await donor.visit(`${coordinator.url}/${state.gpu ? "?allow-software-gpu" : ""}`, state.choices);
  const clock = donor.clock(state.gpu);
  let atMs = 0;
  let phase = "";
  let saidMs = Number.NaN;
  let freedMs: number | null = null;
  const act = async (): Promise<void> => {
    ({ atMs, phase } = await state.press(stage));
    const said = donor.untilPhase("stopped").then(() => {
      saidMs = Date.now() - atMs;
    });
    const free = state.mend
      ? null
      : waitFor("the leases are free", async () => (await coordinator.held()) === 0, 10_000, 10).then(() => {
          freedMs = Date.now() - atMs;
        });
    await Promise.all([said, free, sleep(watchMs)]);
  };
  const samples = await sampleUntil(clock, act()).finally(() => state.mend?.(stage));
  const last = lastBusy(samples, atMs);
  const cores = coresBefore(samples, atMs, 333);
  return {
    state: state.name,
    phase,
    coresBefore: cores,
    computedOnMs: last === null ? 0 : last - atMs,
    saidMs,
    freedMs,
  };
}
