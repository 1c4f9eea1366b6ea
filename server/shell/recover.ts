/** From the record back to a running core. */

import { type BeliefPlan, defaultPlan, resolveVerification, type Verification } from "../../kernels/contract.ts";
import type { Blobs } from "../blobs/blobs.ts";
import type { Catalog } from "../catalog.ts";
import type { CoreEvent } from "../core/events.ts";
import { restoreJob, type StoredJob } from "../core/restore.ts";
import type { CoreState, Job, JobTerms } from "../core/state.ts";
import type { Snapshot, SnapshotJob, Store } from "../store/store.ts";

/** Open jobs whose workload this build does not have: they cannot go on. */
export interface Recovered {
  jobs: Job[];
  lost: { id: string; reason: string }[];
}

/** Puts every open job of the snapshot back into `state`. */
export async function recoverJobs(
  state: CoreState,
  snapshot: Snapshot,
  terms: ReadonlyMap<string, JobTerms>,
  catalog: Catalog,
  blobs: Blobs,
  now: number,
): Promise<Recovered> {
  const recovered: Recovered = { jobs: [], lost: [] };
  for (const stored of snapshot.jobs) {
    const found = await storedJobOf(stored, stored.job.round, catalog, blobs);
    if ("lost" in found) {
      recovered.lost.push({ id: stored.job.id, reason: found.lost });
      continue;
    }
    const agreed = terms.get(stored.job.id);
    const seed = agreed ? { ...found.seed, terms: agreed } : found.seed;
    recovered.jobs.push(restoreJob(state, { ...found, seed }, now));
  }
  return recovered;
}

/** A job in the core's words, in one of its rounds; or why this build cannot take it up. */
export async function storedJobOf(
  stored: SnapshotJob,
  round: number,
  catalog: Catalog,
  blobs: Blobs,
): Promise<StoredJob | { lost: string }> {
  const entry = catalog.get(stored.job.workload);
  if (!entry) return { lost: `This build has no workload ${stored.job.workload}.` };
  const parsed = entry.workload.payload.safeParse(JSON.parse(await payloadText(stored, blobs)));
  if (!parsed.success) return { lost: `This build does not take the job's payload: ${parsed.error.message}` };
  return toStored(stored, round, entry, parsed.data);
}

async function payloadText(stored: SnapshotJob, blobs: Blobs): Promise<string> {
  const { payload, payloadBlob, id } = stored.job;
  if (payload !== null) return payload;
  const bytes = payloadBlob === null ? null : await blobs.get(payloadBlob);
  if (!bytes) throw new Error(`The payload of job ${id} is gone: blob ${payloadBlob ?? "(none)"}.`);
  return new TextDecoder().decode(bytes);
}

function toStored(
  stored: SnapshotJob,
  number: number,
  entry: NonNullable<ReturnType<Catalog["get"]>>,
  payload: unknown,
): StoredJob {
  const { job } = stored;
  const round = stored.rounds.find((candidate) => candidate.round === number) ?? stored.rounds.at(-1);
  if (!round) throw new Error(`Job ${job.id} has no rounds in the record.`);
  const claimed = stored.extents
    .filter((extent) => extent.round === round.round)
    .reduce((most, extent) => Math.max(most, extent.hi), 0);
  return {
    seed: {
      id: job.id,
      submitter: job.submitter,
      workload: entry.workload,
      payload,
      payloadBlob: job.payloadBlob,
      priority: job.priority,
      kernel: job.kernel,
      files: job.files,
      hasCheck: entry.hasCheck,
      verification: verificationOf(job.verification, entry.workload.beliefPlan),
    },
    createdAtMs: job.createdAtMs,
    revision: job.revision,
    round,
    claimed,
    results: stored.results.flatMap((result) => {
      const { standing } = result;
      if (result.round !== round.round) return [];
      if (standing !== "candidate" && standing !== "provisional" && standing !== "confirmed") return [];
      return [{ ...result, standing }];
    }),
  };
}

/** A job from before submitters could say is believed as by default. */
function verificationOf(text: string | null, plan: BeliefPlan = defaultPlan): Verification {
  if (text !== null) return JSON.parse(text) as Verification;
  const resolved = resolveVerification(plan);
  if ("fault" in resolved)
    throw new Error(`A workload's own defaults are outside its bounds: ${resolved.fault.message}`);
  return resolved.verification;
}

/** Brings the partials of a restored job's results, some at a time, as events. */
export async function bringPartials(job: Job, store: Store, dispatch: (events: CoreEvent[]) => void): Promise<void> {
  const ids = [...job.results.values()]
    .filter((result) => job.judged || result.standing === "candidate")
    .map((result) => result.id);
  for (let at = 0; at < ids.length; at += 256) {
    const some = ids.slice(at, at + 256);
    const partials = await store.partials(some);
    dispatch(
      some.map((result, index) => ({ type: "restored", job: job.id, result, partials: partials[index] as Uint8Array })),
    );
  }
  dispatch([{ type: "restored.all", job: job.id }]);
}
