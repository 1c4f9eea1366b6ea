/**
 * What each node of a job observed, held against what all the others did: Pearson's chi-square of the two by two table
 * of successes and failures, with one degree of freedom. A node that stands out proves nothing and is looked at.
 */
import type { Counts } from "../../kernels/contract.ts";

/** Exceeded by chance once in 10^9 looks at an honest node. */
const chiSquareMax = 37.3;
/** The approximation holds from about five expected in each cell (Cochran, 1952); a few more do no harm. */
const expectedMin = 20;

/** Pearson's statistic of one node against the rest, or null where there is too little to tell. */
export function chiSquare(node: Counts, all: Counts): number | null {
  const rest = { trials: all.trials - node.trials, successes: all.successes - node.successes };
  const rate = all.successes / all.trials;
  let sum = 0;
  for (const { trials, successes } of [node, rest]) {
    for (const [observed, expected] of [
      [successes, trials * rate],
      [trials - successes, trials * (1 - rate)],
    ] as const) {
      if (!(expected >= expectedMin)) return null;
      sum += (observed - expected) ** 2 / expected;
    }
  }
  return sum;
}

export class Crowd {
  readonly #all: Counts = { trials: 0, successes: 0 };
  readonly #nodes = new Map<string, Counts>();
  readonly #told = new Set<string>();

  /** Own nodes' observations are of the pool, and are not looked at. `sign` is -1 where they are taken back. */
  add(node: string | null, { trials, successes }: Counts, sign: 1 | -1): void {
    this.#all.trials += sign * trials;
    this.#all.successes += sign * successes;
    if (node === null) return;
    const known = this.#nodes.get(node) ?? { trials: 0, successes: 0 };
    this.#nodes.set(node, {
      trials: known.trials + sign * trials,
      successes: known.successes + sign * successes,
    });
  }

  /** Whether a node stands out, once. */
  standsOut(node: string): boolean {
    const counts = this.#nodes.get(node);
    if (!counts || this.#told.has(node)) return false;
    const statistic = chiSquare(counts, this.#all);
    if (statistic === null || statistic <= chiSquareMax) return false;
    this.#told.add(node);
    return true;
  }
}
