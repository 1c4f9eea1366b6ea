/** From exact tallies to an estimate, its standard error and its interval. */
import type { Tally } from "./layout.ts";
import { unitOf } from "./layout.ts";
import { twoSidedQuantile } from "./normal.ts";
import { type MonteCarloPayload, modelOf, optionOf } from "./payload.ts";

export interface Estimate {
  estimate: number;
  /** `null` when one path alone tells nothing of the spread. */
  standard_error: number | null;
}

/** Paths before which no requested standard error counts as reached, and of those that paid (or missed) likewise. */
export const PATHS_MIN = 10_000n;
export const EVENTS_MIN = 100n;

export function estimateOf(payload: MonteCarloPayload, tally: Tally): Estimate {
  return modelOf(payload) === "pi" ? estimatePi(tally) : estimateOption(payload, tally);
}

/** 4 h / n, with the standard error 4 sqrt(p (1 - p) / n), where p counts one hit and one miss more (never 0 or 1). */
function estimatePi({ paths, hits }: Tally): Estimate {
  const n = Number(paths);
  const p = (Number(hits) + 1) / (n + 2);
  return { estimate: (4 * Number(hits)) / n, standard_error: 4 * Math.sqrt((p * (1 - p)) / n) };
}

/** Mean of the discounted payoffs and its standard error, from exact sums: n sum q^2 - (sum q)^2 loses no digit. */
function estimateOption(payload: MonteCarloPayload, { paths, sum, squares }: Tally): Estimate {
  const unit = unitOf(optionOf(payload));
  const estimate = unit * (Number(sum) / Number(paths));
  if (paths < 2n) return { estimate, standard_error: null };
  const scatter = Number(paths * squares - sum * sum);
  const variance = scatter / Number(paths) / Number(paths) / Number(paths - 1n);
  return { estimate, standard_error: unit * Math.sqrt(variance) };
}

/** The interval at the payload's confidence (default 0.95); `null` where there is no standard error. */
export function intervalOf(payload: MonteCarloPayload, tally: Tally): [low: number, high: number] | null {
  const z = twoSidedQuantile(payload.confidence ?? 0.95);
  if (modelOf(payload) === "pi") return wilson(tally, z);
  const { estimate, standard_error } = estimateOf(payload, tally);
  if (standard_error === null) return null;
  return [Math.max(0, estimate - z * standard_error), estimate + z * standard_error];
}

/** Wilson's score interval (1927) for the share of hits, times 4: sound for few darts too. */
function wilson({ paths, hits }: Tally, z: number): [low: number, high: number] {
  const n = Number(paths);
  const p = Number(hits) / n;
  const weight = 1 + (z * z) / n;
  const middle = (p + (z * z) / (2 * n)) / weight;
  const half = (z / weight) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [4 * (middle - half), 4 * (middle + half)];
}

/** Whether the requested standard error is reached, on enough paths that luck does not decide. */
export function reached(payload: MonteCarloPayload, tally: Tally): boolean {
  if (payload.standard_error === undefined || tally.paths < PATHS_MIN || tally.hits < EVENTS_MIN) return false;
  const { standard_error } = estimateOf(payload, tally);
  return standard_error !== null && standard_error <= payload.standard_error;
}
