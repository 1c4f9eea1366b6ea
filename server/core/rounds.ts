/** A job's way through its rounds: from accepted grains to the next round, or to the end. */
import { grainsOf } from "../../kernels/contract.ts";
import type { Reason } from "../../protocol/rest.ts";
import { forgetAudits } from "./audits.ts";
import { forgetCheckpoints } from "./checkpoints.ts";
import { closeJob, closeWork } from "./closing.ts";
import type { CoreEvent, CoreWrite, Effect, JudgeRequest } from "./events.ts";
import { reopenGrains } from "./grains.ts";
import { endLease, removeLease } from "./leases.ts";
import type { Range } from "./ranges.ts";
import { Coverage, RangeSet } from "./ranges.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { trustOf } from "./trust.ts";
import { syncRunnable } from "./turns.ts";

export const mergeRequest = (job: Job, result: Result, ranges: readonly Range[]): JudgeRequest => ({
  type: "merge",
  job: job.id,
  round: job.round,
  result: result.id,
  node: result.own ? null : result.node,
  ranges,
});

/** A result counts, provisionally or for good: count it, and merge it. Follow with `finishIfComplete`. */
export function accept(state: CoreState, job: Job, result: Result, ranges: readonly Range[], out: Effect[]): void {
  let grains = 0;
  for (const [lo, hi] of ranges) grains += hi - lo;
  count(state, job, result, grains);
  if (!job.judged) return;
  result.merged = true;
  out.push({ type: "judge", request: mergeRequest(job, result, ranges) });
}

/** What counted does not any more. */
export function unaccept(state: CoreState, job: Job, result: Result, grains: number): void {
  const { stats } = job;
  const coreSeconds = grains * job.grainCoreSeconds;
  stats.acceptedResults--;
  stats.acceptedGrains -= grains;
  stats.retractedResults++;
  stats.acceptedComputeMs -= result.computeMs;
  if (result.grounds === "certificate") stats.certifiedResults--;
  for (const cost of [stats.cost, state.totals.cost]) {
    cost.accepted -= coreSeconds;
    cost.waste += coreSeconds;
  }
}

/**
 * A round is over when it has all its grains, or enough of them, and nothing in it is provisional any more; and once
 * the judge has been brought all of it. What is provisional then is put to the test.
 */
export function finishIfComplete(state: CoreState, job: Job, now: number, out: Effect[]): void {
  if ((job.phase !== "queued" && job.phase !== "running") || job.restoring) return;
  const { confirmedGrains, provisionalGrains, candidateGrains, grains, enough } = job;
  if (!enough && confirmedGrains + provisionalGrains + candidateGrains < grains) return;
  if (provisionalGrains > 0 && !job.verification.early) closeJob(state, job, out);
  // The test may have come out at once, and have ended the round.
  if (job.phase !== "queued" && job.phase !== "running") return;
  if (job.candidateGrains > 0 && !enough) return;
  if (job.provisionalGrains === 0 || job.verification.early) finishRound(state, job, now, out);
}

/** What the judge was asked for is void: something that it merged was taken back. */
export function refuseOutput(state: CoreState, job: Job): void {
  if (job.phase !== "finishing") return;
  job.phase = "running";
  job.attempt++;
  syncRunnable(state, job);
}

function count(state: CoreState, job: Job, result: Result, grains: number): void {
  const { stats } = job;
  stats.acceptedResults++;
  stats.acceptedGrains += grains;
  if (result.own) stats.ownResults++;
  if (result.grounds === "certificate") stats.certifiedResults++;
  stats.slicesByBackend[result.backend] = (stats.slicesByBackend[result.backend] ?? 0) + 1;
  stats.acceptedComputeMs += result.computeMs;
  const coreSeconds = grains * job.grainCoreSeconds;
  stats.cost.accepted += coreSeconds;
  state.totals.cost.accepted += coreSeconds;
  state.totals.acceptedSlices++;
  state.totals.acceptedGrains += grains;
  state.totals.acceptedCoreSeconds += coreSeconds;
  const node = state.nodes.get(result.node);
  if (node) {
    const kind = `${node.capabilities.kind}:${result.backend}`;
    stats.slicesByNodeKind[kind] = (stats.slicesByNodeKind[kind] ?? 0) + 1;
    node.acceptedSlices++;
    node.coreSeconds += coreSeconds;
    node.rejectionsInRow = 0;
    node.failuresInRow = 0;
    state.changedNodes.add(node.id);
    node.standingChanged = true;
  }
  state.changedJobs.add(job.id);
}

