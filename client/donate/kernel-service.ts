/** Serves `ComputeApi` with any runner of single grains: one request at a time, in the worker that holds it. */
import { grainTasks, type Workload } from "../../kernels/contract.ts";
import { KernelError } from "../../kernels/run/errors.ts";
import { calibrationRun, calibrationSpeed, type GrainRun, workloadOf } from "../../kernels/run/grains.ts";
import type { Calibration, ComputeApi, Progress, RunOutcome } from "./compute-api.ts";

/** A grain as the kernels' runners take it: tasks lo..hi. */
export type OneGrain = Omit<GrainRun, "workload"> & { workload: Workload };

export interface GrainRunner {
  run(
    grain: OneGrain,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<{ partial: Uint8Array; computeMs: number; build: string }>;
}

/** The page draws a few times a second; more messages would only cost. */
const progressMsMin = 150;

export class KernelService implements ComputeApi {
  #abort = new AbortController();

  constructor(
    /** The runner; rejects while there is none (no GPU). */
    private readonly runner: () => Promise<GrainRunner>,
    private readonly dispatches: () => number = () => 0,
  ) {}

  async run(run: GrainRun, onProgress: (progress: Progress) => void): Promise<RunOutcome> {
    const abort = new AbortController();
    this.#abort = abort;
    let grain = run.lo;
    try {
      const runner = await this.runner();
      const workload = workloadOf(run);
      const partials: Uint8Array[] = [];
      const sum = { computeMs: 0, operations: 0, build: "" };
      const told = throttled(onProgress);
      for (; grain < run.hi; grain++) {
        const [lo, hi] = grainTasks(run, grain);
        const request = (fraction: number): number => (grain - run.lo + fraction) / (run.hi - run.lo);
        told({ grain: 0, request: request(0) });
        const answer = await runner.run({ ...run, workload, lo, hi }, abort.signal, (fraction) => {
          told({ grain: fraction, request: request(fraction) });
        });
        partials.push(answer.partial);
        sum.computeMs += answer.computeMs;
        sum.operations += workload.cost(run.payload, lo, hi).operations;
        sum.build = answer.build;
      }
      const { computeMs, build } = sum;
      const coreSeconds = sum.operations / workload.opsPerCoreSecond;
      const finding = describe(workload, run.payload, partials.at(-1));
      return { ok: true, partials, computeMs, build, coreSeconds, finding, dispatches: this.dispatches() };
    } catch (error) {
      return failure(error, grain);
    }
  }

  abort(): void {
    this.#abort.abort();
  }

  async calibrate(workloads: readonly Calibration[]): Promise<{ workload: string; opsPerSecond: number }[]> {
    const runner = await this.runner();
    const speeds: { workload: string; opsPerSecond: number }[] = [];
    for (const { workload: type, files } of workloads) {
      // A workload that this page does not know yet, or that cannot run here, has no speed; the rest still have.
      try {
        const run = calibrationRun(type, files);
        const [lo, hi] = grainTasks(run, 0);
        const grain = { ...run, workload: workloadOf(run), lo, hi };
        const { computeMs } = await runner.run(grain, new AbortController().signal, () => {});
        speeds.push({ workload: type, opsPerSecond: calibrationSpeed(run, computeMs) });
      } catch (error) {
        console.warn(`No speed of ${type}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return speeds;
  }
}

/** A line for the owner's page is never a reason to lose a grain. */
function describe(workload: Workload, payload: unknown, partial: Uint8Array | undefined): string {
  try {
    return partial ? (workload.describe?.(payload, partial) ?? "") : "";
  } catch {
    return "";
  }
}

function throttled(tell: (progress: Progress) => void): (progress: Progress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = performance.now();
    if (now - last < progressMsMin) return;
    last = now;
    tell(progress);
  };
}

function failure(error: unknown, grain: number): RunOutcome {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "AbortError") return { ok: false, reason: "aborted", message, grain };
  return { ok: false, reason: error instanceof KernelError ? error.reason : "internal", message, grain };
}
