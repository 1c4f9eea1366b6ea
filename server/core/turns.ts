/**
 * Whose turn it is. Submitters share the grid by deficit round-robin in core-seconds (Shreedhar and
 * Varghese, 1995): each turn is worth a quantum, a slice is charged at its cost, and a large slice is
 * paid off over later turns. Within a submitter, priority with ageing orders the jobs (`queue.ts`).
 */
import { JobQueue } from "./queue.ts";
import type { CoreState, Job, Submitter } from "./state.ts";

/** Whether there is something to cut. */
export const isRunnable = (job: Job): boolean =>
  (job.phase === "queued" || job.phase === "running") && job.open.size > 0 && !job.enough;

/** Keeps the queues in step with whether the job has grains to cut. */
export function syncRunnable(state: CoreState, job: Job): void {
  const runnable = isRunnable(job);
  if (runnable === job.queueIndex >= 0) return;
  if (runnable) enqueue(state, job);
  else dequeue(state, job);
}

function enqueue(state: CoreState, job: Job): void {
  let submitter = state.submitters.get(job.submitter);
  if (!submitter) {
    submitter = { id: job.submitter, deficit: 0, queues: new Map(), runnable: 0 };
    state.submitters.set(job.submitter, submitter);
  }
  let queue = submitter.queues.get(job.needsClass);
  if (!queue) {
    queue = new JobQueue();
    submitter.queues.set(job.needsClass, queue);
  }
  queue.push(job);
  if (submitter.runnable++ === 0) state.ring.push(submitter.id);
  state.tail.delete(job.id);
  state.workVersion++;
}

function dequeue(state: CoreState, job: Job): void {
  const submitter = state.submitters.get(job.submitter) as Submitter;
  const queue = submitter.queues.get(job.needsClass) as JobQueue;
  queue.remove(job);
  if (queue.size === 0) submitter.queues.delete(job.needsClass);
  if (--submitter.runnable === 0) leaveRing(state, submitter);
  // Also where a late result, not a lease, took the last open grains: what is out may be copied.
  if (job.open.size === 0 && job.claimed === job.grains && job.leases.size > 0) enterTail(state, job);
}

/** Changes what the job's place in the queues depends on. */
export function requeue(state: CoreState, job: Job, change: () => void): void {
  const queued = job.queueIndex >= 0;
  if (queued) dequeue(state, job);
  change();
  if (queued) enqueue(state, job);
}

/** Nothing of the job is left to cut: its leases may be copied. */
export function enterTail(state: CoreState, job: Job): void {
  if (state.tail.has(job.id)) return;
  state.tail.add(job.id);
  state.copyVersion++;
}

function leaveRing(state: CoreState, submitter: Submitter): void {
  const at = state.ring.indexOf(submitter.id);
  state.ring.splice(at, 1);
  if (at < state.ringAt) state.ringAt--;
  if (state.ringAt >= state.ring.length) state.ringAt = 0;
  // An idle submitter saves up nothing, but what it owes it still owes.
  submitter.deficit = Math.min(0, submitter.deficit);
  if (submitter.deficit === 0) state.submitters.delete(submitter.id);
}

/** Charges a slice to its submitter, and moves its job behind the others of equal priority. */
export function charge(state: CoreState, job: Job, coreSeconds: number, now: number): void {
  const submitter = state.submitters.get(job.submitter);
  if (submitter) submitter.deficit -= coreSeconds;
  job.queueKey = now - job.priority * state.config.priorityMs;
  if (job.queueIndex >= 0) submitter?.queues.get(job.needsClass)?.moved(job);
}

/** Gives back what was charged for grains that were not computed. */
export function refund(state: CoreState, job: Job, coreSeconds: number): void {
  const submitter = state.submitters.get(job.submitter);
  if (submitter) submitter.deficit = Math.min(state.config.quantumCoreSeconds, submitter.deficit + coreSeconds);
}

/**
 * The job whose turn it is among those that `pick` finds for a submitter. `pick` answers with the
 * submitter's first job that fits the node, or undefined.
 */
export function nextTurn(state: CoreState, pick: (submitter: Submitter) => Job | undefined): Job | undefined {
  const { ring } = state;
  let richest: Submitter | undefined;
  const eligible: Submitter[] = [];
  for (let step = 0; step < ring.length; step++) {
    const at = (state.ringAt + step) % ring.length;
    const submitter = state.submitters.get(ring[at] as string) as Submitter;
    const job = pick(submitter);
    if (!job) continue;
    if (submitter.deficit > 0) {
      state.ringAt = at;
      return job;
    }
    eligible.push(submitter);
    if (!richest || submitter.deficit > richest.deficit) richest = submitter;
  }
  if (!richest) return undefined;
  // Nobody has anything left: as many turns pass as the first to have something again needs.
  const quantum = state.config.quantumCoreSeconds;
  const turns = Math.floor(-richest.deficit / quantum) + 1;
  for (const submitter of eligible) submitter.deficit += turns * quantum;
  const start = (state.ringAt + 1) % ring.length;
  for (let step = 0; step < ring.length; step++) {
    const at = (start + step) % ring.length;
    const submitter = state.submitters.get(ring[at] as string) as Submitter;
    if (submitter.deficit <= 0 || !eligible.includes(submitter)) continue;
    state.ringAt = at;
    return pick(submitter);
  }
  return undefined;
}