/** Nothing more is needed of this round: its leases end, and the judge makes its output. */
export function finishRound(state: CoreState, job: Job, now: number, out: Effect[]): void {
  job.phase = "finishing";
  syncRunnable(state, job);
  dropLeases(state, job, "done", out);
  if (job.judged) {
    const { id, round, attempt } = job;
    out.push({ type: "judge", request: { type: "finish", job: id, round, attempt } });
  } else {
    endJob(state, job, "completed", null, { output: null, outputBlob: null }, now, out);
  }
}

/** The judge merged a verified result. */
export function onMerged(
  state: CoreState,
  event: Extract<CoreEvent, { type: "merged" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  if (!job || job.round !== event.round || job.phase === "ended") return;
  job.preview = event.preview;
  state.changedJobs.add(job.id);
  if (event.outlier !== undefined) lookAt(state, job, event.outlier, out);
  if (job.phase !== "running" && job.phase !== "queued") return;
  if (event.enough !== job.enough) setEnough(state, job, event.enough, out);
  if (job.enough) finishIfComplete(state, job, now, out);
}

/** A node stands out of the pool: that is no proof, but from now on all that it answers is audited. */
function lookAt(state: CoreState, job: Job, node: string, out: Effect[]): void {
  const trust = trustOf(state, node);
  trust.passed = 0;
  trust.streak = 0;
  state.changedTrust.add(node);
  out.push({
    type: "note",
    code: "node_outlier",
    message: "not distributed like the others' (chi-square)",
    node,
    job: job.id,
  });
  if (job.phase === "running" || job.phase === "queued") closeWork(state, job, node, out);
}

/** Nothing more is cut of what is enough; and it is cut again where something of that was taken back. */
function setEnough(state: CoreState, job: Job, enough: boolean, out: Effect[]): void {
  job.enough = enough;
  if (enough) {
    for (const id of [...job.leases]) {
      const lease = state.leases.get(id);
      if (lease && lease.audit === null) endLease(state, lease, null, "done", out);
    }
  }
  syncRunnable(state, job);
  state.workVersion++;
}

export function onFinished(
  state: CoreState,
  event: Extract<CoreEvent, { type: "finished" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  if (job?.phase !== "finishing" || job.round !== event.round || job.attempt !== event.attempt) return;
  endJob(state, job, "completed", null, event, now, out);
}

/** The judge says that another round follows: it starts once its record is durable. */
export function onNext(state: CoreState, event: Extract<CoreEvent, { type: "next" }>, out: Effect[]): void {
  const job = state.jobs.get(event.job);
  if (job?.phase !== "finishing" || job.round !== event.round || job.attempt !== event.attempt) return;
  forgetAudits(state, job, out);
  startRound(job, event.round + 1, event.next.tasks, event.next.grainTasks, event.input);
  for (const id of job.sentTo) state.nodes.get(id)?.jobsSent.delete(job.id);
  job.sentTo.clear();
  job.claiming = true;
  const hi = Math.min(job.grains, state.config.extentGrains);
  out.push({
    type: "commit",
    writes: [
      {
        type: "round.insert",
        job: job.id,
        round: job.round,
        tasks: job.tasks,
        grainTasks: job.grainTasks,
        input: job.input,
      },
      { type: "extent.claim", job: job.id, round: job.round, lo: 0, hi },
    ],
    afterwards: [],
    event: { type: "round.durable", job: job.id },
  });
}

/** Resets what a job knows about its grains. */
export function startRound(job: Job, round: number, tasks: number, grainTasks: number, input: string | null): void {
  job.round = round;
  job.tasks = tasks;
  job.grainTasks = grainTasks;
  job.input = input;
  job.grains = grainsOf(job);
  // Grains are priced alike, at the round's mean.
  const { operations } = job.workload.cost(job.payload, 0, tasks);
  job.grainOperations = Math.max(1, (operations * Math.min(grainTasks, tasks)) / tasks);
  job.grainCoreSeconds = job.grainOperations / job.workload.opsPerCoreSecond;
  job.sliceGrainsMax = job.workload.sliceGrainsMax?.(job.payload) ?? Number.POSITIVE_INFINITY;
  job.claimed = 0;
  job.restoring = false;
  job.open = new RangeSet();
  job.cooling = [];
  job.coverage = new Coverage();
  job.candidateGrains = 0;
  job.provisionalGrains = 0;
  job.confirmedGrains = 0;
  job.results = new Map();
  job.onTrust = new Map();
  job.closing = new Map();
  job.workers = new Set();
  job.enough = false;
  job.failures = new Map();
  job.ownOnly = new Set();
}

/** An extent is durable: its grains may be cut. */
export function openExtent(state: CoreState, job: Job, hi: number): void {
  const lo = job.claimed;
  job.claimed = hi;
  job.claiming = false;
  reopenGrains(state, job, [[lo, hi]], null, "claimed");
}

/** Claims the next extent before the last one runs out. */
export function claimAhead(state: CoreState, job: Job, out: Effect[]): void {
  const { extentGrains } = state.config;
  if (job.claiming || job.claimed >= job.grains || job.open.size > extentGrains / 4) return;
  job.claiming = true;
  const hi = Math.min(job.grains, job.claimed + extentGrains);
  out.push({
    type: "commit",
    writes: [{ type: "extent.claim", job: job.id, round: job.round, lo: job.claimed, hi }],
    afterwards: [],
    event: { type: "extent.durable", job: job.id, round: job.round, hi },
  });
}

export function endJob(
  state: CoreState,
  job: Job,
  end: "completed" | "failed" | "cancelled",
  reason: Reason | null,
  output: { output: string | null; outputBlob: string | null },
  now: number,
  out: Effect[],
): void {
  job.reason = reason;
  forgetCheckpoints(state, job);
  job.stats.provisionalResults = 0;
  for (const results of job.onTrust.values()) job.stats.provisionalResults += results.size;
  dropJob(state, job, end, out);
  const afterwards: Effect[] = [{ type: "ended", job: job.id, state: end }];
  const write: CoreWrite = {
    type: "job.ended",
    job: job.id,
    of: job,
    state: end,
    startedAtMs: job.startedAtMs,
    atMs: now,
    reason,
    output: output.output,
    outputBlob: output.outputBlob,
    stats: job.stats,
    round: job.round,
    revision: job.revision,
  };
  out.push({ type: "commit", writes: [write], afterwards });
  state.totals[end]++;
}

/** The core and its nodes forget a job. */
export function dropJob(state: CoreState, job: Job, reason: string, out: Effect[]): void {
  job.phase = "ended";
  syncRunnable(state, job);
  dropLeases(state, job, reason, out);
  forgetAudits(state, job, out);
  for (const id of job.sentTo) {
    const node = state.nodes.get(id);
    if (!node?.jobsSent.delete(job.id) || node.connection === null) continue;
    out.push({ type: "send", connection: node.connection, message: { type: "forget", job: job.id } });
  }
  // Also where it only compared: audits of a job whose partials are its output.
  out.push({ type: "judge", request: { type: "forget", job: job.id } });
  state.jobs.delete(job.id);
  state.tail.delete(job.id);
  state.changedJobs.add(job.id);
}

function dropLeases(state: CoreState, job: Job, reason: string, out: Effect[]): void {
  for (const id of [...job.leases]) {
    const lease = state.leases.get(id);
    if (!lease) continue;
    removeLease(state, lease);
    const connection = state.nodes.get(lease.node)?.connection;
    if (connection != null) {
      out.push({ type: "send", connection, message: { type: "revoke", lease: lease.id, reason } });
    }
  }
}
