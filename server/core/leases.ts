/** Issues, extends and ends leases. */
import type { Backend } from "../../protocol/messages.ts";
import { auditOf, waitForAuditor } from "./audits.ts";
import { type Checkpoint, checkpointFor, resumedMark } from "./checkpoints.ts";
import type { CorePorts, Effect } from "./events.ts";
import { cutGrains, reopenGrains, unleased } from "./grains.ts";
import { noteFetched } from "./nearness.ts";
import { returnReplica } from "./replicas.ts";
import type { CoreState, Job, Lease, Node } from "./state.ts";
import { charge, enterTail, refund } from "./turns.ts";

export interface Assignment {
  job: Job;
  lo: number;
  hi: number;
  estimateMs: number;
  audit: number | null;
  replica?: boolean;
  /** What an audit goes on from. */
  from?: Checkpoint | null;
  /** The lease that this one copies. */
  copyOf: Lease | null;
  /** An earlier, slower copy, which ends. */
  replaces: Lease | null;
}

export function issueLease(
  state: CoreState,
  node: Node,
  backend: Backend,
  assignment: Assignment,
  now: number,
  ports: CorePorts,
  out: Effect[],
): Lease {
  const { job, lo, hi, audit, copyOf, replaces } = assignment;
  if (replaces) endLease(state, replaces, null, "replaced", out);
  const checkpoint = audit === null ? checkpointFor(state, job, node, lo) : (assignment.from ?? null);
  const id = leaseId(state, checkpoint);
  if (audit === null && !copyOf) {
    // Charged first: a submitter that has nothing left to cut leaves the turns, and takes its debt along.
    charge(state, job, (hi - lo) * job.grainCoreSeconds, now);
    cutGrains(state, job, lo, hi, id);
  }
  // What the node holds already for this backend is computed first.
  const waitMs = assignment.estimateMs + aheadMs(node, backend);
  const { leaseMsMin, leaseEstimatesMax } = state.config;
  const lease: Lease = {
    id,
    ticket: ports.ticket({ id, job: job.id, round: job.round, lo, hi, node: node.id }),
    job: job.id,
    round: job.round,
    lo,
    hi,
    next: lo,
    node: node.id,
    backend,
    audit,
    replica: assignment.replica ?? false,
    twin: copyOf?.id ?? null,
    speculative: copyOf !== null,
    state: "issued",
    issuedAtMs: now,
    estimateMs: assignment.estimateMs,
    deadlineMs: now + Math.max(leaseMsMin, 1.5 * waitMs),
    deadlineMsMax: now + Math.max(2 * leaseMsMin, leaseEstimatesMax * waitMs),
    done: 0,
    fraction: 0,
    coreSecondsPerGrain: job.grainCoreSeconds,
    checkpoint,
  };
  if (copyOf) {
    copyOf.twin = id;
    state.copies++;
  }
  addLease(state, job, node, lease);
  if (job.phase === "queued") job.phase = "running";
  job.startedAtMs ??= now;
  sendLease(state, node, job, lease, now, out);
  return lease;
}

/** Its ticket covers it: also after a restart a lease tells that it went on from what another saved. */
const leaseId = (state: CoreState, checkpoint: Checkpoint | null): string =>
  `${state.epoch.toString(36)}.${(state.nextLease++).toString(36)}${checkpoint ? resumedMark : ""}`;

/** Estimated time until a slot of the node is through with what it holds for this backend; what is done of it counts too. */
function aheadMs(node: Node, backend: Backend): number {
  return node.heldMs[backend] / Math.max(1, node.preferences.slots[backend]);
}

/** Puts a lease into the books: the job's, the node's and the grid's. */
export function addLease(state: CoreState, job: Job, node: Node, lease: Lease): void {
  state.leases.set(lease.id, lease);
  job.leases.add(lease.id);
  node.leases.add(lease.id);
  node.held[lease.backend]++;
  node.heldMs[lease.backend] += lease.estimateMs;
  if (job.open.size === 0 && job.claimed === job.grains) enterTail(state, job);
  state.changedJobs.add(job.id);
  state.changedNodes.add(node.id);
}

