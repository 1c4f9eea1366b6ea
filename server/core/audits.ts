/** The lines in which grains wait for an own node to compute them again: one line for each job. */
import { slicePartials } from "../../protocol/partials.ts";
import type { CoreEvent, Effect } from "./events.ts";
import { compareReplicas, dropReplicas } from "./replicas.ts";
import type { Audit, CoreState, Job, Result } from "./state.ts";

/** Puts audits of `grains` in line, or lets their partials be brought from the record first. */
export function queueAudits(
  state: CoreState,
  job: Job,
  result: Result,
  grains: readonly number[],
  partials: Uint8Array | null,
  out: Effect[],
): void {
  for (const grain of grains) {
    if (result.audits.some((audit) => audit.grain === grain)) continue;
    const partial = partials && partialOf(result, grain, partials);
    result.audits.push({ grain, partial, state: partial ? "queued" : "bringing", from: null, answer: null });
    if (partial) waitForAuditor(state, job, result.id);
  }
  // After what was written: a result may be on its way to the record still.
  if (!partials && grains.length > 0) {
    out.push({ type: "commit", writes: [], afterwards: [{ type: "bring", job: job.id, result: result.id }] });
  }
}

const partialOf = (result: Result, grain: number, partials: Uint8Array): Uint8Array =>
  slicePartials(partials, grain - result.lo, grain - result.lo + 1).slice(2);

/** Puts a result in line, once for each grain of it. */
export function waitForAuditor(state: CoreState, job: Job, result: number): void {
  const line = state.audits.get(job.id);
  if (line) line.push(result);
  else state.audits.set(job.id, [result]);
  state.workVersion++;
}

/** The partials of a result that is audited after the fact are here. */
export function onBrought(state: CoreState, event: Extract<CoreEvent, { type: "brought" }>, out: Effect[]): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  if (!job || !result) return;
  compareReplicas(state, job, result, event.partials, out);
  for (const audit of result.audits) {
    if (audit.state !== "bringing") continue;
    audit.partial = partialOf(result, audit.grain, event.partials);
    audit.state = "queued";
    waitForAuditor(state, job, result.id);
  }
}

export interface Waiting {
  job: Job;
  result: Result;
  audit: Audit;
}

/** The first grain that waits, of a job that `fits`; the jobs take turns. It is out of the line then. */
export function nextInLine(state: CoreState, fits: (job: Job) => boolean): Waiting | null {
  for (const [id, line] of state.audits) {
    const job = state.jobs.get(id);
    if (job && !fits(job)) continue;
    const waiting = job && firstWaiting(job, line);
    // This job goes behind the others.
    state.audits.delete(id);
    if (line.length > 0) state.audits.set(id, line);
    if (waiting) return waiting;
  }
  return null;
}

function firstWaiting(job: Job, line: number[]): Waiting | undefined {
  for (let id = line.shift(); id !== undefined; id = line.shift()) {
    const result = job.results.get(id);
    const audit = result?.audits.find((candidate) => candidate.state === "queued");
    if (result && audit) return { job, result, audit };
  }
  return undefined;
}

/** The audit of a grain that is in a state. */
export const auditOf = (result: Result | undefined, grain: number, state: Audit["state"]): Audit | undefined =>
  result?.audits.find((audit) => audit.grain === grain && audit.state === state);

/** A result is not audited nor replicated any more: whoever answered is let go. */
export function dropAudits(state: CoreState, job: Job, result: Result, out: Effect[]): void {
  dropReplicas(state, job, result, out);
  for (const { answer } of result.audits) {
    if (answer) out.push({ type: "ack", connection: answer.connection, seq: answer.seq, rejected: null });
  }
  result.audits = [];
}

/** The job's round is over: nothing of it is audited any more. */
export function forgetAudits(state: CoreState, job: Job, out: Effect[]): void {
  state.audits.delete(job.id);
  for (const result of job.results.values()) dropAudits(state, job, result, out);
}
