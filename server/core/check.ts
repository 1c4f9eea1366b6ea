/** What must hold after every event. Run by tests and the simulator; throws with the first thing that does not. */
import type { Range } from "./ranges.ts";
import type { CoreState, Job, Lease, Node } from "./state.ts";
import { isBanned } from "./trust.ts";
import { isRunnable } from "./turns.ts";

export function checkState(state: CoreState): void {
  for (const job of state.jobs.values()) {
    checkGrains(state, job);
    checkQueue(state, job);
    checkBelief(state, job);
  }
  checkLeases(state);
  checkNodes(state);
  checkRing(state);
}

function fail(job: Job | null, message: string): never {
  const story = job ? `; story: ${job.story.tell(0, Number.MAX_SAFE_INTEGER).join(" | ")}` : "";
  throw new Error(`checkState: ${job ? `job ${job.id}: ` : ""}${message}${story}`);
}

/** Every claimed grain is in exactly one place: open, waiting, covered, or with at least one lease. */
function checkGrains(state: CoreState, job: Job): void {
  if (job.phase === "ended") fail(job, "an ended job is still here");
  const places: Range[] = [...job.open.ranges];
  for (const wait of job.cooling) places.push([wait.lo, wait.hi]);
  let candidate = 0;
  let provisional = 0;
  let confirmed = 0;
  for (const { lo, hi, result } of job.coverage.entries) {
    places.push([lo, hi]);
    const standing = job.results.get(result)?.standing;
    if (standing === "candidate") candidate += hi - lo;
    else if (standing === "provisional") provisional += hi - lo;
    else if (standing === "confirmed") confirmed += hi - lo;
    else fail(job, `grains [${lo},${hi}) rest on result ${result}, which is ${standing}`);
  }
  if (candidate !== job.candidateGrains)
    fail(job, `${job.candidateGrains} candidate grains counted, ${candidate} found`);
  if (provisional !== job.provisionalGrains)
    fail(job, `${job.provisionalGrains} provisional grains counted, ${provisional} found`);
  if (confirmed !== job.confirmedGrains)
    fail(job, `${job.confirmedGrains} confirmed grains counted, ${confirmed} found`);
  places.sort((a, b) => a[0] - b[0]);
  const gaps: Range[] = [];
  let at = 0;
  for (const [lo, hi] of places) {
    if (lo < at) fail(job, `grains [${lo},${Math.min(hi, at)}) are in two places`);
    if (lo > at) gaps.push([at, lo]);
    at = Math.max(at, hi);
  }
  if (at < job.claimed) gaps.push([at, job.claimed]);
  if (at > job.claimed) fail(job, `grains up to ${at} are in use, but only ${job.claimed} are claimed`);
  if (job.phase === "queued" || job.phase === "running") checkLeased(state, job, gaps);
}

/** What is nowhere else is with a lease, and no two leases share grains unless one copies the other. */
function checkLeased(state: CoreState, job: Job, gaps: readonly Range[]): void {
  const leased = [...job.leases]
    .map((id) => state.leases.get(id))
    .filter((lease) => lease !== undefined && lease.audit === null)
    .map((lease) => [lease?.next, lease?.hi] as [number, number])
    .sort((a, b) => a[0] - b[0]);
  for (const [lo, hi] of gaps) {
    let from = lo;
    for (const [next, end] of leased) if (next <= from && end > from) from = end;
    if (from < hi) fail(job, `grains [${from},${hi}) are nowhere: not open, not leased, not covered`);
  }
  for (const [next, hi] of leased) {
    if (job.open.within(next, hi).length > 0) fail(job, `leased grains [${next},${hi}) are open too`);
  }
}

/** What is provisional rests on somebody's word, is tested in one place, and on no banned identity's. */
function checkBelief(state: CoreState, job: Job): void {
  for (const result of job.results.values()) {
    const { id, node, standing, own } = result;
    const rests = job.onTrust.get(node)?.has(id) ?? false;
    if (rests !== (standing === "provisional")) fail(job, `result ${id} is ${standing}, and on trust: ${rests}`);
    if (own) continue;
    if (!job.workers.has(node)) fail(job, `does not know that ${node} worked on it`);
    if (isBanned(state, node) && result.grounds !== "certificate") fail(job, `result ${id} is a banned node's`);
  }
  checkReplication(state, job);
  for (const [node, { left, results }] of job.closing) {
    const open = results.flatMap((id) => job.results.get(id)?.audits ?? []);
    const failed = results.filter((id) => job.results.get(id)?.fault != null).length;
    if (open.length > left || (failed === 0 && open.length !== left)) {
      fail(job, `${left} grains of ${node}'s work are to pass, ${open.length} are in line`);
    }
  }
}

/** Every grain that is replicated is in one place, and the books know the result. */
function checkReplication(state: CoreState, job: Job): void {
  for (const { id, lo, hi, replication } of job.results.values()) {
    if ((state.replicas.get(job.id)?.has(id) ?? false) !== (replication !== null)) {
      fail(job, `result ${id} is replicated, and in line: ${replication !== null}`);
    }
    if (!replication) continue;
    const { open, leased, agreed, answers, disputes } = replication;
    const held = [...answers, ...disputes].reduce((sum, range) => sum + range.hi - range.lo, 0);
    if (open.size + leased.size + held + agreed !== hi - lo) {
      fail(
        job,
        `result ${id}: ${open.size} open, ${leased.size} leased, ${held} answered, ${agreed} agreed of ${hi - lo}`,
      );
    }
  }
}

