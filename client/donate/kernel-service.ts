/** Serves `ComputeApi` with a runner of grains: one request at a time, in the worker that holds it. */
import { grainTasks, type Picture } from "../../kernels/contract.ts";
import { KernelError } from "../../kernels/run/errors.ts";
import {
  calibrationRun,
  calibrationSpeed,
  GrainError,
  type GrainRun,
  type GrainRunAnswer,
  type SavedGrain,
  workloadOf,
} from "../../kernels/run/grains.ts";
import { StopFlag } from "../../kernels/run/stop-flag.ts";
import type { Calibration, ComputeApi, Progress, RunOutcome, Settings } from "./compute-api.ts";

/** Computes grains lo..hi; rejects with GrainError, KernelError or an AbortError. */
export type RunGrains = (
  run: GrainRun,
  signal: AbortSignal,
  onProgress: (progress: Omit<Progress, "dispatches" | "saved">) => void,
  onSaved: (saved: SavedGrain) => void,
) => Promise<GrainRunAnswer>;

/** The page draws a few times a second; more messages would only cost. */
const progressMsMin = 150;

export class KernelService implements ComputeApi {
  #abort = new AbortController();
  #flag: StopFlag | null = null;
  /** Asked by runners: how much of the time they compute, and what a kernel may have. */
  duty = 1;
  memoryBytesMax = Number.POSITIVE_INFINITY;

  constructor(
    private readonly runGrains: RunGrains,
    private readonly dispatches: () => number = () => 0,
  ) {}

  async run(run: GrainRun, onProgress: (progress: Progress) => void): Promise<RunOutcome> {
    const abort = new AbortController();
    this.#abort = abort;
    let last: Progress = { grain: 0, request: 0, dispatches: this.dispatches() };
    try {
      const answer = await this.runGrains(
        run,
        abort.signal,
        throttled((progress) => {
          last = { ...progress, dispatches: this.dispatches() };
          onProgress(last);
        }),
        (saved) => onProgress({ ...last, saved }),
      );
      return {
        ok: true,
        ...answer,
        coreSeconds: coreSecondsOf(run),
        finding: describe(run, answer.partials.at(-1)),
        picture: draw(run),
        dispatches: this.dispatches(),
      };
    } catch (error) {
      return failure(error);
    }
  }

  abort(): void {
    this.#abort.abort();
  }

  configure({ duty, memoryBytesMax }: Settings, stop: SharedArrayBuffer | null): void {
    this.duty = Math.min(1, Math.max(0.05, duty));
    this.memoryBytesMax = memoryBytesMax;
    if (stop && this.#flag?.buffer !== stop) this.#flag = new StopFlag(stop);
  }

  /** Asked by runners between two steps. */
  get stopped(): boolean {
    return this.#flag?.raised ?? false;
  }

  async calibrate(workloads: readonly Calibration[]): Promise<{ workload: string; opsPerSecond: number }[]> {
    const speeds: { workload: string; opsPerSecond: number }[] = [];
    for (const { workload, files } of workloads) {
      // A workload that this page does not know yet, or that cannot run here, has no speed; the rest still have.
      try {
        const run = calibrationRun(workload, files);
        const nobody = (): void => {};
        const { computeMs } = await this.runGrains(run, new AbortController().signal, nobody, nobody);
        speeds.push({ workload, opsPerSecond: calibrationSpeed(run, computeMs) });
      } catch (error) {
        console.warn(`No speed of ${workload}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return speeds;
  }
}

function coreSecondsOf(run: GrainRun): number {
  const workload = workloadOf(run);
  const [lo] = grainTasks(run, run.lo);
  const [, hi] = grainTasks(run, run.hi - 1);
  return workload.cost(run.payload, lo, hi).operations / workload.opsPerCoreSecond;
}

/** A line for the owner's page is never a reason to lose a grain. */
function describe(run: GrainRun, partial: Uint8Array | undefined): string {
  try {
    return partial ? (workloadOf(run).describe?.(run.payload, partial) ?? "") : "";
  } catch {
    return "";
  }
}

/** Of the last grain; a picture is no reason to lose one either. */
function draw(run: GrainRun): Picture | null {
  try {
    const [lo, hi] = grainTasks(run, run.hi - 1);
    return workloadOf(run).picture?.(run.payload, run.round, lo, hi) ?? null;
  } catch {
    return null;
  }
}

function throttled<T>(tell: (progress: T) => void): (progress: T) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const now = performance.now();
    if (now - last < progressMsMin) return;
    last = now;
    tell(progress);
  };
}

function failure(error: unknown): RunOutcome {
  const grain = error instanceof GrainError ? error.grain : null;
  const cause = error instanceof GrainError ? error.cause : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof Error && cause.name === "AbortError") return { ok: false, reason: "aborted", message, grain };
  return { ok: false, reason: cause instanceof KernelError ? cause.reason : "internal", message, grain };
}
