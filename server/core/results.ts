/** Takes results in: what they cover, who must judge them, and when they are acknowledged. */
import type { ResultMessage } from "../../protocol/messages.ts";
import { countPartials, slicePartials } from "../../protocol/partials.ts";
import { auditOf, queueAudits } from "./audits.ts";
import { certificateOf, drawAudits, isDoubtful, isDrawn, needsReplicas, rest } from "./belief.ts";
import { type Checkpoint, foreignCheckpoint } from "./checkpoints.ts";
import type { CorePorts, CoreWrite, Effect } from "./events.ts";
import { coverGrains } from "./grains.ts";
import { endLease, removeLease } from "./leases.ts";
import { nextOfReplica, startReplicas, takeReplica } from "./replicas.ts";
import { accept, finishIfComplete } from "./rounds.ts";
import { learnSpeed } from "./speed.ts";
import type { CoreState, Cost, Job, Lease, Node, Result } from "./state.ts";
import { trustOf } from "./trust.ts";

/** A node's answer for a run of grains. It is acknowledged once what follows from it is committed. */
export function takeResult(
  state: CoreState,
  node: Node,
  message: ResultMessage,
  now: number,
  ports: CorePorts,
  out: Effect[],
): void {
  const connection = node.connection as number;
  const job = state.jobs.get(message.job);
  const lease = state.leases.get(message.lease);
  const refusal = refuse(job, lease, node, message, ports);
  if (refusal !== null || !job) {
    out.push({ type: "ack", connection, seq: message.seq, rejected: refusal ?? "job_ended" });
    return;
  }
  learnSpeed(state, node, job, message);
  if (lease?.audit != null) {
    if (lease.replica) takeReplicated(state, job, node, lease, message, connection, out);
    else takeAudit(state, job, lease, message, connection, out);
    return;
  }
  const isOver = job.phase === "finishing";
  const fresh = isOver ? [] : job.coverage.uncovered(message.lo, message.hi);
  job.stats.spentComputeMs += message.computeMs;
  const grains = fresh.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  spend(state, job, "computed", message.hi - message.lo);
  spend(state, job, lease && lease.twin !== null ? "speculation" : "waste", message.hi - message.lo - grains);
  if (fresh.length === 0) {
    // Another result stands for all of it, or this very one was sent twice.
    job.stats.spareResults++;
    out.push({
      type: "commit",
      // Without its lease in the books it may have been counted before.
      writes: lease ? workDone(state, node, message, "spare") : [],
      afterwards: [{ type: "ack", connection, seq: message.seq, rejected: null }],
    });
  } else {
    coverWith(state, job, node, message, foreignCheckpoint(job, lease, node, message), fresh, now, out);
  }
  const alone = lease !== undefined && lease.twin === null && message.lo >= lease.next;
  if (lease) advanceLease(state, lease, message, out);
  if (fresh.length > 0 && !alone) endCovered(state, job, message, out);
  state.changedJobs.add(job.id);
  state.changedNodes.add(node.id);
}

function refuse(
  job: Job | undefined,
  lease: Lease | undefined,
  node: Node,
  message: ResultMessage,
  ports: CorePorts,
): string | null {
  if (!job || job.phase === "ended" || job.phase === "admitting") return "job_ended";
  if (message.round !== job.round) return "round_over";
  if (message.kernel !== job.kernel) return "other_kernel";
  if (!Object.values(job.files).some((file) => file.sha256 === message.build)) return "other_kernel";
  const { leaseLo, leaseHi, lo, hi } = message;
  if (lo < leaseLo || hi > leaseHi || lo >= hi || hi > job.grains) return "range_outside_lease";
  if (countPartials(message.partials) !== hi - lo) return "partials_do_not_match_range";
  if (lease) {
    return lease.node === node.id && lease.job === job.id && lease.lo === leaseLo && lease.hi === leaseHi
      ? null
      : "not_your_lease";
  }
  const ticket = ports.ticket({
    id: message.lease,
    job: job.id,
    round: message.round,
    lo: leaseLo,
    hi: leaseHi,
    node: node.id,
  });
  return ticket === message.ticket ? null : "not_your_lease";
}

