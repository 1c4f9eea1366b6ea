/** Jobs that come, and that are called off. */
import type { Needs, Workload } from "../../kernels/contract.ts";
import type { CoreEvent, Effect, NewJob } from "./events.ts";
import { Coverage, RangeSet } from "./ranges.ts";
import { endJob, startRound } from "./rounds.ts";
import { type CoreState, emptyStats, freeTerms, type Job, type JobTerms, Story } from "./state.ts";
import { requeue } from "./turns.ts";

/** Takes a job in; it is cut once its record is durable. */
export function admit(
  state: CoreState,
  event: Extract<CoreEvent, { type: "submit" }>,
  now: number,
  out: Effect[],
): void {
  const job = createJob(state, event.job, now);
  const plan = event.job.workload.plan(event.job.payload);
  startRound(job, 0, plan.tasks, plan.grainTasks, null);
  job.claiming = true;
  state.jobs.set(job.id, job);
  const hi = Math.min(job.grains, state.config.extentGrains);
  out.push({
    type: "commit",
    writes: [
      { type: "job.insert", job: job.id, record: event.record },
      { type: "round.insert", job: job.id, round: 0, tasks: job.tasks, grainTasks: job.grainTasks, input: null },
      { type: "extent.claim", job: job.id, round: 0, lo: 0, hi },
    ],
    afterwards: [{ type: "accepted", job: job.id }],
    event: { type: "job.durable", job: job.id },
  });
  state.changedJobs.add(job.id);
}

/** A job as the core holds it, before its first round is set. */
export function createJob(state: CoreState, seed: NewJob, now: number): Job {
  const { workload, payload } = seed;
  const plan = workload.plan(payload);
  return {
    id: seed.id,
    submitter: seed.submitter,
    workload,
    payload,
    payloadBlob: seed.payloadBlob,
    priority: seed.priority,
    terms: seed.terms ?? freeTerms,
    kernel: seed.kernel,
    files: seed.files,
    createdAtMs: now,
    startedAtMs: null,
    phase: "admitting",
    round: 0,
    revision: 1,
    input: null,
    tasks: 0,
    grainTasks: 1,
    grains: 0,
    output: plan.output,
    backends: plan.needs.backends,
    memoryBytes: plan.needs.memoryBytes,
    engines: plan.needs.engines,
    consents: plan.needs.consents ?? [],
    triedFirst: plan.needs.triedFirst ?? false,
    needsClass: needsClass(workload, plan.needs, (seed.terms ?? freeTerms).supply),
    hasCheck: seed.hasCheck,
    judged: plan.output === "reduce" || seed.hasCheck,
    grainCoreSeconds: 0,
    sliceGrainsMax: Number.POSITIVE_INFINITY,
    grainOperations: 1,
    claimed: 0,
    claiming: false,
    restoring: false,
    open: new RangeSet(),
    cooling: [],
    coverage: new Coverage(),
    candidateGrains: 0,
    provisionalGrains: 0,
    confirmedGrains: 0,
    results: new Map(),
    verification: seed.verification,
    onTrust: new Map(),
    closing: new Map(),
    workers: new Set(),
    enough: false,
    attempt: 0,
    leases: new Set(),
    failures: new Map(),
    ownOnly: new Set(),
    stats: emptyStats(),
    reason: null,
    preview: null,
    queueKey: now - seed.priority * state.config.priorityMs,
    queueIndex: -1,
    sequence: state.nextSequence++,
    sentTo: new Set(),
    story: new Story(),
  };
}

function needsClass(
  workload: Workload,
  needs: Pick<Needs, "backends" | "memoryBytes" | "engines" | "consents">,
  supply: JobTerms["supply"],
): string {
  const families = [workload.family.id, ...(needs.consents ?? [])].join("+");
  return [families, needs.backends.join("+"), needs.memoryBytes, needs.engines.join("+"), supply].join("/");
}

/** Its budget is used up: from now on it is for volunteers. What instances hold of it they finish. */
export function leaveToVolunteers(state: CoreState, id: string): void {
  const job = state.jobs.get(id);
  if (!job || job.terms.supply === "volunteers") return;
  requeue(state, job, () => {
    job.terms = { ...job.terms, supply: "volunteers" };
    job.needsClass = needsClass(job.workload, job, "volunteers");
  });
  state.changedJobs.add(id);
}

export function cancel(
  state: CoreState,
  event: Extract<CoreEvent, { type: "cancel" }>,
  now: number,
  out: Effect[],
): void {
  const job = state.jobs.get(event.job);
  if (!job || job.phase === "ended") return;
  endJob(state, job, "cancelled", event.reason, { output: null, outputBlob: null }, now, out);
}
