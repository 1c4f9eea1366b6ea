/**
 * The tab's node: socket, identity and session live here, in a worker, because timers of hidden pages are
 * slowed down and those of workers are not. Kernels run in workers of their own.
 */
import * as Comlink from "comlink";
import { AgentRunner } from "../../agent/runner.ts";
import type { KernelFiles } from "../../protocol/messages.ts";
import type { WorkloadType } from "../../protocol/rest.ts";
import { callApi } from "../shared/api.ts";
import type { AgentApi, StartOptions } from "./agent-api.ts";
import { BrowserCompute } from "./compute-port.ts";
import { openDatabase } from "./idb.ts";
import { loadIdentity } from "./identity.ts";
import { takeLane } from "./lane.ts";
import { pageView } from "./page-view.ts";
import { browserBlobs, browserClock, browserSocket } from "./ports.ts";
import { resultStorage } from "./results.ts";
import { type Choices, type PageView, slotsOf } from "./view.ts";

/** The page is told this often while something changes. */
const viewMs = 250;

class Agent implements AgentApi {
  #runner: AgentRunner | null = null;
  #compute: BrowserCompute | null = null;
  #choices: Choices = { threads: 0, gpu: false, families: [], name: null };
  #release: () => void = () => {};
  #timer: ReturnType<typeof setInterval> | undefined;

  async start(options: StartOptions, onView: (view: PageView) => void): Promise<void> {
    this.#choices = options.choices;
    const { lane, release } = await takeLane();
    this.#release = release;
    const database = await openDatabase();
    const files = await kernelFiles();
    const compute = new BrowserCompute({
      createCompute: () =>
        new Worker(new URL("./compute.worker.ts", import.meta.url), { type: "module", name: "queztl-compute" }),
      createGpu: () => new Worker(new URL("./gpu.worker.ts", import.meta.url), { type: "module", name: "queztl-gpu" }),
      gpu: options.choices.gpu,
      allowSoftwareGpu: options.allowSoftwareGpu,
      kernelFiles: (workload) => files.get(workload) ?? null,
      families: () => this.#choices.families,
    });
    this.#compute = compute;
    const capabilities = await compute.capabilities();
    const runner = new AgentRunner({
      socket: browserSocket(options.socketUrl),
      compute,
      clock: browserClock,
      storage: resultStorage(database, lane),
      identity: await loadIdentity(database, lane),
      blobs: browserBlobs,
      session: crypto.randomUUID(),
      joinToken: null,
      capabilities,
      preferences: this.#preferences(capabilities.gpu !== null),
      report: (error) => console.error(error),
    });
    this.#runner = runner;
    await runner.start();
    this.#timer = setInterval(() => onView(pageView(runner.view, compute, this.#choices.threads)), viewMs);
  }

  async setChoices(choices: Choices): Promise<void> {
    this.#choices = choices;
    await this.#compute?.setGpu(choices.gpu);
    this.#runner?.setPreferences(this.#preferences(this.#compute?.gpuView.state === "on"));
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#runner?.stop("stopped by its owner");
    await this.#compute?.close();
    this.#release();
  }

  #preferences(gpu: boolean) {
    const slots = slotsOf({ ...this.#choices, gpu: this.#choices.gpu && gpu });
    return { slots, families: this.#choices.families, name: this.#choices.name };
  }
}

async function kernelFiles(): Promise<Map<string, KernelFiles>> {
  const { workload_types } = await callApi<{ workload_types: WorkloadType[] }>("/workload-types");
  return new Map(workload_types.map((type) => [type.type, type.files]));
}

Comlink.expose(new Agent());
