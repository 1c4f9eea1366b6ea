/**
 * How results come to be believed. Own nodes' results count, once their certificate holds where there is one. A
 * volunteer's result without a complete certificate is audited when chance, drawn after it arrived, says so, and
 * always while its identity is new: some grains of it are computed again on own nodes. What is not drawn is
 * provisional until its node's work in the job is audited as a whole (`closing.ts`). Proof of a wrong result takes
 * back all that rests on its node's word (`takeback.ts`).
 */
import type { Backend } from "../../protocol/messages.ts";
import { auditOf, queueAudits, waitForAuditor } from "./audits.ts";
import { isStrangers } from "./checkpoints.ts";
import { closingPassed } from "./closing.ts";
import type { CoreEvent, CoreWrite, Effect } from "./events.ts";
import { confirmGrains, provideGrains } from "./grains.ts";
import { clearClass } from "./quarantine.ts";
import { onAgreed, settleDisputes } from "./replicas.ts";
import { accept, finishIfComplete } from "./rounds.ts";
import type { CoreState, Job, Result } from "./state.ts";
import { annul, convict, convictReplica, doubt } from "./takeback.ts";
import { earn, isTrusted, kernelKey, trustOf } from "./trust.ts";

export function certificateOf(job: Job, backend: Backend): "complete" | "evidence" | "none" {
  // A certificate that nothing checks proves nothing.
  return job.hasCheck ? job.workload.belief(job.payload, backend, "wasm").certificate : "none";
}

/** Whether a volunteer's result, which has arrived signed, is audited. */
export function isDrawn(state: CoreState, job: Job, node: string): boolean {
  return !isTrusted(state, trustOf(state, node)) || state.draw.next() < job.verification.audit;
}

/** Whether others are to compute such a result of a volunteer's as well. */
export const needsReplicas = (job: Job, backend: Backend): boolean =>
  job.verification.redundancy > 1 && certificateOf(job, backend) !== "complete";

/** Whether a result rests on a state that a stranger saved: its first grain is computed anew before it counts. */
export const isDoubtful = (
  job: Job,
  { own, node, backend, resumed }: Pick<Result, "own" | "node" | "backend" | "resumed">,
): boolean => !own && resumed !== null && isStrangers(resumed, node) && certificateOf(job, backend) !== "complete";

/** Draws the grains to compute again; the node that answered could not know them. */
export function drawAudits(state: CoreState, job: Job, result: Result, partials: Uint8Array, out: Effect[]): void {
  const { auditGrains } = job.verification;
  const trusted = isTrusted(state, trustOf(state, result.node));
  // Where an identity's work is W, wrong work is least when audits grow as its root: most of them come early.
  const count = trusted ? Math.ceil(auditGrains / 2) : auditGrains;
  const drawn = state.draw.several(count, result.hi - result.lo);
  const grains = drawn.map((offset) => result.lo + offset);
  queueAudits(state, job, result, grains, partials, out);
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
  if (!job || !result) return;
  const trust = trustOf(state, result.node);
  // What cannot even be read is found out also where it counts already.
  if (event.reason !== null) {
    result.wrong += event.wrong ?? 1;
    trust.wrongGrains += event.wrong ?? 1;
    trust.streak = 0;
    convict(state, job, result, `certificate: ${event.reason}`, now, out);
    return;
  }
  if (result.standing !== "candidate") return;
  result.checking = false;
  if (!result.own && certificateOf(job, result.backend) === "complete") {
    trust.rightGrains += result.hi - result.lo;
    trust.proven.add(kernelKey(job, result.backend));
    clearClass(state, job, result);
  }
  settle(state, job, result, now, out);
}

