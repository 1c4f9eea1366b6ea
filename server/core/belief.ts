/**
 * How results come to be believed, in its first form: own nodes' results count (once their certificate
 * holds, where there is one); of each volunteer's result without a complete certificate one grain, drawn
 * after arrival, is replayed on an own node.
 */
import type { Backend } from "../../protocol/messages.ts";
import { slicePartials } from "../../protocol/partials.ts";
import { waitForAuditor } from "./audits.ts";
import type { CoreEvent, Effect } from "./events.ts";
import { confirmGrains, rejectGrains } from "./grains.ts";
import { afterConfirmation } from "./rounds.ts";
import type { CoreState, Job, Result } from "./state.ts";

export function certificateOf(job: Job, backend: Backend): "complete" | "evidence" | "none" {
  // A certificate that nothing checks proves nothing.
  return job.hasCheck ? job.workload.belief(job.payload, backend, "wasm").certificate : "none";
}

/** Draws the grain to replay. `entropy` is uniform in [0, 1) and unknown to the node when it answered. */
export function queueAudit(state: CoreState, job: Job, result: Result, partials: Uint8Array, entropy: number): void {
  const offset = Math.min(result.hi - result.lo - 1, Math.floor(entropy * (result.hi - result.lo)));
  result.audit = {
    grain: result.lo + offset,
    partial: slicePartials(partials, offset, offset + 1).slice(2),
    state: "queued",
    answer: null,
  };
  waitForAuditor(state, job, result.id);
}

/** The judge recomputed what the result claims. */
export function onChecked(
  state: CoreState,
  event: Extract<CoreEvent, { type: "checked" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  if (!job || !result || result.standing !== "candidate") return;
  if (event.reason !== null) {
    reject(state, job, result, `certificate: ${event.reason}`, now, out);
    return;
  }
  result.checking = false;
  settle(state, job, result, result.own ? "own" : "certificate", now, out);
}

/** The judge held an own node's replay against the result. */
export function onCompared(
  state: CoreState,
  event: Extract<CoreEvent, { type: "compared" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  if (!job || !result?.audit || result.standing !== "candidate") return;
  if (event.reason !== null) {
    reject(state, job, result, `audit: ${event.reason}`, now, out);
    return;
  }
  const { answer } = result.audit;
  if (answer) out.push({ type: "ack", connection: answer.connection, seq: answer.seq, rejected: null });
  result.audit = null;
  job.stats.auditedResults++;
  settle(state, job, result, "audit", now, out);
}

/** Confirms a result once nothing more is to be known about it. */
function settle(
  state: CoreState,
  job: Job,
  result: Result,
  grounds: Result["grounds"],
  now: number,
  out: Effect[],
): void {
  if (result.grounds !== "audit") result.grounds = grounds;
  if (result.checking || result.audit) return;
  const ranges = confirmGrains(job, result);
  out.push({
    type: "commit",
    writes: [{ type: "result.verdict", id: result.id, standing: "confirmed", verdict: result.grounds }],
    afterwards: [],
  });
  afterConfirmation(state, job, result, ranges, now, out);
}

function reject(state: CoreState, job: Job, result: Result, reason: string, now: number, out: Effect[]): void {
  const afterwards: Effect[] = [];
  const answer = result.audit?.answer;
  if (answer) afterwards.push({ type: "ack", connection: answer.connection, seq: answer.seq, rejected: null });
  result.audit = null;
  rejectGrains(state, job, result);
  job.results.delete(result.id);
  job.stats.rejectedResults++;
  if (job.judged) afterwards.push({ type: "judge", request: { type: "drop", job: job.id, result: result.id } });
  out.push({
    type: "commit",
    writes: [{ type: "result.verdict", id: result.id, standing: "rejected", verdict: reason.slice(0, 300) }],
    afterwards,
  });
  out.push({ type: "note", code: "result_rejected", message: reason, node: result.node, job: job.id });
  punish(state, result.node, now);
  state.changedJobs.add(job.id);
}

/** No bans yet: a node whose result was rejected waits, longer each time. */
function punish(state: CoreState, id: string, now: number): void {
  const node = state.nodes.get(id);
  if (!node) return;
  const { rejectedMs, rejectedMsMax } = state.config;
  node.rejectedSlices++;
  node.waitsUntilMs = now + Math.min(rejectedMsMax, rejectedMs * 2 ** Math.min(20, node.rejectionsInRow));
  node.waitReason = "result_rejected";
  node.rejectionsInRow++;
  state.changedNodes.add(id);
  node.standingChanged = true;
}
