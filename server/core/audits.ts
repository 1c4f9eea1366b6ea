/** The lines in which results wait for an own node to replay one of their grains: one line for each job. */
import type { Effect } from "./events.ts";
import type { CoreState, Job, Result } from "./state.ts";

/** Puts a result in line. */
export function waitForAuditor(state: CoreState, job: Job, result: number): void {
  const line = state.audits.get(job.id);
  if (line) line.push(result);
  else state.audits.set(job.id, [result]);
  state.workVersion++;
}

/** The first result that waits, of a job that `fits`; the jobs take turns. It is out of the line then. */
export function nextInLine(state: CoreState, fits: (job: Job) => boolean): { job: Job; result: Result } | null {
  for (const [id, line] of state.audits) {
    const job = state.jobs.get(id);
    if (job && !fits(job)) continue;
    const result = job && firstWaiting(job, line);
    // This job goes behind the others.
    state.audits.delete(id);
    if (line.length > 0) state.audits.set(id, line);
    if (job && result) return { job, result };
  }
  return null;
}

function firstWaiting(job: Job, line: number[]): Result | undefined {
  for (let id = line.shift(); id !== undefined; id = line.shift()) {
    const result = job.results.get(id);
    if (result?.audit?.state === "queued") return result;
  }
  return undefined;
}

/** The job's round is over: nothing of it is audited any more, and auditors that answered are let go. */
export function forgetAudits(state: CoreState, job: Job, out: Effect[]): void {
  state.audits.delete(job.id);
  for (const result of job.results.values()) {
    const answer = result.audit?.answer;
    if (answer) out.push({ type: "ack", connection: answer.connection, seq: answer.seq, rejected: null });
  }
}