function coverWith(
  state: CoreState,
  job: Job,
  node: Node,
  message: ResultMessage,
  resumed: Checkpoint | null,
  fresh: readonly (readonly [number, number])[],
  now: number,
  out: Effect[],
): void {
  const isDrawnNow = !node.own && certificateOf(job, message.backend) !== "complete" && isDrawn(state, job, node.id);
  const isDoubted = isDoubtful(job, { own: node.own, node: node.id, backend: message.backend, resumed });
  const isReplicated = !node.own && needsReplicas(job, message.backend);
  const standing =
    job.hasCheck || isDrawnNow || isReplicated || isDoubted ? "candidate" : node.own ? "confirmed" : "provisional";
  const result: Result = {
    id: state.nextResult++,
    lo: message.lo,
    hi: message.hi,
    node: node.id,
    own: node.own,
    backend: message.backend,
    lease: message.lease,
    standing,
    checking: job.hasCheck,
    audits: [],
    replication: null,
    agreements: 0,
    passed: 0,
    wrong: 0,
    fault: null,
    resumed,
    merged: false,
    grounds: standing === "confirmed" ? "own" : standing === "provisional" ? "trust" : "",
    computeMs: message.computeMs,
  };
  job.results.set(result.id, result);
  if (!node.own) {
    job.workers.add(node.id);
    trustOf(state, node.id).results++;
  }
  coverGrains(state, job, fresh, result);
  const afterwards: Effect[] = [
    { type: "ack", connection: node.connection as number, seq: message.seq, rejected: null },
  ];
  if (job.judged) {
    // The judge works while the result is made durable. Should the commit fail, its room is dropped with the core.
    out.push({
      type: "judge",
      request: {
        type: "take",
        job: job.id,
        round: job.round,
        result: result.id,
        lo: result.lo,
        hi: result.hi,
        partials: message.partials,
        check: job.hasCheck,
      },
    });
  }
  out.push({
    type: "commit",
    writes: [
      {
        type: "result.insert",
        id: result.id,
        message,
        node: node.id,
        own: node.own,
        standing,
        verdict: standing === "confirmed" ? "own_node" : result.grounds,
      },
      ...contributions(result),
    ],
    afterwards,
  });
  if (isReplicated) startReplicas(state, job, result);
  if (isDoubted) queueAudits(state, job, result, [result.lo], message.partials, out);
  if (isDrawnNow) drawAudits(state, job, result, message.partials, out);
  if (standing === "candidate") {
    // The last grains are here: what else rests on somebody's word need not wait for this one's verdict.
    finishIfComplete(state, job, now, out);
    return;
  }
  accept(state, job, result, fresh, out);
  if (standing === "provisional") rest(job, result);
  finishIfComplete(state, job, now, out);
}

/** Whose state the first grain went on from: for the receipt. */
function contributions({ id, lo, node, resumed }: Result): CoreWrite[] {
  const others = (resumed?.by ?? []).filter((one) => one.node !== node);
  return others.map(
    (one): CoreWrite => ({
      ...{ type: "audit.done", kind: "checkpoint", result: id, lo, hi: lo + 1, verdict: "resumed", reason: "" },
      ...{ node: one.node, own: one.own },
    }),
  );
}

/** Core-seconds that went into grains of the job, and what for. */
export function spend(state: CoreState, job: Job, what: keyof Cost, grains: number): void {
  const coreSeconds = grains * job.grainCoreSeconds;
  job.stats.cost[what] += coreSeconds;
  state.totals.cost[what] += coreSeconds;
}

/** The lease's finished grains are with us; a lease that is done ends. */
function advanceLease(state: CoreState, lease: Lease, message: ResultMessage, out: Effect[]): void {
  if (message.lo <= lease.next && message.hi > lease.next) lease.next = message.hi;
  skipBrought(state, lease);
  lease.done = Math.max(lease.done, lease.next - lease.lo);
  if (lease.next < lease.hi) return;
  const twin = lease.twin === null ? undefined : state.leases.get(lease.twin);
  removeLease(state, lease);
  const job = state.jobs.get(lease.job);
  if (twin && job && job.coverage.uncovered(twin.next, twin.hi).length === 0) {
    endLease(state, twin, null, "done_elsewhere", out);
  }
}

