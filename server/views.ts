/** What the core remembers, and what the store recorded, as the REST schemas show it. */

import { defaultPlan, errorOfGrains, type Verification } from "../kernels/contract.ts";
import type { Backend } from "../protocol/messages.ts";
import type { CostView, JobState, JobView, NodeView } from "../protocol/rest.ts";
import type { Entry } from "./catalog.ts";
import { hasRoom } from "./core/placement.ts";
import { idleReasons, waitingReasons } from "./core/reasons.ts";
import { type CoreState, type Cost, emptyStats, type Job, type JobStats, type Node } from "./core/state.ts";
import { isTrusted } from "./core/trust.ts";
import type { JobEnd } from "./shell/engine.ts";
import type { JobRecord, NodeRecord, RoundRecord } from "./store/store.ts";

/** Whose jobs are the demo's. Keys have random ids, so no other submitter is called so. */
export const demoSubmitter = "demo";
const labelOf = (submitter: string): { label?: string } => (submitter === demoSubmitter ? { label: "demo" } : {});

const iso = (ms: number): string => new Date(ms).toISOString();
const gib = (bytes: number): number => Math.round((bytes / 2 ** 30) * 100) / 100;

export function jobState(job: Job): JobState {
  if (job.phase === "admitting" || job.phase === "queued") return "queued";
  return "running";
}

export function costView(cost: Cost): CostView {
  return { ...cost, overhead: cost.accepted > 0 ? cost.computed / cost.accepted : null };
}

function standingOf(stats: JobStats, isSealed: boolean): JobView["verification"]["standing"] {
  if (stats.acceptedResults === 0) return null;
  if (isSealed) return "sealed";
  return stats.provisionalResults > 0 ? "provisional" : "confirmed";
}

function verification(stats: JobStats, asked: Verification | null, isSealed = false): JobView["verification"] {
  const cost = costView(stats.cost);
  const certified = stats.acceptedResults > 0 && stats.acceptedResults === stats.certifiedResults + stats.ownResults;
  return {
    provisional_results: stats.provisionalResults,
    retracted_results: stats.retractedResults,
    standing: standingOf(stats, isSealed),
    audit: asked?.audit ?? defaultPlan.audit.default,
    redundancy: asked?.redundancy ?? 1,
    error_bound: certified ? 0 : asked && !asked.early ? errorOfGrains(asked.closingGrains) : null,
    cost,
    accepted_results: stats.acceptedResults,
    rejected_results: stats.rejectedResults,
    audited_results: stats.auditedResults,
    own_results: stats.ownResults,
    certified_results: stats.certifiedResults,
    overhead: cost.overhead,
  };
}

/** A job that is open. */
export function openJobView(state: CoreState, job: Job, now: number): JobView {
  let leased = 0;
  for (const id of job.leases) {
    const lease = state.leases.get(id);
    if (lease && lease.audit === null && !lease.speculative) leased += lease.hi - lease.next;
  }
  return {
    task_id: job.id,
    workload_type: job.workload.type,
    status: jobState(job),
    priority: job.priority,
    submitter: job.submitter,
    ...labelOf(job.submitter),
    payload: job.payloadBlob ? { blob: job.payloadBlob } : job.payload,
    round: job.round,
    revision: job.revision,
    progress: {
      fraction: job.grains > 0 ? (job.confirmedGrains + job.provisionalGrains) / job.grains : 0,
      tasks: job.tasks,
      grains: job.grains,
      grains_accepted: job.confirmedGrains + job.provisionalGrains,
      grains_provisional: job.provisionalGrains,
      grains_candidate: job.candidateGrains,
      grains_leased: leased,
      slices_accepted: job.stats.acceptedResults,
      slices_by_backend: { ...job.stats.slicesByBackend },
      slices_by_node_kind: { ...job.stats.slicesByNodeKind },
    },
    timings: {
      submitted_at: iso(job.createdAtMs),
      started_at: job.startedAtMs === null ? null : iso(job.startedAtMs),
      finished_at: null,
      elapsed_seconds: (now - job.createdAtMs) / 1000,
      compute_seconds: job.stats.spentComputeMs / 1000,
    },
    verification: verification({ ...job.stats, provisionalResults: restingOn(job) }, job.verification),
    reasons: waitingReasons(state, job),
    preview: job.preview,
    kernel: job.kernel,
    terms: {
      supply: job.terms.supply,
      deadline: job.terms.deadlineMs === null ? null : iso(job.terms.deadlineMs),
      budget: job.terms.budgetDollars,
      region: job.terms.region,
      placement: job.terms.placement,
    },
  };
}

/** A job that ended, from its record. */
export function endedJobView(record: JobRecord, round: RoundRecord | undefined): JobView {
  return endedView({
    ...record,
    payload: record.payloadBlob ? { blob: record.payloadBlob } : JSON.parse(record.payload ?? "null"),
    tasks: round?.tasks ?? 0,
    grains: round ? Math.ceil(round.tasks / round.grainTasks) : 0,
    stats: record.stats ? { ...emptyStats(), ...JSON.parse(record.stats) } : emptyStats(),
    verification: record.verification ? (JSON.parse(record.verification) as Verification) : null,
  });
}

