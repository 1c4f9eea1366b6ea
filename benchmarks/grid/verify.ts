/** Reads every result from the database that the coordinator left behind, and compares it byte for byte. */
import { join } from "node:path";
import { SqliteStore } from "../../server/store/sqlite.ts";
import { makeInputs, packResults, taskBytes } from "./echo/data.ts";
import type { SubmittedJob } from "./throughput.ts";

/** Returns the number of tasks found, each exactly once and right. Throws at the first that is not. */
export async function verifyStore(folder: string, jobs: readonly SubmittedJob[]): Promise<number> {
  const store = new SqliteStore({ file: join(folder, "queztl.db") });
  let tasks = 0;
  try {
    await store.open("verifier");
    for (const job of jobs) tasks += await verifyJob(store, job);
  } finally {
    await store.close();
  }
  return tasks;
}

async function verifyJob(store: SqliteStore, job: SubmittedJob): Promise<number> {
  const record = await store.job(job.id);
  if (record?.state !== "completed") throw new Error(`job ${job.id} is ${record?.state ?? "not in the record"}`);
  const results = (await store.results(job.id, 0)).sort((a, b) => a.lo - b.lo);
  const expected = packResults(makeInputs(job.first, job.tasks));
  const packedBytes = taskBytes + 2;
  let next = 0;
  for (let at = 0; at < results.length; at += 256) {
    const some = results.slice(at, at + 256);
    const partials = await store.partials(some.map((result) => result.id));
    for (const [index, { lo, hi }] of some.entries()) {
      if (lo !== next) throw new Error(`job ${job.id}: grain ${next} has ${lo > next ? "no result" : "two results"}`);
      next = hi;
      const right = expected.subarray(lo * packedBytes, hi * packedBytes);
      if (Buffer.compare(partials[index] as Uint8Array, right) !== 0) {
        throw new Error(`job ${job.id}: the result of grains [${lo},${hi}) is wrong`);
      }
    }
  }
  if (next !== job.tasks) throw new Error(`job ${job.id}: results end at grain ${next} of ${job.tasks}`);
  return next;
}