/** Results of one lease may overtake each other: what an earlier one brought already is not waited for. */
function skipBrought(state: CoreState, lease: Lease): void {
  const job = state.jobs.get(lease.job);
  while (job && lease.next < lease.hi) {
    const result = job.results.get(job.coverage.at(lease.next) ?? -1);
    if (result?.lease !== lease.id) return;
    lease.next = Math.min(lease.hi, result.hi);
  }
}

/**
 * Ends the leases for which nothing is left to bring. Rare: leases share no grains but with their copies, so a result
 * of grains that its own lease had yet to bring ends no other.
 */
function endCovered(state: CoreState, job: Job, message: ResultMessage, out: Effect[]): void {
  if (job.leases.size === 0) return;
  for (const id of [...job.leases]) {
    const lease = state.leases.get(id);
    if (!lease || lease.audit !== null || lease.id === message.lease) continue;
    if (lease.next >= message.hi || lease.hi <= message.lo) continue;
    if (job.coverage.uncovered(lease.next, lease.hi).length === 0) endLease(state, lease, null, "done_elsewhere", out);
  }
}

/** Volunteers are credited for what they computed, whatever it was for; own nodes are the operator's. */
function workDone(
  state: CoreState,
  node: Node | undefined,
  message: ResultMessage,
  purpose: "audit" | "replica" | "spare",
): CoreWrite[] {
  if (!node || node.own) return [];
  return [{ type: "work.done", id: state.nextResult++, message, node: node.id, purpose }];
}

/** What another computed of a result: held against it. */
function takeReplicated(
  state: CoreState,
  job: Job,
  node: Node,
  lease: Lease,
  message: ResultMessage,
  connection: number,
  out: Effect[],
): void {
  job.stats.spentComputeMs += message.computeMs;
  spend(state, job, "computed", message.hi - message.lo);
  const isTaken = takeReplica(job, node, lease, message, connection, out);
  spend(state, job, isTaken ? "replica" : "waste", message.hi - message.lo);
  const writes = workDone(state, node, message, "replica");
  if (writes.length > 0) out.push({ type: "commit", writes, afterwards: [] });
  if (!isTaken) out.push({ type: "ack", connection, seq: message.seq, rejected: null });
  else if (!node.own) {
    job.workers.add(node.id);
    trustOf(state, node.id).results++;
  }
  lease.next = nextOfReplica(job, lease);
  lease.done = Math.max(lease.done, lease.next - lease.lo);
  if (lease.next === lease.hi) removeLease(state, lease);
  state.changedJobs.add(job.id);
  state.changedNodes.add(node.id);
}

/** An own node's replay of one grain: held against the volunteer's partial. */
function takeAudit(
  state: CoreState,
  job: Job,
  lease: Lease,
  message: ResultMessage,
  connection: number,
  out: Effect[],
): void {
  const result = job.results.get(lease.audit as number);
  removeLease(state, lease);
  const writes = workDone(state, state.nodes.get(lease.node), message, "audit");
  if (writes.length > 0) out.push({ type: "commit", writes, afterwards: [] });
  job.stats.spentComputeMs += message.computeMs;
  spend(state, job, "computed", message.hi - message.lo);
  spend(state, job, "audit", message.hi - message.lo);
  const audit = auditOf(result, lease.lo, "leased");
  if (!result || !audit?.partial) {
    out.push({ type: "ack", connection, seq: message.seq, rejected: null });
    return;
  }
  audit.state = "comparing";
  const own = state.nodes.get(lease.node)?.own ?? false;
  audit.answer = { connection, seq: message.seq, node: lease.node, own };
  out.push({
    type: "judge",
    request: {
      type: "compare",
      job: job.id,
      result: result.id,
      grain: lease.lo,
      mine: slicePartials(message.partials, 0, 1).slice(2),
      theirs: audit.partial,
      backends: [message.backend, result.backend],
    },
  });
}
