/** Which slice goes to whom: audits first on own nodes, replicas first on others, then new slices in turn, then copies. */
import { limits } from "../../protocol/limits.ts";
import type { Backend } from "../../protocol/messages.ts";
import { nextInLine } from "./audits.ts";
import type { CorePorts, Effect } from "./events.ts";
import { type Assignment, endLease, issueLease } from "./leases.ts";
import { isNear } from "./nearness.ts";
import { isQuarantined } from "./quarantine.ts";
import type { Range } from "./ranges.ts";
import { mayReplicate, nextReplica } from "./replicas.ts";
import { claimAhead } from "./rounds.ts";
import { slotSpeed } from "./speed.ts";
import type { CoreState, Job, Lease, Node, Submitter } from "./state.ts";
import { isTrusted, kernelKey, sliceGrainsFor } from "./trust.ts";
import { nextTurn } from "./turns.ts";

/** The fastest first, so that a GPU is not left waiting while its node's cores are filled. */
const order: readonly Backend[] = ["webgpu", "native", "wasm"];

/** Looks for work for every node that could take more, as long as there is work that was not looked at yet. */
export function place(state: CoreState, now: number, ports: CorePorts, out: Effect[]): void {
  if (state.draining) return;
  let looks = state.hungry.size;
  for (const id of state.hungry) {
    if (looks-- <= 0) break;
    if (state.ring.length === 0 && state.audits.size === 0 && state.replicas.size === 0 && state.tail.size === 0)
      return;
    const node = state.nodes.get(id);
    if (!node || node.connection === null || node.draining || node.retiring) {
      state.hungry.delete(id);
      continue;
    }
    if (node.fruitless === state.workVersion || node.waitsUntilMs > now) continue;
    const before = node.leases.size;
    feed(state, node, now, ports, out);
    if (!hasRoom(state, node)) state.hungry.delete(id);
    else if (node.leases.size > before) {
      // Served, but could take more: behind the others.
      state.hungry.delete(id);
      state.hungry.add(id);
    }
  }
}

function feed(state: CoreState, node: Node, now: number, ports: CorePorts, out: Effect[]): void {
  for (const backend of order) {
    if (!isHungry(state, node, backend)) continue;
    while (takesMore(state, node, backend)) {
      const assignment =
        nextAudit(state, node, backend) ??
        // Jobs wait for replicas. Own nodes compute them only where they have nothing else to do.
        (node.own ? null : replicaFor(state, node, backend)) ??
        nextSlice(state, node, backend) ??
        (node.own ? replicaFor(state, node, backend) : null) ??
        nextCopy(state, node, backend, now) ??
        slowReplica(state, node, backend, now, out);
      if (!assignment) break;
      issueLease(state, node, backend, assignment, now, ports, out);
      claimAhead(state, assignment.job, out);
    }
  }
  if (!hasRoom(state, node)) return;
  node.fruitless = state.workVersion;
  node.copiesSeen = state.copyVersion;
}

export function hasRoom(state: CoreState, node: Node): boolean {
  return order.some((backend) => isHungry(state, node, backend));
}

/**
 * Below its leases in flight; or what it holds is so light that messages would take longer than computing. Then it
 * takes many at a time, and is asked again when half of them are done, so that they share frames.
 */
function isHungry(state: CoreState, node: Node, backend: Backend): boolean {
  const { leasesPerSlot, lightLeasesPerSlot, lightMs } = state.config;
  const slots = node.preferences.slots[backend];
  const held = node.held[backend];
  if (held < slots * leasesPerSlot) return true;
  return 2 * held <= slots * lightLeasesPerSlot && 2 * node.heldMs[backend] <= slots * lightMs;
}

function takesMore(state: CoreState, node: Node, backend: Backend): boolean {
  const { leasesPerSlot, lightLeasesPerSlot, lightMs } = state.config;
  const slots = node.preferences.slots[backend];
  const held = node.held[backend];
  if (held < slots * leasesPerSlot) return true;
  return (
    held < slots * lightLeasesPerSlot &&
    node.heldMs[backend] < slots * lightMs &&
    node.leases.size < limits.nodeLeasesMax
  );
}

/** Whether the node may and can run the job on this backend: consent, kernels, memory, engines. */
export function misfit(state: CoreState, node: Node, backend: Backend, job: Job): string | null {
  if (!job.backends.includes(backend)) return "backend";
  if (!node.preferences.families.includes(job.workload.family.id)) return "family_off";
  if (!job.consents.every((consent) => node.preferences.families.includes(consent))) return "consent_off";
  if (!node.own && isUntried(job)) return "untried";
  const { ramBytes, kernelBytesMax } = node.capabilities;
  if (job.memoryBytes > Math.min(ramBytes ?? Number.POSITIVE_INFINITY, kernelBytesMax ?? Number.POSITIVE_INFINITY))
    return "memory";
  if (!job.engines.every((engine) => node.capabilities.engines.includes(engine))) return "engine";
  if (!mayHold(state, node, job)) return "placement";
  if (node.hired && job.terms.supply !== "paid") return "unpaid";
  if (state.trust.get(node.id)?.benched.has(kernelKey(job, backend))) return "benched";
  if (!node.own && state.condemned.has(job.kernel)) return "condemned";
  return isQuarantined(state, node, job, backend) ? "quarantined" : null;
}

