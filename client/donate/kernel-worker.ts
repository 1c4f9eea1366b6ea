/** What the compute workers share: kernel files by hash, and runs as outcomes. */
import { grainTasks } from "../../kernels/contract.ts";
import { KernelError } from "../../kernels/run/errors.ts";
import { GrainError, type GrainRun, type GrainRunAnswer, workloadOf } from "../../kernels/run/grains.ts";
import type { RunOutcome } from "./compute-api.ts";
import { fetchByHash } from "./ports.ts";

export const loadWasm = (sha256: string): Promise<Uint8Array> => fetchByHash(`/k/${sha256}.wasm`, sha256);
export const loadWgsl = (sha256: string): Promise<Uint8Array> => fetchByHash(`/k/${sha256}.wgsl`, sha256);

/** Runs grains one request at a time, and ends them when `abort` is called. */
export class RunLine {
  #abort: AbortController | null = null;

  abort(): void {
    this.#abort?.abort();
  }

  async run(
    run: GrainRun,
    compute: (signal: AbortSignal) => Promise<GrainRunAnswer>,
    dispatches: () => number,
  ): Promise<RunOutcome> {
    const abort = new AbortController();
    this.#abort = abort;
    try {
      const answer = await compute(abort.signal);
      return {
        ok: true,
        ...answer,
        coreSeconds: coreSecondsOf(run),
        finding: findingOf(run, answer),
        dispatches: dispatches(),
      };
    } catch (error) {
      return outcomeOf(error);
    } finally {
      if (this.#abort === abort) this.#abort = null;
    }
  }
}

function coreSecondsOf(run: GrainRun): number {
  const workload = workloadOf(run);
  const [lo] = grainTasks(run, run.lo);
  const [, hi] = grainTasks(run, run.hi - 1);
  return workload.cost(run.payload, lo, hi).operations / workload.opsPerCoreSecond;
}

function findingOf(run: GrainRun, { partials }: GrainRunAnswer): string {
  const last = partials.at(-1);
  return last ? (workloadOf(run).describe?.(run.payload, last) ?? "") : "";
}

function outcomeOf(error: unknown): RunOutcome {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "AbortError")
    return { ok: false, reason: "aborted", message, grain: null };
  const cause = error instanceof GrainError ? error.cause : error;
  const reason = cause instanceof KernelError ? cause.reason : "internal";
  return { ok: false, reason, message, grain: error instanceof GrainError ? error.grain : null };
}
