/** Whose grains are these: a paused owner must not commit over the one that took its extents. */
import { type ExtentRecord, type ResultRecord, StoreError } from "./store.ts";

type Span = Pick<ExtentRecord, "lo" | "hi" | "epoch">;

/** Throws "fenced" unless `extents`, in order of `lo`, cover the result's grains under `epoch`. */
export function assertCovered(result: ResultRecord, extents: readonly Span[], epoch: number): void {
  let at = result.lo;
  for (let next = firstReaching(extents, at); next < extents.length && at < result.hi; next++) {
    const { lo, hi, epoch: under } = extents[next] as Span;
    if (lo > at || under !== epoch) break;
    at = Math.max(at, hi);
  }
  if (at >= result.hi && result.hi > result.lo) return;
  throw new StoreError(
    "fenced",
    `Grains [${result.lo},${result.hi}) of job ${result.job} are not owned under epoch ${epoch}.`,
  );
}

/** The first extent that ends after `grain`: extents are claimed one after the other and do not overlap. */
function firstReaching(extents: readonly Span[], grain: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((extents[middle] as Span).hi > grain) high = middle;
    else low = middle + 1;
  }
  return low;
}
