/** Rebuilds what the core remembers from the record, after a restart. */
import type { KernelFiles } from "../../protocol/messages.ts";
import { queueAudits } from "./audits.ts";
import { certificateOf, drawAudits, isDoubtful, isDrawn, needsReplicas, rest, settle } from "./belief.ts";
import { ofLostLease } from "./checkpoints.ts";
import type { CoreEvent, Effect, NewJob } from "./events.ts";
import { count, reopenGrains } from "./grains.ts";
import { createJob } from "./jobs.ts";
import type { Range } from "./ranges.ts";
import { startReplicas } from "./replicas.ts";
import { claimAhead, finishIfComplete, mergeRequest, startRound } from "./rounds.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { syncRunnable } from "./turns.ts";

export interface StoredJob {
  seed: NewJob;
  createdAtMs: number;
  revision: number;
  round: { round: number; tasks: number; grainTasks: number; input: string | null };
  /** Committed extents of the round, as one run from grain 0. */
  claimed: number;
  /** Results of the round that no verdict took away, in commit order. */
  results: readonly StoredResult[];
}

export interface StoredResult {
  id: number;
  lo: number;
  hi: number;
  node: string;
  own: boolean;
  backend: Result["backend"];
  lease: string;
  standing: "candidate" | "provisional" | "confirmed";
  verdict: string;
  computeMs: number;
  atMs: number;
}

/**
 * Puts an open job back. What its results cover is derived again in commit order; what nobody covers
 * waits until `cutFromMs`, so that nodes can say what they hold before it is cut again.
 * Follow with a `restored` event for each result in `job.results`, which brings its partials, and with
 * `restored.all`: until then the round is not finished.
 */
export function restoreJob(
  state: CoreState,
  stored: StoredJob,
  now: number,
  cutFromMs = now + state.config.recoveryMs,
): Job {
  const job = createJob(state, stored.seed, stored.createdAtMs);
  startRound(job, stored.round.round, stored.round.tasks, stored.round.grainTasks, stored.round.input);
  job.phase = stored.results.length > 0 ? "running" : "queued";
  job.revision = stored.revision;
  job.restoring = true;
  // The record does not say when the first lease was issued; the first result tells when it began to be computed.
  for (const { atMs, computeMs } of stored.results) {
    job.startedAtMs = Math.min(job.startedAtMs ?? Number.POSITIVE_INFINITY, Math.round(atMs - computeMs));
  }
  job.claimed = stored.claimed;
  state.jobs.set(job.id, job);
  for (const record of stored.results) restoreCoverage(job, record);
  const missing = job.coverage.uncovered(0, job.claimed);
  reopenGrains(state, job, missing, cutFromMs, "restart");
  syncRunnable(state, job);
  state.changedJobs.add(job.id);
  return job;
}

function restoreCoverage(job: Job, record: StoredResult): void {
  const fresh = job.coverage.uncovered(record.lo, record.hi);
  if (fresh.length === 0) return;
  const stands = record.standing !== "candidate";
  const result: Result = {
    id: record.id,
    lo: record.lo,
    hi: record.hi,
    node: record.node,
    own: record.own,
    backend: record.backend,
    lease: record.lease,
    standing: record.standing,
    checking: !stands && job.hasCheck,
    audits: [],
    replication: null,
    agreements: 0,
    passed: 0,
    wrong: 0,
    fault: null,
    resumed: ofLostLease(job, record.lease, record.lo),
    merged: false,
    grounds: stands ? groundsOf(record.verdict) : "",
    computeMs: record.computeMs,
  };
  job.results.set(record.id, result);
  if (!record.own) job.workers.add(record.node);
  if (record.standing === "provisional") rest(job, result);
  let grains = 0;
  for (const [lo, hi] of fresh) {
    job.coverage.cover(lo, hi, record.id);
    count(job, record.standing, hi - lo);
    grains += hi - lo;
  }
  job.stats.spentComputeMs += record.computeMs;
  job.stats.cost.computed += (record.hi - record.lo) * job.grainCoreSeconds;
  if (stands) recount(job, record, grains);
}

function groundsOf(verdict: string): Result["grounds"] {
  if (verdict === "own_node" || verdict === "own") return "own";
  return verdict === "certificate" || verdict === "trust" || verdict === "replica" ? verdict : "audit";
}

function recount(job: Job, record: StoredResult, grains: number): void {
  const grounds = groundsOf(record.verdict);
  job.stats.acceptedResults++;
  job.stats.acceptedGrains += grains;
  if (record.own) job.stats.ownResults++;
  if (grounds === "audit") job.stats.auditedResults++;
  if (grounds === "certificate") job.stats.certifiedResults++;
  job.stats.slicesByBackend[record.backend] = (job.stats.slicesByBackend[record.backend] ?? 0) + 1;
  job.stats.acceptedComputeMs += record.computeMs;
  job.stats.cost.accepted += grains * job.grainCoreSeconds;
}

/** A stored result's partials are here again: the judge takes them, and judging goes on where it was. */
export function restoreResult(
  state: CoreState,
  event: Extract<CoreEvent, { type: "restored" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  if (!job || !result) return;
  if (job.judged) {
    out.push({
      type: "judge",
      request: {
        type: "take",
        job: job.id,
        round: job.round,
        result: result.id,
        lo: result.lo,
        hi: result.hi,
        partials: event.partials,
        check: result.checking,
      },
    });
  }
  if (result.standing !== "candidate") {
    const ranges: Range[] = job.coverage.of(result.lo, result.hi, result.id);
    if (job.judged) {
      result.merged = true;
      out.push({ type: "judge", request: mergeRequest(job, result, ranges) });
    }
    return;
  }
  if (!result.own && needsReplicas(job, result.backend)) startReplicas(state, job, result);
  if (isDoubtful(job, result)) queueAudits(state, job, result, [result.lo], event.partials, out);
  // Who restarts the coordinator cannot choose what is drawn: the same chances as when it arrived.
  if (!result.own && certificateOf(job, result.backend) !== "complete" && isDrawn(state, job, result.node)) {
    drawAudits(state, job, result, event.partials, out);
  }
  settle(state, job, result, now, out);
}

/** All results of a restored job were brought: what was put off until then is due. */
export function onRestoredAll(state: CoreState, id: string, now: number, out: Effect[]): void {
  const job = state.jobs.get(id);
  if (!job?.restoring) return;
  job.restoring = false;
  // A claim may have been lost on the way to the record while all that was claimed is computed or held by now.
  claimAhead(state, job, out);
  finishIfComplete(state, job, now, out);
}

export type { KernelFiles };
