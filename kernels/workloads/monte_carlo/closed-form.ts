/** Prices that need no simulation, to hold estimates against. */
import { normalCdf } from "./normal.ts";
import type { Option } from "./payload.ts";

export interface Exact {
  value: number;
  source: string;
}

/** Price of a call or put on a lognormal with the given mean and standard deviation of its logarithm (Black, 1976). */
function lognormalPrice(option: Option, mean: number, deviation: number): number {
  const { strike, rate, maturity, put } = option;
  const forward = Math.exp(mean + (deviation * deviation) / 2);
  const d1 = (mean - Math.log(strike)) / deviation + deviation;
  const d2 = d1 - deviation;
  const sign = put ? -1 : 1;
  const undiscounted = sign * (forward * normalCdf(sign * d1) - strike * normalCdf(sign * d2));
  return Math.exp(-rate * maturity) * undiscounted;
}

/**
 * The exact price where one is known: European options (Black and Scholes, 1973), and the geometric average over n
 * even dates T/n .. T, whose logarithm is normal with mean ln S + (r - v^2/2) T (n+1)/(2n) and variance
 * v^2 T (n+1)(2n+1)/(6n^2) (Kemna and Vorst, 1990, for discrete dates). `null` for the arithmetic average.
 */
export function closedForm(option: Option): Exact | null {
  if (option.asian && !option.geometric) return null;
  const { mean, deviation } = logMoments(option);
  const source = option.asian ? "closed form of the geometric average" : "Black-Scholes formula";
  return { value: lognormalPrice(option, mean, deviation), source };
}

/** Mean and standard deviation of the logarithm of what an option pays on; the geometric average stands for the arithmetic. */
function logMoments(option: Option): { mean: number; deviation: number } {
  const { spot, rate, volatility, maturity, steps: n } = option;
  const drift = (rate - (volatility * volatility) / 2) * maturity;
  const deviation = volatility * Math.sqrt(maturity);
  if (!option.asian) return { mean: Math.log(spot) + drift, deviation };
  return {
    mean: Math.log(spot) + (drift * (n + 1)) / (2 * n),
    deviation: deviation * Math.sqrt(((n + 1) * (2 * n + 1)) / (6 * n * n)),
  };
}

/** What to expect of one path, in strikes and undiscounted: the price it pays on, and the spread of its payoff. */
export interface Expected {
  price: number;
  payoffDeviation: number;
  /** Standard deviation of the logarithm of the price. */
  logDeviation: number;
}

/** Exact for European options and geometric averages, close for arithmetic ones; for planning, not for results. */
export function expectedOf(option: Option): Expected {
  const { mean: logMean, deviation: v } = logMoments(option);
  const mean = logMean - Math.log(option.strike);
  const price = Math.exp(mean + (v * v) / 2);
  const sign = option.put ? -1 : 1;
  const d2 = sign * (mean / v);
  const shift = sign * v;
  const [below, once, twice] = [normalCdf(d2), normalCdf(d2 + shift), normalCdf(d2 + 2 * shift)];
  const first = sign * (price * once - below);
  const second = price * price * Math.exp(v * v) * twice - 2 * price * once + below;
  return { price, payoffDeviation: Math.sqrt(Math.max(0, second - first * first)), logDeviation: v };
}
