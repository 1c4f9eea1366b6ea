/** What was promised to the world outside, held against the record on disk. */
import type { Acknowledged } from "./client.ts";
import type { AcknowledgedResult } from "./node.ts";
import { readRecord } from "./record.ts";

/**
 * The promises that the record does not keep, in words; none where all is well. Throws where it cannot be read at all.
 * A result's promise is kept when its grains have results that stand, or the job has ended with them.
 */
export function brokenPromises(
  dataDir: string,
  jobs: Iterable<Acknowledged>,
  results: readonly AcknowledgedResult[],
): string[] {
  return readRecord(dataDir, (record) => {
    const broken: string[] = [];
    const recorded = new Map(record.jobs().map((job) => [job.id, job]));
    for (const { id, key } of jobs) {
      if (recorded.get(id)?.key !== key) broken.push(`job ${id} was acknowledged and is not in the record`);
    }
    const grains = new Map<string, (Uint8Array | null)[]>();
    for (const { job: id, lo, hi } of results) {
      const job = recorded.get(id);
      if (job?.state === "completed") continue;
      if (job && !grains.has(id)) grains.set(id, record.partials(job, ["candidate", "confirmed"]));
      const there = grains.get(id)?.slice(lo, hi).filter(Boolean).length ?? 0;
      if (there < hi - lo) broken.push(`of grains ${lo}..${hi} of job ${id}, acknowledged, ${there} are in the record`);
    }
    return broken;
  });
}