function checkQueue(state: CoreState, job: Job): void {
  const runnable = isRunnable(job);
  if (runnable !== job.queueIndex >= 0)
    fail(job, `open ${job.open.size}, phase ${job.phase}, but queue index ${job.queueIndex}`);
  if (!runnable) return;
  const queue = state.submitters.get(job.submitter)?.queues.get(job.needsClass);
  if (queue?.jobs[job.queueIndex] !== job) fail(job, "is not where its queue says");
}

function checkLeases(state: CoreState): void {
  const paired = [...state.leases.values()].filter((lease) => lease.twin !== null).length;
  if (paired !== 2 * state.copies) fail(null, `${state.copies} copies are counted, but ${paired} leases have a twin`);
  for (const lease of state.leases.values()) {
    const job = state.jobs.get(lease.job);
    const node = state.nodes.get(lease.node);
    if (!job) fail(null, `lease ${lease.id} is for a job that ended: ${lease.job}`);
    if (!job.leases.has(lease.id)) fail(job, `does not know its lease ${lease.id}`);
    if (!node?.leases.has(lease.id)) fail(job, `node ${lease.node} does not know its lease ${lease.id}`);
    if (lease.next < lease.lo || lease.next >= lease.hi)
      fail(job, `lease ${lease.id} has nothing left but was not ended`);
    if (lease.deadlineMs > lease.deadlineMsMax) fail(job, `lease ${lease.id} was extended past its bound`);
    if (lease.twin === null) continue;
    const twin = state.leases.get(lease.twin);
    if (twin?.twin !== lease.id) fail(job, `lease ${lease.id} and its copy ${lease.twin} do not know each other`);
    if (twin.node === lease.node) fail(job, `lease ${lease.id} and its copy are with the same node`);
  }
}

function checkNodes(state: CoreState): void {
  for (const node of state.nodes.values()) {
    const held = { wasm: 0, webgpu: 0, native: 0 };
    for (const id of node.leases) {
      const lease = state.leases.get(id);
      if (!lease) fail(null, `node ${node.id} holds lease ${id}, which ended`);
      held[lease.backend]++;
    }
    checkReplicas(state, node);
    for (const backend of ["wasm", "webgpu", "native"] as const) {
      if (held[backend] !== node.held[backend]) {
        fail(null, `node ${node.id} counts ${node.held[backend]} ${backend} leases, ${held[backend]} found`);
      }
    }
    if (node.connection !== null && state.connections.get(node.connection) !== node.id) {
      fail(null, `node ${node.id} and connection ${node.connection} do not know each other`);
    }
  }
}

/**
 * Agreement is worth something between two identities only: none holds a grain twice, as slice, copy or audit, and none
 * audits what it answered itself.
 */
function checkReplicas(state: CoreState, node: Node): void {
  const held = [...node.leases].map((id) => state.leases.get(id) as Lease);
  for (const [index, lease] of held.entries()) {
    const job = state.jobs.get(lease.job) as Job;
    if (lease.audit !== null && job.results.get(lease.audit)?.node === node.id)
      fail(job, `node ${node.id} audits its own result ${lease.audit}`);
    for (const other of held.slice(index + 1)) {
      if (other.job !== lease.job || other.next >= lease.hi || lease.next >= other.hi) continue;
      // The audit of a result that was rejected meanwhile runs out: nothing is compared with it.
      if ([lease, other].some(({ audit }) => audit !== null && !job.results.has(audit))) continue;
      // An own node's word is its own, however often it is asked: of results that overlap, or as audit and as replica.
      if (node.own && (lease.replica || other.replica || (lease.audit !== null && other.audit !== null))) continue;
      fail(job, `node ${node.id} holds grains twice: leases ${lease.id} and ${other.id}`);
    }
  }
}

function checkRing(state: CoreState): void {
  const runnable = [...state.submitters.values()].filter((submitter) => submitter.runnable > 0);
  if (runnable.length !== state.ring.length)
    fail(null, `${state.ring.length} submitters in turn, ${runnable.length} have work`);
  for (const submitter of runnable) {
    const jobs = [...submitter.queues.values()].reduce((sum, queue) => sum + queue.size, 0);
    if (jobs !== submitter.runnable)
      fail(null, `submitter ${submitter.id} counts ${submitter.runnable} jobs, ${jobs} found`);
  }
  for (const [id, line] of state.audits) {
    const job = state.jobs.get(id);
    if (!job) fail(null, `audits of job ${id}, which ended, are in line`);
    for (const result of line) {
      const audits = job.results.get(result)?.audits ?? [];
      const waiting = line.filter((other) => other === result).length;
      const queued = audits.filter((audit) => audit.state === "queued").length;
      if (audits.length > 0 && waiting < queued)
        fail(job, `${queued} grains of result ${result} wait, ${waiting} in line`);
    }
  }
}
