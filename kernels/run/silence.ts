/**
 * How long a run may be silent. Code of the grid pauses every 50 ms; a researcher's own may never come back from a call, and
 * a thread cannot be interrupted: whoever holds it ends it, and the grain fails.
 */
import { workloads } from "../workloads.ts";

/** Nodes are slower than the machine where the code was tried, and first fetch and compile it. */
const slower = 3;
const startMs = 10_000;

/** Milliseconds without a word after which a run is to be ended; null where it ends by itself. */
export function silenceMsMax(run: { workload: string; payload: unknown }): number | null {
  const { tasks } = workloads.get(run.workload) ?? {};
  try {
    return tasks ? slower * tasks.taskMsMax(run.payload) + startMs : null;
  } catch {
    // A payload that cannot be read fails by itself.
    return null;
  }
}

export const silenceMessage = (ms: number): string =>
  `A task was silent for ${Math.round(ms / 1_000)} s and was ended.`;
