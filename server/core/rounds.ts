/** A job's way through its rounds: from accepted grains to the next round, or to the end. */
import { grainsOf } from "../../kernels/contract.ts";
import type { Reason } from "../../protocol/rest.ts";
import { forgetAudits } from "./audits.ts";
import type { CoreEvent, CoreWrite, Effect } from "./events.ts";
import { reopenGrains } from "./grains.ts";
import { removeLease } from "./leases.ts";
import type { Range } from "./ranges.ts";
import { Coverage, RangeSet } from "./ranges.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { syncRunnable } from "./turns.ts";

/** A result came to be believed: count it, merge it, and see whether the round is complete. */
export function afterConfirmation(
  state: CoreState,
  job: Job,
  result: Result,
  ranges: readonly Range[],
  now: number,
  out: Effect[],
): void {
  let grains = 0;
  for (const [lo, hi] of ranges) grains += hi - lo;
  count(state, job, result, grains);
  if (job.judged) {
    out.push({ type: "judge", request: { type: "merge", job: job.id, round: job.round, result: result.id, ranges } });
  }
  finishIfComplete(state, job, now, out);
}

/** A round whose every grain is confirmed is over, once the judge has been brought all of it. */
export function finishIfComplete(state: CoreState, job: Job, now: number, out: Effect[]): void {
  if (job.phase !== "queued" && job.phase !== "running") return;
  if (job.confirmedGrains === job.grains && !job.restoring) finishRound(state, job, now, out);
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
    out.push({ type: "judge", request: { type: "finish", job: job.id, round: job.round } });
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
  if (event.enough && (job.phase === "running" || job.phase === "queued")) finishRound(state, job, now, out);
}

export function onFinished(
  state: CoreState,
  event: Extract<CoreEvent, { type: "finished" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  if (job?.phase !== "finishing" || job.round !== event.round) return;
  endJob(state, job, "completed", null, event, now, out);
}

/** The judge says that another round follows: it starts once its record is durable. */
export function onNext(state: CoreState, event: Extract<CoreEvent, { type: "next" }>, out: Effect[]): void {
  const job = state.jobs.get(event.job);
  if (job?.phase !== "finishing" || job.round !== event.round) return;
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
  job.claimed = 0;
  job.restoring = false;
  job.open = new RangeSet();
  job.cooling = [];
  job.coverage = new Coverage();
  job.candidateGrains = 0;
  job.confirmedGrains = 0;
  job.results = new Map();
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
  job.phase = "ended";
  job.reason = reason;
  syncRunnable(state, job);
  dropLeases(state, job, end, out);
  forgetAudits(state, job, out);
  const afterwards: Effect[] = [{ type: "ended", job: job.id, state: end }];
  for (const id of job.sentTo) {
    const node = state.nodes.get(id);
    if (!node?.jobsSent.delete(job.id) || node.connection === null) continue;
    out.push({ type: "send", connection: node.connection, message: { type: "forget", job: job.id } });
  }
  // Also where it only compared: audits of a job whose partials are its output.
  afterwards.push({ type: "judge", request: { type: "forget", job: job.id } });
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
  state.jobs.delete(job.id);
  state.tail.delete(job.id);
  state.changedJobs.add(job.id);
  state.totals[end]++;
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
