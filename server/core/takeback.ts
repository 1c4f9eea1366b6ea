/**
 * What a wrong result costs. Proof, a failed certificate or an own node's exact replay, takes back everything that
 * rests on the identity's word, and makes it a newcomer again. Whether it is banned depends on what the fault looks
 * like: a single wrong grain among right ones may be a flipped bit, and a shader of which no result ever passed a bad
 * driver; those bench the machine for that kernel when they come again, and ban nobody.
 */
import { dropAudits } from "./audits.ts";
import { closeWork, leaveClosing } from "./closing.ts";
import type { CoreWrite, Effect } from "./events.ts";
import { dropGrains } from "./grains.ts";
import { sendAway } from "./nodes.ts";
import { suspectClass } from "./quarantine.ts";
import { forgetWord } from "./replicas.ts";
import { finishIfComplete, refuseOutput, unaccept } from "./rounds.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { kernelKey, type Trust, trustOf, trustRecord } from "./trust.ts";

/** A volunteer's result is proven wrong, in `result.wrong` grains that were looked at. */
export function convict(state: CoreState, job: Job, result: Result, reason: string, now: number, out: Effect[]): void {
  const books = new Books(state, reason, out);
  const isBan = !result.own && isLie(state, job, result, trustOf(state, result.node));
  books.takeBack(job, result);
  // An own node's fault is its own: what else it computed was not computed by a stranger.
  if (result.own) books.close();
  else condemn(state, job, result.node, isBan, books, now, out);
  out.push({ type: "note", code: "result_rejected", message: reason, node: result.node, job: job.id });
  for (const touched of books.jobs) finishIfComplete(state, touched, now, out);
}

/**
 * An own node found a result right where this node's replica disagreed. Of replicas nothing is kept that could tell a
 * flipped bit from a lie, so that nobody is banned for one; but nobody's word counts for more than his answers.
 */
export function convictReplica(
  state: CoreState,
  job: Job,
  node: string,
  reason: string,
  now: number,
  out: Effect[],
): void {
  const trust = trustOf(state, node);
  trust.wrongGrains++;
  trust.streak = 0;
  const books = new Books(state, reason, out);
  const isBan = trust.wrongGrains > 2 && trust.wrongGrains > trust.rightGrains;
  condemn(state, job, node, isBan, books, now, out);
  out.push({ type: "note", code: "result_rejected", message: reason, node, job: job.id });
  for (const touched of books.jobs) finishIfComplete(state, touched, now, out);
}

/** What rests on a node's word is taken back, and whoever agreed with it is looked at. */
function condemn(
  state: CoreState,
  job: Job,
  node: string,
  isBan: boolean,
  books: Books,
  now: number,
  out: Effect[],
): void {
  const trust = trustOf(state, node);
  trust.passed = 0;
  trust.taintedAtMs = now;
  for (const other of state.jobs.values()) books.takeBackAll(other, node);
  forgetWord(state, node);
  if (isBan) ban(state, trust, books.reason, now);
  books.close(trust);
  if (isBan) {
    out.push({ type: "note", code: "node_banned", message: books.reason, node, job: job.id });
    sendAway(state, node, books.reason, out);
  } else punish(state, node, now);
  for (const cosigner of trust.cosigners) reaudit(state, cosigner, now, out);
}

/** A result does not count, and its node is not to blame. */
export function annul(state: CoreState, job: Job, result: Result, reason: string, now: number, out: Effect[]): void {
  const books = new Books(state, reason, out);
  books.takeBack(job, result);
  books.close();
  out.push({ type: "note", code: "result_annulled", message: reason, node: result.node, job: job.id });
  finishIfComplete(state, job, now, out);
}

/** A result is outside its tolerance: it does not count, and its node is tried anew. That proves nothing more. */
export function doubt(state: CoreState, job: Job, result: Result, reason: string, now: number, out: Effect[]): void {
  const trust = trustOf(state, result.node);
  trust.passed = 0;
  suspectClass(state, job, result, trust);
  const books = new Books(state, reason, out);
  books.takeBack(job, result);
  books.close(trust);
  punish(state, result.node, now);
  out.push({ type: "note", code: "result_rejected", message: reason, node: result.node, job: job.id });
  finishIfComplete(state, job, now, out);
}

