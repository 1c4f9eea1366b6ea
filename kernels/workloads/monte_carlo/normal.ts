/** The standard normal distribution, in f64, for closed forms and intervals. */

/** Density. */
export const normalDensity = (x: number) => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/**
 * Distribution function, by the series of Marsaglia, "Evaluating the normal distribution", J. Stat. Software 11 (2004):
 * absolute error below 1e-15 for |x| < 7; beyond 8 it is 0 or 1.
 */
export function normalCdf(x: number): number {
  if (x < -8) return 0;
  if (x > 8) return 1;
  let sum = x;
  let term = x;
  for (let i = 3; i < 400 && sum + term !== sum; i += 2) {
    term *= (x * x) / i;
    sum += term;
  }
  return 0.5 + sum * normalDensity(x);
}

/** The two-sided quantile: P(|Z| <= z) = level, for a level of 0.5 to 0.999999. By bisection on the distribution. */
export function twoSidedQuantile(level: number): number {
  let low = 0;
  let high = 8;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (2 * normalCdf(middle) - 1 < level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
