export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until an answer is neither false nor null; answers it. Throws, with what was waited for, when it takes too long. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | null | false>,
  msMax = 30_000,
  everyMs = 25,
): Promise<T> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const answer = await ask();
    if (answer !== null && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`Within ${msMax} ms this did not come true: ${what}.`);
    await sleep(everyMs);
  }
}

/** Middle of an odd number of values, mean of the middle two of an even one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2;
}
