/** Rests between two pieces of computing, so that a slot takes no more than its share of the time. */
const dutyMin = 0.05;
/** An abort is heard within this time. */
const restMsMax = 400;

/**
 * Waits as long as a duty (above 0 to 1) asks after `ms` of computing; not at all at 1. Answers how long that was, in
 * milliseconds: rests count as computing, since slices are sized by what a slot's time amounts to.
 */
export async function restFor(ms: number, duty: number): Promise<number> {
  if (duty >= 1) return 0;
  const before = performance.now();
  const restMs = Math.min(restMsMax, ms * (1 / Math.max(dutyMin, duty) - 1));
  await new Promise((resolve) => setTimeout(resolve, restMs));
  return performance.now() - before;
}
