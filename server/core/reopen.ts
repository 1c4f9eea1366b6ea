/**
 * A finished job, or a finished round of an open one, rests on the word of a node that was proven wrong: it is open
 * again there, without what is not believed. What came after is computed anew, and the revision rises.
 */
import type { CoreWrite, Effect } from "./events.ts";
import { restoreJob, type StoredJob, type StoredResult } from "./restore.ts";
import { dropJob } from "./rounds.ts";
import type { CoreState } from "./state.ts";

/** Follow with `restored` events and `restored.all`, as after a restart, where the job is here then. */
export function reopenJob(state: CoreState, stored: StoredJob, now: number, out: Effect[]): void {
  const { id } = stored.seed;
  const open = state.jobs.get(id);
  // Another proof brought it back already; what is in its present round was taken back in memory.
  if (open && open.round <= stored.round.round) return;
  const tainted = stored.results.filter((result) => isTainted(state, result));
  if (tainted.length === 0) return;
  if (open) dropJob(state, open, "retracted", out);
  const kept = stored.results.filter((result) => !tainted.includes(result));
  const job = restoreJob(state, { ...stored, results: kept, revision: stored.revision + 1 }, now, now);
  job.stats.retractedResults += tainted.length;
  for (const { lo, hi } of tainted) {
    job.stats.cost.computed += (hi - lo) * job.grainCoreSeconds;
    job.stats.cost.waste += (hi - lo) * job.grainCoreSeconds;
  }
  const writes: CoreWrite[] = [
    { type: "job.reopen", job: id, round: job.round, revision: job.revision },
    ...tainted.map((result): CoreWrite => {
      const { banned } = state.trust.get(result.node) ?? {};
      const verdict = `taken back: ${banned?.reason ?? "another result of this node was wrong"}`.slice(0, 300);
      // A search that had enough ends with candidates that nobody judged.
      const standing = result.standing === "candidate" ? "rejected" : "retracted";
      return { type: "result.verdict", id: result.id, standing, verdict };
    }),
  ];
  out.push({ type: "commit", writes, afterwards: [{ type: "retracted", job: id, revision: job.revision }] });
  out.push({ type: "note", code: "job_reopened", message: `revision ${job.revision}`, job: id });
}

function isTainted(state: CoreState, result: StoredResult): boolean {
  const taintedAtMs = state.trust.get(result.node)?.taintedAtMs ?? null;
  return !result.own && result.verdict !== "certificate" && taintedAtMs !== null && result.atMs <= taintedAtMs;
}