/** Whether a wrong result is no machine's fault. */
function isLie(state: CoreState, job: Job, result: Result, trust: Trust): boolean {
  const key = kernelKey(job, result.backend);
  if (result.backend === "webgpu" && !trust.proven.has(key)) {
    trust.benched.add(key);
    suspectClass(state, job, result, trust);
    return false;
  }
  // A bit flips in one grain of thousands. Of short slices it takes several to tell.
  if (result.wrong > 1 || (trust.wrongGrains > 2 && trust.wrongGrains > trust.rightGrains)) return true;
  const faults = (trust.faults.get(key) ?? 0) + 1;
  trust.faults.set(key, faults);
  if (faults >= state.config.faultsMax) trust.benched.add(key);
  return false;
}

function ban(state: CoreState, trust: Trust, reason: string, now: number): void {
  trust.banned ??= { reason: reason.slice(0, 300), atMs: now };
  state.totals.bannedNodes++;
}

/** Whoever agreed with a liar is a newcomer again, and what rests on its word is tested now. */
function reaudit(state: CoreState, node: string, now: number, out: Effect[]): void {
  const trust = state.trust.get(node);
  if (!trust || trust.banned) return;
  trust.passed = 0;
  state.changedTrust.add(node);
  for (const job of [...state.jobs.values()]) {
    if (!job.onTrust.has(node)) continue;
    closeWork(state, job, node, out);
    finishIfComplete(state, job, now, out);
  }
}

/** Gathers what is taken back, as one commit. */
class Books {
  readonly jobs = new Set<Job>();
  readonly #writes: CoreWrite[] = [];
  readonly #afterwards: Effect[] = [];
  /** What the judge is to take out of what it merged, in one piece of work for each job. */
  readonly #unmerged = new Map<Job, number[]>();

  constructor(
    private readonly state: CoreState,
    readonly reason: string,
    private readonly out: Effect[],
  ) {}

  /** Everything in the job's round that stands on a node's word: all but what a complete certificate proves. */
  takeBackAll(job: Job, node: string): void {
    if (!job.workers.has(node)) return;
    for (const result of [...job.results.values()]) {
      if (result.node === node && result.grounds !== "certificate") this.takeBack(job, result);
    }
    job.closing.delete(node);
  }

  takeBack(job: Job, result: Result): void {
    const { state, reason } = this;
    if (result.standing === "provisional") leaveClosing(job, result);
    dropAudits(state, job, result, this.out);
    const stood = result.standing !== "candidate";
    const grains = dropGrains(state, job, result);
    if (stood) unaccept(state, job, result, grains);
    else job.stats.rejectedResults++;
    if (result.merged) this.#unmerge(job, result.id);
    else if (job.judged) {
      this.#afterwards.push({ type: "judge", request: { type: "drop", job: job.id, result: result.id } });
    }
    job.results.delete(result.id);
    if (result.merged) refuseOutput(state, job);
    this.jobs.add(job);
    this.#writes.push({
      type: "result.verdict",
      id: result.id,
      standing: result.standing as "rejected" | "retracted",
      verdict: reason.slice(0, 300),
    });
    state.changedJobs.add(job.id);
  }

  #unmerge(job: Job, result: number): void {
    const results = this.#unmerged.get(job);
    if (results) results.push(result);
    else this.#unmerged.set(job, [result]);
  }

  /** `trust`: whose word it was. Where it was proven wrong, finished jobs and rounds may rest on it too. */
  close(trust?: Trust): void {
    if (trust) {
      this.state.changedTrust.delete(trust.node);
      this.#writes.push({ type: "node.trust", trust: trustRecord(trust) });
      if (trust.taintedAtMs !== null) this.#afterwards.push({ type: "tainted", node: trust.node });
    }
    // The judge works ahead of the record, as with what it takes: a room whose core is dropped goes with it.
    for (const [{ id: job, round }, results] of this.#unmerged) {
      this.out.push({ type: "judge", request: { type: "unmerge", job, round, results } });
    }
    this.out.push({ type: "commit", writes: this.#writes, afterwards: this.#afterwards });
  }
}

/** The node rests, longer each time. */
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
