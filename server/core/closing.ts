/**
 * What rests on a node's word is tested as a whole when the node has left, or when the job has all its grains: some
 * grains, drawn from all of that work, are computed again on own nodes. When they pass, all of it is confirmed.
 */
import { queueAudits } from "./audits.ts";
import type { CoreWrite, Effect } from "./events.ts";
import { confirmGrains } from "./grains.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { trustOf } from "./trust.ts";

/** Tests what rests on every node's word in a job that has all its grains. */
export function closeJob(state: CoreState, job: Job, out: Effect[]): void {
  for (const node of [...job.onTrust.keys()]) closeWork(state, job, node, out);
}

/** Tests what rests on one node's word in a job. Does nothing while it is tested already. Follow with `finishIfComplete`. */
export function closeWork(state: CoreState, job: Job, node: string, out: Effect[]): void {
  const resting = job.onTrust.get(node);
  if (!resting || job.closing.has(node)) return;
  const results = [...resting].map((id) => job.results.get(id) as Result);
  const drawn = drawGrains(state, job, results, trustOf(state, node).streak);
  let left = 0;
  for (const [result, grains] of drawn) {
    left += grains.length;
    queueAudits(state, job, result, grains, null, out);
  }
  job.closing.set(node, { left, results: results.map((result) => result.id) });
  if (left === 0) confirmAll(state, job, node, out);
}

/**
 * How many grains of so many are drawn. A bound that was asked for holds for each job by itself. Else what counts is how
 * many grains of an identity were audited over its life, since a proof takes back what it did before: those that passed
 * stand for some of this job's, and of little work only a share is drawn, so that small jobs bear the same part of the
 * audits as large ones.
 */
function countDrawn(state: CoreState, job: Job, grains: number, streak: number): number {
  const { closingGrains, jobError } = job.verification;
  if (jobError !== null) return Math.min(closingGrains, grains);
  const due = closingGrains / (1 + streak / (state.config.closingSpan * closingGrains));
  return state.draw.round(Math.min(due, grains * state.config.closingShareMax));
}

function drawGrains(state: CoreState, job: Job, results: readonly Result[], streak: number): Map<Result, number[]> {
  const sizes = results.map((result) => result.hi - result.lo);
  const grains = sizes.reduce((sum, size) => sum + size, 0);
  const numbers = state.draw.several(countDrawn(state, job, grains, streak), grains).sort((a, b) => a - b);
  const drawn = new Map<Result, number[]>();
  let at = 0;
  let before = 0;
  for (const number of numbers) {
    while (number >= before + (sizes[at] as number)) before += sizes[at++] as number;
    const result = results[at] as Result;
    const grain = result.lo + number - before;
    const list = drawn.get(result);
    if (list) list.push(grain);
    else drawn.set(result, [grain]);
  }
  return drawn;
}

/** A grain passed. Follow with `finishIfComplete`. */
export function closingPassed(state: CoreState, job: Job, result: Result, out: Effect[]): void {
  const closing = job.closing.get(result.node);
  if (!closing) return;
  closing.left--;
  if (closing.left === 0) confirmAll(state, job, result.node, out);
}

function confirmAll(state: CoreState, job: Job, node: string, out: Effect[]): void {
  const closing = job.closing.get(node);
  const resting = job.onTrust.get(node);
  job.closing.delete(node);
  if (!closing || !resting) return;
  const ids: number[] = [];
  for (const id of closing.results) {
    const result = job.results.get(id);
    if (result?.standing !== "provisional") continue;
    confirmGrains(job, result);
    resting.delete(id);
    ids.push(id);
  }
  if (resting.size === 0) job.onTrust.delete(node);
  const writes = (["trust", "replica"] as const).flatMap((verdict): CoreWrite[] => {
    const some = ids.filter((id) => job.results.get(id)?.grounds === verdict);
    return some.length > 0 ? [{ type: "results.confirm", job: job.id, ids: some, verdict }] : [];
  });
  out.push({ type: "commit", writes, afterwards: [] });
  state.changedJobs.add(job.id);
}

/** A provisional result does not count any more: it is out of its node's test, with the grains of it that were drawn. */
export function leaveClosing(job: Job, result: Result): void {
  const resting = job.onTrust.get(result.node);
  resting?.delete(result.id);
  if (resting?.size === 0) job.onTrust.delete(result.node);
  const closing = job.closing.get(result.node);
  if (!closing) return;
  closing.left -= result.audits.length;
  // What is left of that work is tested anew.
  if (closing.left === 0) job.closing.delete(result.node);
}
