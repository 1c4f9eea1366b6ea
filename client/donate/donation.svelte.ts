/** The page's half of donating: starts and ends the agent's worker, and holds what it last told. */
import * as Comlink from "comlink";
import type { AgentApi } from "./agent-api.ts";
import { type Choices, type PageView, stoppedView } from "./view.ts";

/** An agent that has not stopped by itself by then is terminated, with all its compute workers. */
const stopMsMax = 850;

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

export class Donation {
  view = $state.raw<PageView>(stoppedView);
  #worker: Worker | null = null;
  #api: Comlink.Remote<AgentApi> | null = null;
  #stopping: Promise<void> | null = null;

  constructor(private readonly allowSoftwareGpu: boolean) {}

  get running(): boolean {
    return this.view.phase !== "stopped";
  }

  /** Starts workers and the connection; nothing of either exists before. */
  start(choices: Choices): void {
    if (this.#worker) return;
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "queztl-agent" });
    const fail = (message: string): void => {
      if (this.#worker !== worker) return;
      this.#end({ message, remedy: "Reload the page and try again." });
    };
    worker.onerror = (event) => fail(`The background worker failed: ${event.message || "it could not be loaded"}.`);
    this.#worker = worker;
    this.#api = Comlink.wrap<AgentApi>(worker);
    this.view = { ...stoppedView, phase: "starting" };
    const onView = Comlink.proxy((view: PageView) => {
      if (this.#worker === worker && !this.#stopping) this.view = view;
    });
    const socketUrl = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`;
    this.#api
      .start({ choices, allowSoftwareGpu: this.allowSoftwareGpu, socketUrl }, onView)
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

  async #stop(): Promise<void> {
    this.view = { ...this.view, phase: "stopping" };
    const asked = this.#api?.stop().catch(() => {});
    await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, stopMsMax))]);
    this.#end(null);
  }

  #end(trouble: PageView["trouble"]): void {
    this.#worker?.terminate();
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
