/** The coordinator's side: merges exact tallies and reports the estimate. */
import { defineHost } from "../../contract.ts";
import { closedForm, type Exact } from "./closed-form.ts";
import { EVENTS_MIN, estimateOf, intervalOf, reached } from "./estimate.ts";
import { decodeTally, type Tally } from "./layout.ts";
import { batchOf, type MonteCarloPayload, modelOf, optionOf } from "./payload.ts";

export interface MonteCarloResult {
  model: string;
  estimate: number;
  standard_error: number | null;
  /** Where the true value lies, with probability `confidence`. */
  interval: [low: number, high: number] | null;
  confidence: number;
  /** Paths that the estimate rests on; fewer than asked for when the requested standard error was reached. */
  iterations: number;
  iterations_requested: number;
  /** Paths in a batch. */
  samples: number;
  seed: string;
  stopped_early: boolean;
  /** Darts inside the circle, or paths that paid. */
  hits: number;
  /** The true value where a formula gives it. It is no part of the estimate. */
  exact?: Exact;
  warning?: string;
}

export function exactOf(payload: MonteCarloPayload): Exact | null {
  return modelOf(payload) === "pi" ? { value: Math.PI, source: "the constant" } : closedForm(optionOf(payload));
}

export default defineHost<MonteCarloPayload, Tally, MonteCarloResult>({
  decode: decodeTally,
  merge: (a, b) => ({
    paths: a.paths + b.paths,
    hits: a.hits + b.hits,
    sum: a.sum + b.sum,
    squares: a.squares + b.squares,
  }),
  counts: (_payload, { paths, hits }) => ({ trials: Number(paths), successes: Number(hits) }),
  enough: reached,
  preview: (payload, tally) => ({ ...estimateOf(payload, tally), iterations: Number(tally.paths) }),
  finish(payload, tally) {
    const exact = exactOf(payload);
    const iterations = Number(tally.paths);
    return {
      model: modelOf(payload),
      ...estimateOf(payload, tally),
      interval: intervalOf(payload, tally),
      confidence: payload.confidence ?? 0.95,
      iterations,
      iterations_requested: payload.iterations,
      samples: batchOf(payload),
      seed: String(payload.seed ?? 0),
      stopped_early: iterations < payload.iterations,
      hits: Number(tally.hits),
      ...(exact ? { exact } : {}),
      ...(tally.hits < EVENTS_MIN && modelOf(payload) !== "pi" ? { warning: fewPaid(tally) } : {}),
    };
  },
});

const fewPaid = ({ hits, paths }: Tally) =>
  `Only ${hits} of ${paths} paths paid, too few for the interval to be trusted: ask for more iterations, or for a strike nearer the spot.`;