function sendLease(_state: CoreState, node: Node, job: Job, lease: Lease, now: number, out: Effect[]): void {
  const connection = node.connection as number;
  if (!node.jobsSent.has(job.id)) {
    node.jobsSent.add(job.id);
    job.sentTo.add(node.id);
    noteFetched(node, job);
    out.push({
      type: "send",
      connection,
      message: {
        type: "job",
        job: job.id,
        round: job.round,
        workload: job.workload.type,
        kernel: job.kernel,
        files: job.files,
        payload: job.payloadBlob ? { blob: job.payloadBlob } : { inline: job.payload },
        input: job.input,
        tasks: job.tasks,
        grainTasks: job.grainTasks,
      },
    });
  }
  out.push({ type: "lease", connection, lease, deadlineMs: Math.round(lease.deadlineMs - now) });
}

/** Progress that the node tells of extends the lease, up to its bound. */
export function extendLease(state: CoreState, lease: Lease, done: number, fraction: number, now: number): void {
  const grains = lease.hi - lease.lo;
  const told = Math.min(Math.max(0, done), grains);
  const ahead = told > lease.done || (told === lease.done && fraction > lease.fraction);
  if (!ahead) return;
  lease.state = "running";
  lease.done = told;
  lease.fraction = fraction;
  lease.deadlineMs = Math.max(
    lease.deadlineMs,
    Math.min(lease.deadlineMsMax, now + Math.max(state.config.leaseMsMin, lease.estimateMs)),
  );
  state.changedNodes.add(lease.node);
}

/**
 * Ends a lease. Its grains that are neither covered nor with its copy go back to be cut again, at once
 * or after `untilMs`. `tell` says why to the node, when the node does not know.
 */
export function endLease(
  state: CoreState,
  lease: Lease,
  untilMs: number | null,
  tell: string | null,
  out: Effect[],
): void {
  if (!state.leases.has(lease.id)) return;
  removeLease(state, lease);
  const node = state.nodes.get(lease.node);
  if (tell !== null && node && node.connection !== null) {
    out.push({ type: "send", connection: node.connection, message: { type: "revoke", lease: lease.id, reason: tell } });
  }
  const job = state.jobs.get(lease.job);
  if (!job || job.phase === "ended" || job.round !== lease.round) return;
  if (lease.replica) {
    returnReplica(state, job, lease);
    return;
  }
  if (lease.audit !== null) {
    requeueAudit(state, job, lease.audit, lease.lo);
    return;
  }
  const missing = job.coverage.uncovered(lease.next, lease.hi);
  const rest = unleased(state, job, missing);
  const grains = rest.reduce((sum, [lo, hi]) => sum + hi - lo, 0);
  if (!lease.speculative) refund(state, job, grains * lease.coreSecondsPerGrain);
  reopenGrains(state, job, rest, untilMs, "returned");
}

/** Takes a lease out of the books without giving its grains back. Does nothing where it is out already. */
export function removeLease(state: CoreState, lease: Lease): void {
  if (!state.leases.delete(lease.id)) return;
  const job = state.jobs.get(lease.job);
  if (job) {
    job.leases.delete(lease.id);
    if (job.leases.size === 0) state.tail.delete(job.id);
    state.changedJobs.add(job.id);
  }
  const twin = lease.twin === null ? undefined : state.leases.get(lease.twin);
  if (twin) {
    twin.twin = null;
    state.copies--;
    twin.speculative = false;
  }
  const node = state.nodes.get(lease.node);
  if (!node) return;
  node.leases.delete(lease.id);
  node.held[lease.backend]--;
  // Sums of fractions drift; with nothing held the sum is known.
  node.heldMs[lease.backend] = node.held[lease.backend] === 0 ? 0 : node.heldMs[lease.backend] - lease.estimateMs;
  state.hungry.add(node.id);
  state.changedNodes.add(node.id);
  node.fruitless = -1;
}

function requeueAudit(state: CoreState, job: Job, id: number, grain: number): void {
  const audit = auditOf(job.results.get(id), grain, "leased");
  if (!audit) return;
  audit.state = "queued";
  waitForAuditor(state, job, id);
}