/** The judge held an own node's replay of a grain against the result. */
export function onCompared(
  state: CoreState,
  event: Extract<CoreEvent, { type: "compared" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  const audit = auditOf(result, event.grain, "comparing");
  if (!job || !result || !audit) return;
  const { answer } = audit;
  if (answer) {
    const { connection, seq, node, own } = answer;
    const verdict = event.reason === null ? "agrees" : "differs";
    const told = { kind: "audit", lo: event.grain, hi: event.grain + 1, node, own, verdict } as const;
    const write: CoreWrite = { type: "audit.done", result: result.id, ...told, reason: event.reason ?? "" };
    const ack: Effect = { type: "ack", connection, seq, rejected: null };
    out.push({ type: "commit", writes: [write], afterwards: [ack] });
  }
  audit.answer = null;
  if (event.reason !== null && !event.proof) {
    doubt(state, job, result, `audit: ${event.reason}`, now, out);
    return;
  }
  const { resumed } = result;
  if (resumed?.grain === event.grain && (event.reason !== null || audit.from)) {
    if (resumed.bytes.length === 0) {
      doubt(state, job, result, "audit: wrong, on a state of nobody knows whom", now, out);
      return;
    }
    if (!audit.from) {
      // Wrong from the start: whether from the state on, or in it, an own node finds out by going on from there.
      Object.assign(audit, { from: resumed, state: "queued" });
      waitForAuditor(state, job, result.id);
      return;
    }
    if (event.reason === null) {
      blameSavers(state, job, result, now, out);
      return;
    }
  }
  const trust = trustOf(state, result.node);
  if (event.reason === null) {
    result.passed++;
    trust.rightGrains++;
    trust.streak++;
  } else {
    // How many of its grains are wrong tells a flipped bit from a lie: the verdict waits for the other audits.
    result.wrong++;
    result.fault ??= `audit: ${event.reason}`;
    trust.wrongGrains++;
    trust.streak = 0;
    trust.passed = 0;
  }
  result.audits.splice(result.audits.indexOf(audit), 1);
  if (event.reason === null) {
    const wrong = `replica: grain ${event.grain} differs from an own node's`;
    for (const node of settleDisputes(state, result, event.grain)) convictReplica(state, job, node, wrong, now, out);
  }
  if (result.audits.length === 0 && result.fault !== null) convict(state, job, result, result.fault, now, out);
  else if (result.standing === "provisional") {
    if (event.reason !== null) return;
    closingPassed(state, job, result, out);
    finishIfComplete(state, job, now, out);
  } else if (result.audits.length === 0) {
    job.stats.auditedResults++;
    earn(state, result.node, kernelKey(job, result.backend));
    clearClass(state, job, result);
    settle(state, job, result, now, out);
  }
}

/** The result follows from the state that its node was handed, and that was wrong: whoever handed it on answers for it. */
function blameSavers(state: CoreState, job: Job, result: Result, now: number, out: Effect[]): void {
  const { node, resumed } = result;
  annul(state, job, result, "audit: it went on from a wrong state of another", now, out);
  const savers = (resumed?.by ?? []).filter((one) => !one.own && one.node !== node);
  for (const saver of savers) {
    convictReplica(state, job, saver.node, `checkpoint: grain ${result.lo} went wrong with it`, now, out);
  }
}

/** An own node could not go on from where the result's node says that it did. */
export function resumedInVain(state: CoreState, job: Job, result: Result, now: number, out: Effect[]): void {
  result.wrong++;
  const trust = trustOf(state, result.node);
  Object.assign(trust, { passed: 0, streak: 0 }).wrongGrains++;
  convict(state, job, result, "audit: what it went on from leads nowhere", now, out);
}

/** The judge held another's answer against the result. */
export function onReplica(
  state: CoreState,
  event: Extract<CoreEvent, { type: "agreed" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  const result = job?.results.get(event.result);
  if (!job || !result) return;
  const outcome = onAgreed(state, job, result, event, out);
  if (outcome === "replicated") settle(state, job, result, now, out);
  else if (outcome === "disputed") {
    const grain = event.grain as number;
    const isInLine = result.audits.some((audit) => audit.grain === grain);
    if (!isInLine) queueAudits(state, job, result, [grain], null, out);
  } else if (outcome === "wrong") {
    const reason = `audit: ${event.reason}`;
    if (!event.proof) doubt(state, job, result, reason, now, out);
    else {
      result.wrong += event.wrong;
      Object.assign(trustOf(state, result.node), { passed: 0, streak: 0 }).wrongGrains += event.wrong;
      convict(state, job, result, reason, now, out);
    }
  }
}

/** Passes a verdict once nothing more is to be known about a candidate. */
export function settle(state: CoreState, job: Job, result: Result, now: number, out: Effect[]): void {
  if (result.checking || result.audits.length > 0 || result.replication) return;
  const grounds = groundsOf(job, result);
  const standing = grounds === "trust" || grounds === "replica" ? "provisional" : "confirmed";
  const ranges = standing === "provisional" ? provideGrains(job, result) : confirmGrains(job, result);
  result.grounds = grounds;
  out.push({
    type: "commit",
    writes: [{ type: "result.verdict", id: result.id, standing, verdict: grounds }],
    afterwards: [],
  });
  accept(state, job, result, ranges, out);
  if (standing === "provisional") rest(job, result);
  finishIfComplete(state, job, now, out);
}

function groundsOf(job: Job, result: Result): Result["grounds"] {
  if (result.own) return "own";
  if (certificateOf(job, result.backend) === "complete") return "certificate";
  if (result.passed > 0) return "audit";
  return result.agreements > 0 ? "replica" : "trust";
}

/** A result rests on its node's word, for now. */
export function rest(job: Job, result: Result): void {
  const resting = job.onTrust.get(result.node);
  if (resting) resting.add(result.id);
  else job.onTrust.set(result.node, new Set([result.id]));
}
