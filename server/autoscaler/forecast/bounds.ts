/**
 * An upper bound that holds in a share of steps: a quantile of past residuals, whose level rises after each miss and
 * falls a little otherwise (adaptive conformal inference: Gibbs and Candès, NeurIPS 2021).
 */
const residualsMax = 864;
const residualsMin = 24;
const learning = 0.005;

export class Bound {
  /** In the order of their arrival, and sorted. */
  readonly #residuals: number[] = [];
  readonly #sorted: number[] = [];
  #level: number;

  constructor(private readonly share: number) {
    this.#level = share;
  }

  /** To be added to a forecast; null while too few residuals are known. */
  margin(): number | null {
    const { length } = this.#sorted;
    if (length < residualsMin) return null;
    return this.#sorted[Math.min(length - 1, Math.ceil(this.#level * (length + 1)) - 1)] as number;
  }

  /** `bound` is what was said, if something was. */
  learn(forecast: number, bound: number | null, actual: number): void {
    if (bound !== null) {
      const missed = actual > bound ? 1 : 0;
      this.#level = Math.min(0.999, Math.max(0.5, this.#level + learning * (missed - (1 - this.share))));
    }
    const residual = actual - forecast;
    this.#residuals.push(residual);
    this.#sorted.splice(place(this.#sorted, residual), 0, residual);
    if (this.#residuals.length > residualsMax)
      this.#sorted.splice(place(this.#sorted, this.#residuals.shift() as number), 1);
  }
}

/** Index of the first that is not smaller. */
function place(sorted: readonly number[], value: number): number {
  let [lo, hi] = [0, sorted.length];
  while (lo < hi) {
    const middle = (lo + hi) >> 1;
    if ((sorted[middle] as number) < value) lo = middle + 1;
    else hi = middle;
  }
  return lo;
}