/** A job whose end became durable just now: what its record says, without asking for it. */
export function justEndedView(end: JobEnd): JobView {
  const { of: job, state, startedAtMs, atMs, reason, round, revision, stats } = end;
  const payload = job.payloadBlob ? { blob: job.payloadBlob } : job.payload;
  const facts = { ...job, workload: job.workload.type, payload, stats: structuredClone(stats), sealedAtMs: null };
  return endedView({ ...facts, state, startedAtMs, finishedAtMs: atMs, reason, round, revision });
}

type NotShown = "payload" | "stats" | "payloadBlob" | "files" | "output" | "outputBlob" | "verification";
type EndedFacts = Omit<JobRecord, NotShown> & {
  payload: unknown;
  verification: Verification | null;
  stats: JobStats;
  tasks: number;
  grains: number;
};

function endedView(of: Omit<EndedFacts, "idempotencyKey" | "bodyHash">): JobView {
  const { stats } = of;
  const endMs = of.finishedAtMs ?? of.createdAtMs;
  return {
    task_id: of.id,
    workload_type: of.workload,
    status: of.state,
    priority: of.priority,
    submitter: of.submitter,
    ...labelOf(of.submitter),
    payload: of.payload,
    round: of.round,
    revision: of.revision,
    progress: {
      // A search that found its hit is complete, however few of its grains it took.
      fraction: of.state === "completed" ? 1 : 0,
      tasks: of.tasks,
      grains: of.grains,
      grains_accepted: stats.acceptedGrains,
      grains_provisional: 0,
      grains_candidate: 0,
      grains_leased: 0,
      slices_accepted: stats.acceptedResults,
      slices_by_backend: stats.slicesByBackend,
      slices_by_node_kind: stats.slicesByNodeKind,
    },
    timings: {
      submitted_at: iso(of.createdAtMs),
      started_at: of.startedAtMs === null ? null : iso(of.startedAtMs),
      finished_at: of.finishedAtMs === null ? null : iso(of.finishedAtMs),
      elapsed_seconds: (endMs - of.createdAtMs) / 1000,
      compute_seconds: stats.spentComputeMs / 1000,
    },
    verification: verification(stats, of.verification, of.sealedAtMs !== null),
    reasons: of.reason ? [of.reason] : [],
    preview: null,
    kernel: of.kernel,
  };
}

function restingOn(job: Job): number {
  let results = 0;
  for (const resting of job.onTrust.values()) results += resting.size;
  return results;
}

function trustView(state: CoreState, node: Node): NodeView["trust"] {
  if (node.own) return "own";
  const trust = state.trust.get(node.id);
  if (trust?.banned) return "banned";
  return trust && isTrusted(state, trust) ? "trusted" : "newcomer";
}

export function nodeView(state: CoreState, node: Node, now: number): NodeView {
  const { capabilities } = node;
  const backends = (["wasm", "webgpu", "native"] as const).filter((backend) => node.preferences.slots[backend] > 0);
  return {
    node_id: node.id,
    name: node.preferences.name,
    kind: capabilities.kind,
    own: node.own,
    online: node.connection !== null,
    available: node.connection !== null && !node.draining && !node.retiring && hasRoom(state, node),
    software: capabilities.software,
    platform: capabilities.platform,
    cpu_cores: capabilities.cpu.cores,
    cpu_model: capabilities.cpu.model,
    ram_gb: capabilities.ramBytes === null ? null : gib(capabilities.ramBytes),
    gpu: capabilities.gpu,
    accelerators: capabilities.accelerators,
    engines: capabilities.engines,
    backends: backends.map((backend) => backendView(node, backend)),
    leases: [...node.leases].slice(0, 64).flatMap((id) => {
      const lease = state.leases.get(id);
      const job = lease && state.jobs.get(lease.job);
      if (!lease || !job) return [];
      const { backend, lo, hi, done } = lease;
      return [{ task_id: job.id, workload_type: job.workload.type, backend, lo, hi, done: Math.min(hi - lo, done) }];
    }),
    accepted_slices: node.acceptedSlices,
    rejected_slices: node.rejectedSlices,
    trust: trustView(state, node),
    region: node.preferences.region ?? null,
    audits_passed: state.trust.get(node.id)?.passed ?? 0,
    core_seconds: node.coreSeconds,
    connected_at: node.connection === null ? null : iso(node.connectedAtMs),
    last_seen: iso(node.lastSeenMs),
    idle_reasons: idleReasons(state, node, now),
  };
}

function backendView(node: Node, backend: Backend): NodeView["backends"][number] {
  const slots = node.preferences.slots[backend];
  const pace = node.pace.get(backend);
  return {
    backend,
    slots,
    // Leases beyond the slots wait on the node.
    busy: Math.min(slots, node.held[backend]),
    core_seconds_per_second: pace === undefined ? null : pace * slots,
  };
}

export function nodeRecord(
  node: Node,
  publicKey: Uint8Array,
  firstSeenMs: number,
): Omit<NodeRecord, "trust" | "taintedAtMs"> {
  return {
    id: node.id,
    publicKey,
    name: node.preferences.name,
    own: node.own,
    firstSeenMs,
    lastSeenMs: node.lastSeenMs,
    acceptedSlices: node.acceptedSlices,
    rejectedSlices: node.rejectedSlices,
    coreSeconds: node.coreSeconds,
  };
}

export const estimatedCoreSeconds = (entry: Entry, payload: unknown, tasks: number): number =>
  entry.workload.cost(payload, 0, tasks).operations / entry.workload.opsPerCoreSecond;
