/** Runs of consecutive grains, as leases ask for them: the same on a thread of Node and in a tab's worker. */
import type { KernelFiles } from "../../protocol/messages.ts";
import { grainTasks, type Workload } from "../contract.ts";
import { workloads } from "../workloads.ts";
import { KernelError } from "./errors.ts";
import type { WasmRunner } from "./wasm.ts";

export interface GrainRun {
  /** Wire name of the workload. */
  workload: string;
  files: KernelFiles;
  payload: unknown;
  round: number;
  tasks: number;
  grainTasks: number;
  input: Uint8Array | null;
  inputs: Uint8Array | null;
  inputsFirstTask: number;
  /** What was saved of grain `lo`, which goes on from there. */
  checkpoint?: Uint8Array | null;
  /** How often a grain that takes long is saved; never where it is left out. */
  checkpointMs?: number | null;
  /** Grains lo..hi. */
  lo: number;
  hi: number;
}

export interface GrainRunAnswer {
  partials: Uint8Array[];
  computeMs: number;
  build: string;
}

/** The workload of a run. Throws KernelError where this build does not have it. */
export function workloadOf(run: { workload: string }): Workload {
  const workload = workloads.get(run.workload);
  if (!workload) throw new KernelError("kernel_unavailable", `This node has no workload ${run.workload}; update it.`);
  return workload;
}

/** A failed run: `grain` is the one that could not be computed. */
export class GrainError extends Error {
  override name = "GrainError";
  constructor(
    readonly grain: number,
    override readonly cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause));
  }
}

/** Where a long grain stands. */
export interface SavedGrain {
  grain: number;
  bytes: Uint8Array;
}

/** One grain after the other. Rejects with GrainError, or an AbortError. */
export async function runWasmGrains(
  runner: WasmRunner,
  run: GrainRun,
  signal: AbortSignal,
  onFraction: (fraction: number) => void,
  onSaved: (saved: SavedGrain) => void = () => {},
): Promise<GrainRunAnswer> {
  const answer: GrainRunAnswer = { partials: [], computeMs: 0, build: "" };
  for (let grain = run.lo; grain < run.hi; grain++) {
    const [lo, hi] = grainTasks(run, grain);
    try {
      const checkpoint = grain === run.lo ? (run.checkpoint ?? null) : null;
      const given = { ...run, workload: workloadOf(run), lo, hi, checkpoint };
      const one = await runner.run(given, signal, onFraction, (bytes) => onSaved({ grain, bytes }));
      answer.partials.push(one.partial);
      answer.computeMs += one.computeMs;
      answer.build = one.build;
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") throw error;
      throw new GrainError(grain, error);
    }
  }
  return answer;
}

/** The first grain of the workload's own short payload, which tells a slot's speed. */
export function calibrationRun(type: string, files: KernelFiles): GrainRun {
  const workload = workloadOf({ workload: type });
  const { tasks, grainTasks: size } = workload.plan(workload.calibration);
  return {
    workload: type,
    files,
    payload: workload.calibration,
    round: 0,
    tasks,
    grainTasks: size,
    input: null,
    inputs: null,
    inputsFirstTask: 0,
    lo: 0,
    hi: 1,
  };
}

/** Operations per second of a calibration run that took `computeMs`. */
export function calibrationSpeed(run: GrainRun, computeMs: number): number {
  const workload = workloadOf(run);
  const [lo, hi] = grainTasks(run, 0);
  return (workload.cost(run.payload, lo, hi).operations * 1000) / Math.max(computeMs, 0.01);
}
