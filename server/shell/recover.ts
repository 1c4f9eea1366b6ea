/** From the record back to a running core. */
import type { Blobs } from "../blobs/blobs.ts";
import type { Catalog } from "../catalog.ts";
import type { CoreEvent } from "../core/events.ts";
import { restoreJob } from "../core/restore.ts";
import type { CoreState, Job, JobTerms } from "../core/state.ts";
import type { Snapshot, Store } from "../store/store.ts";

type SnapshotJob = Snapshot["jobs"][number];

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
    const entry = catalog.get(stored.job.workload);
    if (!entry) {
      recovered.lost.push({ id: stored.job.id, reason: `This build has no workload ${stored.job.workload}.` });
      continue;
    }
    const parsed = entry.workload.payload.safeParse(JSON.parse(await payloadText(stored, blobs)));
    if (!parsed.success) {
      recovered.lost.push({
        id: stored.job.id,
        reason: `This build does not take the job's payload: ${parsed.error.message}`,
      });
      continue;
    }
    recovered.jobs.push(putBack(state, stored, terms.get(stored.job.id), entry, parsed.data, now));
  }
  return recovered;
}

async function payloadText(stored: SnapshotJob, blobs: Blobs): Promise<string> {
  const { payload, payloadBlob, id } = stored.job;
  if (payload !== null) return payload;
  const bytes = payloadBlob === null ? null : await blobs.get(payloadBlob);
  if (!bytes) throw new Error(`The payload of job ${id} is gone: blob ${payloadBlob ?? "(none)"}.`);
  return new TextDecoder().decode(bytes);
}

function putBack(
  state: CoreState,
  stored: SnapshotJob,
  terms: JobTerms | undefined,
  entry: NonNullable<ReturnType<Catalog["get"]>>,
  payload: unknown,
  now: number,
): Job {
  const { job } = stored;
  const round = stored.rounds.find((candidate) => candidate.round === job.round) ?? stored.rounds.at(-1);
  if (!round) throw new Error(`Job ${job.id} has no rounds in the record.`);
  const claimed = stored.extents
    .filter((extent) => extent.round === round.round)
    .reduce((most, extent) => Math.max(most, extent.hi), 0);
  return restoreJob(
    state,
    {
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
        ...(terms ? { terms } : {}),
      },
      createdAtMs: job.createdAtMs,
      revision: job.revision,
      round,
      claimed,
      results: stored.results.flatMap((result) =>
        result.round === round.round && (result.standing === "candidate" || result.standing === "confirmed")
          ? [{ ...result, standing: result.standing }]
          : [],
      ),
    },
    now,
  );
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
