/** The page's half of donating: starts and ends the agent's worker, and holds what it last told. */
import * as Comlink from "comlink";
import type { AgentApi } from "./agent-api.ts";
import { type OtherTab, Presence } from "./presence.ts";
import { type Choices, type PageView, stoppedView } from "./view.ts";
import { PageMadeWorkers, type WorkerRole } from "./worker-roles.ts";

/** An agent that has not stopped by itself by then is terminated, with all its compute workers. */
const stopMsMax = 850;

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

  #entering = false;

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
    if (entered) this.#start(choices);
  }

  #start(choices: Choices): void {
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
      this.#presence.tell(view);
    });
    const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    this.#api
      .start({ choices, ...this.switches, socketUrl }, onView, Comlink.proxy(this.#pageMade))
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
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, stopMsMax))]);
    this.#end(null);
  }

  #end(trouble: PageView["trouble"]): void {
    this.#worker?.terminate();
    this.#pageMade.endAll();
    this.#presence.leave();
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
