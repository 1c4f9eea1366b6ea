/**
 * A node in this process that remembers which results were acknowledged to it: the agent that every node runs, over
 * a real socket, with a compute port that throws darts one by one (jobs of few darts only).
 */
import { createIdentity, identityPort, sha256Hex } from "../../agent/identity.ts";
import type { KeptResult } from "../../agent/machine-state.ts";
import type { ComputePort, GrainsRequest, SocketPort } from "../../agent/ports.ts";
import { AgentRunner } from "../../agent/runner.ts";
import { MemoryStorage } from "../../agent/testing/storage.ts";
import { encodeTally } from "../../kernels/workloads/monte_carlo/layout.ts";
import { referenceTally } from "../../kernels/workloads/monte_carlo/reference.ts";
import { parse } from "../../kernels/workloads/monte_carlo/testing.ts";
import { nodeSocket } from "../../native-worker/socket.ts";
import { decodeFromCoordinator } from "../../protocol/codec.ts";
import type { Capabilities } from "../../protocol/messages.ts";

/** A run of grains that the coordinator said it has. */
export interface AcknowledgedResult {
  job: string;
  lo: number;
  hi: number;
}

const capabilities: Capabilities = {
  kind: "native",
  software: "a test's node",
  platform: null,
  cpu: { model: null, cores: 1 },
  ramBytes: null,
  wasm: { simd: true, threads: true },
  gpu: null,
  accelerators: [],
  engines: [],
};

/** Pretends to throw few darts a second, so that slices are short and results many. */
const opsPerSecond = 50_000;

const compute: ComputePort = {
  async run(_slot, { job, payload, lo, hi }: GrainsRequest) {
    const startedMs = performance.now();
    const parsed = parse(payload);
    const partials = Array.from({ length: hi - lo }, (_, index) => {
      const first = (lo + index) * job.grainTasks;
      const end = Math.min(first + job.grainTasks, job.tasks);
      return encodeTally(parsed, referenceTally(parsed, first, end));
    });
    const build = job.files["wasm-simd"]?.sha256 ?? "";
    return { partials, computeMs: performance.now() - startedMs, build };
  },
  calibrate: async () => [{ workload: "monte_carlo", opsPerSecond }],
  onCapabilities: () => {},
  close: async () => {},
};

class RememberingStorage extends MemoryStorage {
  readonly sent = new Map<number, KeptResult>();

  override keep(result: KeptResult): Promise<void> {
    this.sent.set(result.seq, result);
    return super.keep(result);
  }
}

export class CountingNode {
  /** In the order of their acknowledgements. */
  readonly acknowledged: AcknowledgedResult[] = [];
  /** Results refused for good, with the reason. */
  readonly refused: string[] = [];
  readonly defects: unknown[] = [];
  #runner: AgentRunner | null = null;

  /** Connects, and goes on trying by itself whenever nobody answers. An own node. */
  async start(url: string, joinToken: string, name: string): Promise<void> {
    const storage = new RememberingStorage();
    this.#runner = new AgentRunner({
      socket: this.#overheard(nodeSocket(new URL(url)), storage),
      compute,
      clock: {
        now: () => performance.now(),
        every: (ms, run) => {
          const timer = setInterval(run, ms);
          return () => clearInterval(timer);
        },
        // The least jitter: the node is back as soon as it may.
        random: () => 0,
      },
      storage,
      identity: identityPort(await createIdentity(false)),
      blobs: { blob: () => Promise.reject(new Error("these jobs have no blobs")), sha256Hex },
      session: name,
      joinToken,
      capabilities,
      preferences: { slots: { wasm: 1, webgpu: 0, native: 0 }, families: ["simulation"], name },
      report: (error) => this.defects.push(error),
    });
    await this.#runner.start();
  }

  async stop(): Promise<void> {
    await this.#runner?.stop();
  }

  get phase(): string {
    return this.#runner?.view.phase ?? "not started";
  }

  /** Hears every acknowledgement before the agent forgets what it was for. */
  #overheard(socket: SocketPort, storage: RememberingStorage): SocketPort {
    return {
      open: (on) =>
        socket.open({
          ...on,
          frame: (bytes) => {
            for (const message of decodeFromCoordinator(bytes)) {
              if (message.type === "ack") this.#onAck(message, storage);
            }
            on.frame(bytes);
          },
        }),
    };
  }

  #onAck(ack: { seqs: number[]; rejected: { seq: number; reason: string }[] }, storage: RememberingStorage): void {
    for (const seq of ack.seqs) {
      const result = storage.sent.get(seq);
      if (!result) throw new Error(`Result ${seq} was acknowledged and never sent.`);
      this.acknowledged.push({ job: result.job, lo: result.lo, hi: result.hi });
    }
    for (const { reason } of ack.rejected) this.refused.push(reason);
  }
}