/** Its code has yet to pass on an own node. */
export const isUntried = (job: Job): boolean => job.triedFirst && job.confirmedGrains === 0;

/** Whether the submitter lets this node see the job's data. */
function mayHold(state: CoreState, node: Node, { terms }: Job): boolean {
  if (node.own || terms.placement === "volunteers") return true;
  const trust = state.trust.get(node.id);
  return terms.placement === "trusted" && trust !== undefined && isTrusted(state, trust);
}

/** Own nodes keep their slots free for the audits of such a job, whose volunteers wait for them. */
export const isLeftToVolunteers = (state: CoreState, node: Node, submitter: string): boolean =>
  node.own && submitter === state.config.volunteersSubmitter;

function nextAudit(state: CoreState, node: Node, backend: Backend): Assignment | null {
  if (!node.own) return null;
  const next = nextInLine(state, (job) => misfit(state, node, backend, job) === null);
  if (!next) return null;
  const { job, result, audit } = next;
  const { grain } = audit;
  audit.state = "leased";
  const estimateMs = estimate(node, job, backend, 1);
  const { from } = audit;
  return { job, lo: grain, hi: grain + 1, estimateMs, audit: result.id, from, copyOf: null, replaces: null };
}

function replicaFor(state: CoreState, node: Node, backend: Backend): Assignment | null {
  if (state.replicas.size === 0) return null;
  const next = nextReplica(
    state,
    node,
    (job) => misfit(state, node, backend, job) === null,
    (job) => sliceGrains(state, node, job, backend),
  );
  if (!next) return null;
  const { job, result, lo, hi } = next;
  const estimateMs = estimate(node, job, backend, hi - lo);
  return { job, lo, hi, estimateMs, audit: result.id, replica: true, copyOf: null, replaces: null };
}

/** What a slow or silent node holds as a replica goes to a faster one instead: a third answer would be worth nothing. */
function slowReplica(state: CoreState, node: Node, backend: Backend, now: number, out: Effect[]): Assignment | null {
  if (node.copiesSeen === state.copyVersion) return null;
  let jobs = 0;
  for (const id of state.replicas.keys()) {
    if (jobs++ >= 32) break;
    const job = state.jobs.get(id);
    if (!job || misfit(state, node, backend, job)) continue;
    let leases = 0;
    for (const leaseId of job.leases) {
      if (leases++ >= 64) break;
      const lease = state.leases.get(leaseId) as Lease;
      if (!lease.replica || lease.node === node.id) continue;
      if (!mayReplicate(state, node, job.results.get(lease.audit as number))) continue;
      if (!worthCopying(state, job, lease, estimate(node, job, backend, lease.hi - lease.next), now)) continue;
      endLease(state, lease, null, "replaced", out);
      return replicaFor(state, node, backend);
    }
  }
  return null;
}

function nextSlice(state: CoreState, node: Node, backend: Backend): Assignment | null {
  let cut: Range | null = null;
  const fits = (job: Job): boolean => {
    cut = cuttable(state, node, job, backend);
    return cut !== null;
  };
  const job = nextTurn(state, (submitter) =>
    isLeftToVolunteers(state, node, submitter.id) ? undefined : firstFitting(state, submitter, node, backend, fits),
  );
  if (!job) return null;
  cut = cuttable(state, node, job, backend);
  if (!cut) return null;
  const [lo, hi] = cut;
  return { job, lo, hi, estimateMs: estimate(node, job, backend, hi - lo), audit: null, copyOf: null, replaces: null };
}

/** The submitter's job that goes first among those that fit. Classes are few; jobs in them are in order. */
function firstFitting(
  state: CoreState,
  submitter: Submitter,
  node: Node,
  backend: Backend,
  fits: (job: Job) => boolean,
): Job | undefined {
  let best: Job | undefined;
  for (const queue of submitter.queues.values()) {
    const top = queue.top;
    if (!top || misfit(state, node, backend, top)) continue;
    const job = queue.find(fits, 64);
    if (job && (!best || job.queueKey < best.queueKey)) best = job;
  }
  return best && !isNear(node, best) ? (nearOne(state, submitter, node, backend, fits, best) ?? best) : best;
}

/** One whose data the node has, which goes before what it would have to fetch for: not for longer than that may wait. */
function nearOne(
  state: CoreState,
  submitter: Submitter,
  node: Node,
  backend: Backend,
  fits: (job: Job) => boolean,
  first: Job,
): Job | undefined {
  const latest = first.queueKey + state.config.nearMs;
  const isBetter = (job: Job): boolean => job.queueKey <= latest && isNear(node, job) && fits(job);
  for (const queue of submitter.queues.values()) {
    const top = queue.top;
    const job = top && !misfit(state, node, backend, top) ? queue.find(isBetter, 64) : undefined;
    if (job) return job;
  }
  return undefined;
}

