/** A tab with the product's page: what its owner does there, and what it shows. */
import type { Chromium, Tab } from "./browser.ts";
import { ComputeClock, processesOf } from "./processes.ts";
import { waitFor } from "./wait.ts";

/** What the owner chose before, as the page remembers it. */
export interface Choices {
  threads?: number;
  gpu?: boolean;
  whenHidden?: boolean;
  /** Hours in which it may compute; none at all: the page connects, and pauses. */
  schedule?: { days: number[]; fromHour: number; toHour: number } | null;
}
export const never = { days: [], fromHour: 0, toHour: 24 };

/** As `window.queztl.view` of the page has it. */
export interface View {
  phase: string;
  meters: { backend: string; workload: string | null; fraction: number; grains: number }[];
  trouble: { message: string } | null;
  accepted: number;
  storedByBackend: Record<string, number>;
  unacknowledged: number;
  nodeId: string | null;
}

export class Donor {
  constructor(
    readonly browser: Chromium,
    readonly tab: Tab,
  ) {}

  /** Goes there with these choices; resolves once Donate can be pressed. Answers when it set out, as Date.now(). */
  async visit(url: string, choices: Choices = {}, script = ""): Promise<number> {
    const remembered = JSON.stringify({ gpu: false, ...choices });
    // Pages without storage, as about:blank, run it too.
    const choose = `try { localStorage.setItem("queztl.choices.v1", ${JSON.stringify(remembered)}) } catch {}`;
    await this.tab.prepare(`${choose};${script}`);
    const startedMs = Date.now();
    await this.tab.send("Page.navigate", { url });
    await this.ready();
    return startedMs;
  }

  async ready(): Promise<void> {
    const enabled = `document.querySelector('[data-testid="donate-button"]')?.disabled === false`;
    const known = `window.queztl !== undefined && document.querySelector('[data-testid^="family-"]') !== null`;
    await waitFor(
      "Donate can be pressed",
      () => this.tab.evaluate<boolean>(`${enabled} && ${known}`).catch(() => false),
      30_000,
      10,
    );
  }

  view(): Promise<View> {
    return this.tab.evaluate("JSON.parse(JSON.stringify(window.queztl.view))");
  }

  has(testid: string): Promise<boolean> {
    return this.tab.evaluate(`document.querySelector('[data-testid="${testid}"]') !== null`);
  }

  /** Answers when it was pressed, as Date.now(). */
  press(testid: string): Promise<number> {
    return this.tab.evaluate(
      `(() => { const at = Date.now(); document.querySelector('[data-testid="${testid}"]').click(); return at; })()`,
    );
  }

  /** Waits in the page, which sees what is over within milliseconds, and presses. `when` is of `view`. */
  pressWhen(testid: string, when: string): Promise<{ atMs: number; phase: string }> {
    return this.tab.evaluate(`(async () => {
      for (const deadline = Date.now() + 25_000; Date.now() < deadline; await new Promise((then) => setTimeout(then))) {
        const { view } = window.queztl;
        const button = document.querySelector('[data-testid="${testid}"]');
        if (!button || button.disabled || !(${when})) continue;
        const atMs = Date.now();
        button.click();
        return { atMs, phase: view.phase };
      }
      throw new Error(${JSON.stringify(`no moment to press ${testid}: ${when}`)});
    })()`);
  }

  /** Presses Donate and waits until `grains` of this visit are computed (a part of one counts). */
  async compute(grains = 0.05): Promise<void> {
    await this.press("donate-button");
    await waitFor("the tab computes", async () => computedOf(await this.view()) >= grains, 60_000);
  }

  async untilPhase(...phases: string[]): Promise<void> {
    await waitFor(`the page is ${phases.join(" or ")}`, async () => phases.includes((await this.view()).phase));
  }

  /** CPU time of its workers; with `gpu` of the browser's GPU process too, which is where a software adapter computes. */
  clock(gpu = false): ComputeClock {
    const { pid } = this.browser;
    return new ComputeClock(processesOf(pid, "renderer"), gpu ? processesOf(pid, "gpu-process") : []);
  }
}

export async function openDonor(browser: Chromium): Promise<Donor> {
  return new Donor(browser, await browser.open());
}

/** Grains computed in this visit: the finished ones, and parts of those that are not. */
export const computedOf = ({ meters }: View): number =>
  meters.reduce((sum, { grains, fraction, workload }) => sum + grains + (workload === null ? 0 : fraction), 0);
