/** Deletes what was last put before then, and nothing names. Answers how many. */
import type { Blobs } from "./blobs.ts";

export async function sweepBlobs(blobs: Blobs, beforeMs: number, inUse: ReadonlySet<string>): Promise<number> {
  let swept = 0;
  for await (const { sha256, atMs } of blobs.list()) {
    if (atMs < beforeMs && !inUse.has(sha256) && (await blobs.delete(sha256))) swept++;
  }
  return swept;
}
