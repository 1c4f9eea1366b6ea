/** One session of a tab as a node: from the owner's press of Donate to Stop. Runs in the agent's worker. */
import { AgentRunner, type AgentView } from "../../agent/runner.ts";
import type { Preferences } from "../../protocol/messages.ts";
import { type WorkloadType, workloadTypesSchema } from "../../protocol/rest.ts";
import { callApi } from "../shared/api.ts";
import type { StartOptions } from "./agent-api.ts";
import type { Calibration } from "./compute-api.ts";
import { BrowserCompute } from "./compute-port.ts";
import { randomId } from "./hash.ts";
import { openDatabase } from "./idb.ts";
import { loadIdentity } from "./identity.ts";
import { browserBlobs, browserClock, browserSocket } from "./ports.ts";
import { resultStorage } from "./results.ts";
import { type Choices, type PageView, type Phase, slotsOf, stoppedView } from "./view.ts";
import type { ComputeWorker } from "./worker-roles.ts";

/** How often the page is told. */
const viewMs = 250;

export class AgentSession {
  readonly #compute: BrowserCompute;
  #choices: Choices;
  #runner: AgentRunner | null = null;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopped = false;
  #toReport: string | null = null;
  /** What the coordinator said of this identity before this session. */
  #before: { accepted: number; rejected: number } | null = null;

  constructor(
    private readonly options: StartOptions,
    workers: { createCompute: () => ComputeWorker; createGpu: () => ComputeWorker },
    private readonly onView: (view: PageView) => void,
  ) {
    this.#choices = options.choices;
    this.#compute = new BrowserCompute({
      ...workers,
      allowSoftwareGpu: options.allowSoftwareGpu,
      calibrations: () => this.#calibrations(),
    });
    this.#compute.configure(options.choices);
    if (options.crashed)
      this.#toReport = "The last run of this tab ended while it computed: it crashed, or was killed.";
  }

  /** Resolves once it tries to connect; it goes on trying by itself. Rejects with a sentence for the owner. */
  async start(): Promise<void> {
    this.#timer = setInterval(() => this.#tell(), viewMs);
    const database = await openDatabase();
    const identity = await loadIdentity(database);
    const capabilities = this.#choices.gpu ? await this.#compute.openGpu() : this.#compute.capabilities();
    if (this.#stopped) return;
    this.#runner = new AgentRunner({
      socket: browserSocket(this.options.socketUrl),
      compute: this.#compute,
      clock: browserClock,
      storage: resultStorage(database),
      identity,
      blobs: browserBlobs,
      session: randomId(),
      joinToken: null,
      capabilities,
      preferences: this.#preferences(),
      report: (error) => console.error(error),
    });
    await this.#runner.start();
    if (this.#stopped) await this.#runner.stop();
  }

  async setChoices(choices: Choices): Promise<void> {
    const before = this.#choices;
    this.#choices = choices;
    this.#compute.configure(choices);
    if (before.memoryBytesMax !== choices.memoryBytesMax)
      this.#compute.announce("The memory of a kernel has another limit.");
    const same = JSON.stringify({ ...before, duty: 1 }) === JSON.stringify({ ...choices, duty: 1 });
    if (!this.#runner || same) return;
    if (before.gpu && !choices.gpu) {
      // The slot goes first, so that its leases are handed back before its worker ends.
      this.#runner.setPreferences(this.#preferences());
      this.#compute.closeGpu();
      this.#compute.announce("The owner switched the GPU off.");
    } else if (!before.gpu && choices.gpu) {
      await this.#compute.openGpu();
      if (this.#stopped) return;
      this.#compute.announce("The owner switched the GPU on.");
    }
    this.#runner.setPreferences(this.#preferences());
  }

  /** Computing ends at once; resolves when what was finished is handed in, within a second. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#runner?.stop();
    clearInterval(this.#timer);
    await this.#compute.close();
  }

  #preferences(): Preferences {
    const slots = slotsOf(this.#choices);
    if (this.#compute.gpuView.state !== "on") slots.webgpu = 0;
    const { families, name, region } = this.#choices;
    return { slots, families, name, region };
  }

  async #calibrations(): Promise<Calibration[]> {
    const { workload_types } = workloadTypesSchema.parse(await callApi("/workload-types"));
    return workload_types
      .filter((type: WorkloadType) => this.#choices.families.includes(type.family.id))
      .map((type: WorkloadType) => ({ workload: type.type, files: type.files }));
  }

  #tell(): void {
    if (this.#stopped) return;
    if (this.#toReport !== null && this.#runner?.view.phase === "online") {
      this.#compute.announce(this.#toReport);
      this.#toReport = null;
    }
    this.onView(this.#view());
  }

  #view(): PageView {
    const agent = this.#runner?.view;
    const shared = { gpu: this.#compute.gpuView, gpuDispatches: this.#compute.gpuDispatches };
    if (!agent) return { ...stoppedView, ...shared, phase: "starting" };
    const meters = this.#compute.meters(this.#choices.threads);
    const phase = phaseOf(
      agent,
      meters.some((meter) => meter.workload !== null),
    );
    if (agent.node !== null) this.#before ??= agent.standing;
    const before = this.#before ?? agent.standing;
    return {
      ...shared,
      phase,
      meters,
      reasons: agent.idle,
      trouble: agent.phase === "waiting" || agent.phase === "refused" ? agent.reason : null,
      accepted: Math.max(0, agent.standing.accepted - before.accepted),
      rejected: Math.max(0, agent.standing.rejected - before.rejected),
      storedByBackend: { wasm: 0, webgpu: 0, native: 0, ...agent.acknowledgedByBackend },
      unacknowledged: agent.unacknowledged,
      coreSeconds: agent.node === null && agent.standing.coreSeconds === 0 ? null : agent.standing.coreSeconds,
      finding: this.#compute.finding,
      picture: this.#compute.picture,
      nodeId: agent.node,
      release: agent.release,
    };
  }
}

function phaseOf(agent: AgentView, busy: boolean): Phase {
  switch (agent.phase) {
    case "connecting":
    case "greeting":
    case "waiting":
      // Leases in hand go on while the connection is away.
      return busy ? "computing" : "connecting";
    case "online":
      return busy || agent.leases.length > 0 ? "computing" : "idle";
    case "draining":
      return "stopping";
    case "refused":
      return "refused";
    case "stopped":
      return "starting";
  }
}
