/** A native worker as a class: `await new WorkerNode({ coordinatorUrl }).start()`. */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { AgentRunner, type AgentView } from "../agent/runner.ts";
import { workloads } from "../kernels/workloads.ts";
import { jobDescriptionSchema, type KernelFiles, type Preferences } from "../protocol/messages.ts";
import { type RegionId, regionByClock } from "../protocol/regions.ts";
import { HttpBlobs } from "./blobs.ts";
import { ComputePool } from "./compute/pool.ts";
import { lockFolder } from "./folder-lock.ts";
import { describeGpu, describeMachine } from "./hardware.ts";
import { nodeSocket } from "./socket.ts";
import { FileStorage, loadIdentity } from "./storage.ts";

export interface WorkerNodeOptions {
  coordinatorUrl: string;
  /** The operator's join token makes this an own node. */
  joinToken?: string | null;
  /** WASM threads; default: all cores. */
  threads?: number;
  /** Use a GPU through Dawn where there is a hardware adapter. Default true. */
  gpu?: boolean;
  /** Families of workloads; default: those that are on by default, or all on an own node. */
  families?: readonly string[];
  name?: string | null;
  /** Where it is; by the machine's clock where it is left out, not told where it is null. */
  region?: RegionId | null;
  /** Keeps the identity and unacknowledged results. */
  dataDir?: string;
  /** Where engines are installed (the `webgpu` package). */
  enginesDir?: string;
  /** GPU adapters without hardware count only in tests. */
  allowSoftwareGpu?: boolean;
  version?: string;
  log?: (code: string, message: string) => void;
}

export class WorkerNode {
  #runner: AgentRunner | null = null;
  #pool: ComputePool | null = null;
  #storage: FileStorage | null = null;
  #unlock: () => void = () => {};
  #stopped = false;

  constructor(private readonly options: WorkerNodeOptions) {}

  /**
   * Describes the machine, and joins. Resolves once it tries to connect; it goes on trying by itself. Rejects
   * where the folder is in use or the key in it damaged. A node is started once.
   */
  async start(): Promise<this> {
    try {
      await this.#join();
    } catch (error) {
      await this.#close();
      throw error;
    }
    return this;
  }

  async #join(): Promise<void> {
    const { options } = this;
    const url = new URL(options.coordinatorUrl);
    const dataDir = options.dataDir ?? join(process.cwd(), ".queztl-worker");
    const log = options.log ?? (() => {});
    this.#unlock = await lockFolder(dataDir);
    const capabilities = await describeMachine(options.version ?? "");
    const families = options.families ?? defaultFamilies(options.joinToken != null);
    const blobs = new HttpBlobs(url);
    const pool = new ComputePool({
      kernel: (sha256, role) => blobs.kernel(sha256, role),
      kernelFiles: (workload) => kernelFiles(url, workload),
      families,
      allowSoftwareGpu: options.allowSoftwareGpu ?? false,
      enginesDir: options.enginesDir ?? join(dataDir, "engines"),
      log,
    });
    this.#pool = pool;
    const gpu = options.gpu === false ? null : await pool.probeGpu();
    if (gpu) {
      const described = gpu.software ? null : await describeGpu();
      capabilities.gpu = { ...gpu, name: described?.name ?? gpu.name, vramBytes: described?.vramBytes ?? null };
    }
    pool.describe(capabilities);
    const preferences: Preferences = {
      slots: { wasm: options.threads ?? capabilities.cpu.cores, webgpu: gpu ? 1 : 0, native: 0 },
      families: [...families],
      name: options.name ?? null,
      region: options.region === undefined ? regionByClock() : options.region,
    };
    const storage = new FileStorage(dataDir);
    this.#storage = storage;
    this.#runner = new AgentRunner({
      socket: nodeSocket(url),
      compute: pool,
      clock: nodeClock,
      storage,
      identity: await loadIdentity(dataDir),
      blobs,
      session: randomUUID(),
      joinToken: options.joinToken ?? null,
      capabilities,
      preferences,
      report: (error) => log("defect", error instanceof Error ? (error.stack ?? error.message) : String(error)),
    });
    if (this.#stopped) return;
    const { slots } = preferences;
    const doing = families.join(", ") || "nothing";
    log(
      "starting",
      `Joining ${url.origin} with ${slots.wasm} threads${gpu ? ` and ${capabilities.gpu?.name}` : ""}: ${doing}.`,
    );
    await this.#runner.start();
  }

  get view(): AgentView | null {
    return this.#runner?.view ?? null;
  }

  onChange(listener: (view: AgentView) => void): () => void {
    if (!this.#runner) throw new Error("Start the node first.");
    return this.#runner.onChange(listener);
  }

  /** Abandons what is being computed, hands in what is finished, and resolves within about a second. */
  async stop(reason = "stopped"): Promise<void> {
    this.#stopped = true;
    await this.#runner?.stop(reason);
    await this.#close();
  }

  /** Finishes the grains that are being computed, for 1.5 s at most, then as `stop`. */
  async drain(reason = "draining"): Promise<void> {
    this.#stopped = true;
    await this.#runner?.drain(reason);
    await this.#close();
  }

  async #close(): Promise<void> {
    await this.#storage?.settled();
    await this.#pool?.close();
    this.#unlock();
  }
}

/** What strangers' machines do unasked; an own node does everything that its operator offers. */
export function defaultFamilies(own: boolean): string[] {
  const families = [...workloads.values()].flatMap(({ family, consents = [] }) => [family, ...consents]);
  return [...new Set(families.filter((family) => own || !family.optIn).map((family) => family.id))];
}

const nodeClock = {
  now: () => performance.now(),
  every: (ms: number, run: () => void) => {
    const timer = setInterval(run, ms);
    return () => clearInterval(timer);
  },
  random: () => Math.random(),
};

/** Kernel files as this coordinator serves them now; null where it does not know the workload. */
async function kernelFiles(url: URL, workload: string): Promise<KernelFiles | null> {
  const response = await fetch(new URL("/api/v1.2/workload-types", url), { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) return null;
  const { workload_types: types } = (await response.json()) as { workload_types: { type: string; files?: unknown }[] };
  const files = jobDescriptionSchema.shape.files.safeParse(types.find((type) => type.type === workload)?.files);
  return files.success ? files.data : null;
}