/** The run of open grains that this node would get, sized to its speed; null when none is for it. */
function cuttable(state: CoreState, node: Node, job: Job, backend: Backend): Range | null {
  const grains = sliceGrains(state, node, job, backend);
  return node.own || job.ownOnly.size === 0 ? job.open.first(grains) : withoutOwnOnly(job, grains);
}

/** Volunteers failed on some grains: those are left to own nodes. */
function withoutOwnOnly(job: Job, grains: number): Range | null {
  for (const [lo, hi] of job.open.ranges) {
    let from = lo;
    while (from < hi && job.ownOnly.has(from)) from++;
    if (from === hi) continue;
    const most = Math.min(hi, from + grains);
    let to = from + 1;
    while (to < most && !job.ownOnly.has(to)) to++;
    return [from, to];
  }
  return null;
}

/**
 * Grains in a slice: the first is short, then they double up to `sliceMs` of this slot's own speed; near
 * a job's end no more than the slot's share of what is left, so that all finish together.
 */
function sliceGrains(state: CoreState, node: Node, job: Job, backend: Backend): number {
  const { firstSliceMs } = state.config;
  if (isUntried(job)) return 1;
  const sliceGrainsMax = Math.min(state.config.sliceGrainsMax, job.sliceGrainsMax);
  // Audits wait behind what an own node holds.
  const sliceMs = node.own && state.volunteersHere ? firstSliceMs : state.config.sliceMs;
  const speed = slotSpeed(node, job, backend);
  const grainsPerSecond = speed.coreSeconds / job.grainCoreSeconds;
  const seconds = Math.min(sliceMs, firstSliceMs * 2 ** Math.min(20, speed.samples)) / 1000;
  const fast = grainsPerSecond * seconds;
  const share = (job.open.size * speed.coreSeconds) / Math.max(state.fleetCoreSeconds, speed.coreSeconds);
  const least = (grainsPerSecond * firstSliceMs) / 1000;
  const most = node.own ? sliceGrainsMax : Math.min(sliceGrainsMax, sliceGrainsFor(state, node.id));
  return Math.max(1, Math.min(most, Math.floor(Math.min(fast, Math.max(share, least)))));
}

function estimate(node: Node, job: Job, backend: Backend, grains: number): number {
  return (grains * job.grainCoreSeconds * 1000) / slotSpeed(node, job, backend).coreSeconds;
}

/**
 * The last grains of a job: what a slow or silent node still holds is given to a faster one as well
 * (Dean and Ghemawat's backup tasks). At most one copy of a lease at a time, never to the same node; a copy that
 * is slow itself gives way to one that takes less than half the time.
 */
function nextCopy(state: CoreState, node: Node, backend: Backend, now: number): Assignment | null {
  // Whether a copy pays is reckoned for every lease: not again at each result that frees a slot, but as time passes.
  if (node.copiesSeen === state.copyVersion) return null;
  const { copiesMin, copiesShareMax } = state.config;
  if (state.copies >= Math.max(copiesMin, state.leases.size * copiesShareMax)) return null;
  let jobs = 0;
  for (const id of state.tail) {
    if (jobs++ >= 32) break;
    const job = state.jobs.get(id);
    if (job?.phase !== "running" || misfit(state, node, backend, job)) continue;
    if (isLeftToVolunteers(state, node, job.submitter)) continue;
    let leases = 0;
    for (const leaseId of job.leases) {
      if (leases++ >= 64) break;
      const lease = state.leases.get(leaseId) as Lease;
      if (lease.audit !== null || lease.speculative || lease.node === node.id) continue;
      const copy = lease.twin === null ? null : (state.leases.get(lease.twin) as Lease);
      if (copy?.node === node.id) continue;
      const lo = lease.next;
      const mine = estimate(node, job, backend, lease.hi - lo);
      if (!worthCopying(state, job, lease, mine, now)) continue;
      if (copy && !worthCopying(state, job, copy, mine, now)) continue;
      if (job.coverage.uncovered(lo, lease.hi).length === 0) continue;
      if (!node.own && hasOwnOnly(job, lo, lease.hi)) continue;
      return { job, lo, hi: lease.hi, estimateMs: mine, audit: null, copyOf: lease, replaces: copy };
    }
  }
  return null;
}

function hasOwnOnly(job: Job, lo: number, hi: number): boolean {
  for (const grain of job.ownOnly) if (grain >= lo && grain < hi) return true;
  return false;
}

function worthCopying(state: CoreState, job: Job, lease: Lease, mineMs: number, now: number): boolean {
  const holder = state.nodes.get(lease.node);
  const elapsed = now - lease.issuedAtMs;
  if (!holder || holder.connection === null) return elapsed > 1_000;
  const left = Math.max(0, lease.hi - lease.lo - lease.done - lease.fraction);
  const theirs = estimate(holder, job, lease.backend, left);
  const late = elapsed > 2 * lease.estimateMs + 2_000;
  return (late || theirs > 4_000) && mineMs * 2 < Math.max(theirs, elapsed);
}
