/** The page's half of donating: starts and ends the agent's worker, and holds what it last told. */
import * as Comlink from "comlink";
import { apiRoot } from "../shared/api.ts";
import type { AgentApi } from "./agent-api.ts";
import { type Diary, dayOf, localDiary, onComputed, onStart } from "./diary.ts";
import { type OtherTab, Presence } from "./presence.ts";
import { type Choices, type PageView, stoppedView } from "./view.ts";
import { PageMadeWorkers, type WorkerRole } from "./worker-roles.ts";

/** An agent that has not stopped by itself by then is terminated, with all its compute workers. */
const stopMsMax = 850;
/** The agent tells several times a second; a longer silence of a page that was not frozen is a device that slept. */
const sleptMs = 60_000;
const diaryMs = 10_000;

const startWorker = (role: WorkerRole): Worker =>
  new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: role });

declare global {
  interface Window {
    /** Read-only view of what this tab does, for debugging and for tests. */
    queztl?: {
      readonly view: PageView;
      readonly gpuDispatches: number;
      readonly acceptedByBackend: PageView["storedByBackend"];
    };
  }
}

export interface TestSwitches {
  allowSoftwareGpu: boolean;
  pageMadeWorkers: boolean;
}

export class Donation {
  view = $state.raw<PageView>(stoppedView);
  /** Another tab of this browser that computes, while there is one. */
  other = $state.raw<OtherTab | null>(null);
  readonly #presence = new Presence({
    other: (tab) => {
      this.other = tab;
    },
    stop: () => void this.stop(),
  });
  readonly #pageMade = new PageMadeWorkers(startWorker);
  #worker: Worker | null = null;
  #api: Comlink.Remote<AgentApi> | null = null;
  #stopping: Promise<void> | null = null;

  /** Why the last run ended without its owner's word: asked before it resumes. */
  interrupted = $state.raw<string | null>(null);
  diary = $state.raw<Diary>(localDiary.load());
  #entering = false;
  #viewedMs = 0;
  #savedMs = 0;

  constructor(private readonly switches: TestSwitches) {}

  get running(): boolean {
    return this.view.phase !== "stopped";
  }

  /** Starts workers and the connection; nothing of either exists before. Does neither where another tab computes. */
  async start(choices: Choices): Promise<void> {
    if (this.#worker || this.#entering) return;
    this.#entering = true;
    const entered = await this.#presence.enter().finally(() => {
      this.#entering = false;
    });
    if (!entered) return;
    this.interrupted = null;
    // No other tab computes, so a mark that stands is of a run that ended without a word.
    const before = localDiary.load();
    this.#note(onStart(before));
    this.#viewedMs = Date.now();
    this.#start(choices, before.mark !== null);
    void navigator.storage?.persist?.().catch(() => {});
  }

  /** The page is closing, or is put to sleep: what is leased goes back at once, whatever becomes of the worker. */
  depart(why: string | null): void {
    if (!this.running) return;
    this.#beacon();
    this.#note({ ...this.diary, mark: null });
    this.interrupted = why;
    void this.stop();
  }

  /** The owner says that crashes of before are no reason to be careful. */
  forgetCrashes(): void {
    this.#note({ ...this.diary, crashes: 0, calmMs: 0 });
  }

  #beacon(): void {
    const { release } = this.view;
    if (release === null) return;
    const body = new Blob([JSON.stringify({ release })], { type: "application/json" });
    navigator.sendBeacon(`${apiRoot}/node/departure`, body);
  }

  #note(diary: Diary): void {
    this.diary = diary;
    this.#savedMs = Date.now();
    localDiary.save(diary);
  }

  /** Counts the time, and keeps the mark standing while grains are computed. */
  #onView(view: PageView, choices: Choices): void {
    const now = Date.now();
    const passedMs = now - this.#viewedMs;
    this.#viewedMs = now;
    if (passedMs > sleptMs) {
      this.depart("This device slept, and what it had been given went to others.");
      return;
    }
    const busy = view.meters.some((meter) => meter.workload !== null);
    let diary = this.diary;
    if (busy) diary = onComputed(diary, passedMs, dayOf(new Date(now)));
    if (busy && diary.mark === null)
      diary = { ...diary, mark: { startedMs: now, threads: choices.threads, gpu: choices.gpu } };
    else if (!busy && view.phase === "idle") diary = { ...diary, mark: null };
    const marked = (diary.mark === null) !== (this.diary.mark === null);
    if (marked || now - this.#savedMs > diaryMs) this.#note(diary);
    else this.diary = diary;
  }

  #start(choices: Choices, crashed: boolean): void {
    const worker = startWorker("queztl-agent");
    const fail = (message: string): void => {
      if (this.#worker !== worker) return;
      this.#end({ message, remedy: "Reload the page and try again." });
    };
    worker.onerror = (event) => fail(`The background worker failed: ${event.message || "it could not be loaded"}.`);
    this.#worker = worker;
    this.#api = Comlink.wrap<AgentApi>(worker);
    this.view = { ...stoppedView, phase: "starting" };
    const onView = Comlink.proxy((view: PageView) => {
      if (this.#worker !== worker || this.#stopping) return;
      this.view = view;
      this.#onView(view, choices);
      this.#presence.tell({ ...view, picture: null });
    });
    const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    this.#api
      .start({ choices, ...this.switches, socketUrl, crashed }, onView, Comlink.proxy(this.#pageMade))
      .catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  }

  update(choices: Choices): void {
    if (!this.#stopping) void this.#api?.setChoices(choices);
  }

  /** Everything of this tab has ended when this resolves, at most `stopMsMax` later. */
  stop(): Promise<void> {
    if (!this.#worker) return Promise.resolve();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  stopOther(): void {
    this.#presence.stopOther();
  }

  async #stop(): Promise<void> {
    this.view = { ...this.view, phase: "stopping" };
    const asked = this.#api?.stop().catch(() => {});
    const late = new Promise((resolve) => setTimeout(() => resolve("late"), stopMsMax));
    if ((await Promise.race([asked, late])) === "late") this.#beacon();
    this.#end(null);
  }

  #end(trouble: PageView["trouble"]): void {
    this.#worker?.terminate();
    this.#pageMade.endAll();
    this.#presence.leave();
    this.#note({ ...this.diary, mark: null });
    this.#worker = null;
    this.#api = null;
    this.#stopping = null;
    this.view = {
      ...this.view,
      phase: "stopped",
      meters: [],
      reasons: [],
      trouble,
      gpu: { state: "off", message: "", name: "" },
    };
  }
}
