/** What a GPU is asked to run, wherever it is: plain data in, plain data out. Runs in a tab's worker and in Node. */

import { KernelError } from "../run/errors.ts";
import { GpuRunner } from "../run/gpu.ts";
import { openGpu } from "../run/gpu-device.ts";
import { GrainError, type GrainRun } from "../run/grains.ts";

export interface GpuWork {
  /** Shader texts by the name that runs' files give. */
  shaders: Record<string, string>;
  runs: GrainRun[];
  /** Ends each run after this long; null lets it finish. */
  abortAfterMs: number | null;
  /** Invocations of a command buffer, for each run; what the device is found to manage when left out. */
  budgets?: number[];
}

export type GpuOutcome =
  | { ok: true; partials: Uint8Array[]; dispatches: number }
  /** `afterMs`: since the abort, or since the start where there was none. */
  | { ok: false; reason: string; message: string; afterMs: number };

export type GpuReport = { ok: true; adapter: string; outcomes: GpuOutcome[] } | { ok: false; message: string };

/** Software adapters are welcome here, and only here. */
export async function runOnGpu(gpu: GPU | undefined, work: GpuWork): Promise<GpuReport> {
  const opened = await openGpu(gpu, true);
  if (!opened.ok) return opened;
  const encoder = new TextEncoder();
  let given = 1;
  const pace = { budget: () => given, note: () => {} };
  const runner = new GpuRunner(opened.device, async (name) => encoder.encode(work.shaders[name]), work.budgets && pace);
  const outcomes: GpuOutcome[] = [];
  for (const [index, run] of work.runs.entries()) {
    given = work.budgets?.[index] ?? 1;
    outcomes.push(await runOne(runner, run, work.abortAfterMs));
  }
  const { name, vendor, architecture } = opened.facts;
  return { ok: true, adapter: `${name} (${vendor} ${architecture})`, outcomes };
}

async function runOne(runner: GpuRunner, run: GrainRun, abortAfterMs: number | null): Promise<GpuOutcome> {
  const abort = new AbortController();
  const before = runner.dispatches;
  let sinceMs = performance.now();
  if (abortAfterMs !== null) {
    setTimeout(() => {
      sinceMs = performance.now();
      abort.abort();
    }, abortAfterMs);
  }
  try {
    const { partials } = await runner.run(run, abort.signal);
    return { ok: true, partials, dispatches: runner.dispatches - before };
  } catch (error) {
    const cause = error instanceof GrainError ? error.cause : error;
    const named = cause instanceof Error ? cause.name : "";
    const reason = cause instanceof KernelError ? cause.reason : named;
    return { ok: false, reason, message: String(cause), afterMs: performance.now() - sinceMs };
  }
}
