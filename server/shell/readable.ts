/** The record as requests read it: what cannot be read or written now is a refusal with the remedy, and no defect. */
import { type Store, StoreError } from "../store/store.ts";
import { GridError } from "../transport/grid.ts";

export type ReadableStore = Pick<Store, "job" | "jobByIdempotencyKey" | "jobs" | "rounds">;

/** Rejects with GridError in place of StoreError. */
export async function orRefusal<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    if (!(cause instanceof StoreError)) throw cause;
    throw new GridError(
      "storage_unavailable",
      `The record cannot be used now (${cause.message}).`,
      { remedy: "Try again in a while.", retryAfterSeconds: 5 },
      { cause },
    );
  }
}

export const readable = (store: Store): ReadableStore => ({
  job: (id) => orRefusal(store.job(id)),
  jobByIdempotencyKey: (submitter, key) => orRefusal(store.jobByIdempotencyKey(submitter, key)),
  jobs: (filter) => orRefusal(store.jobs(filter)),
  rounds: (job) => orRefusal(store.rounds(job)),
});
