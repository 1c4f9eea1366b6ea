/**
 * How far a shader's f32 tallies may lie from the f64 ones of the WASM kernel, on the same paths.
 *
 * A path's price carries a relative error of some f32 roundings: `PATH_ERROR`. Most of it is as often up as down and
 * averages out over n paths; what does not (constants rounded to f32, series cut short, a biased square root) is
 * bounded by `MEAN_ERROR`, at least four times what SwiftShader showed, as it is and as the variants change it. Shaders are used only for jobs whose whole estimate
 * that bound moves by less than 0.05 standard errors (`gpuSuits`), so that it matters to no one which backend ran.
 */
import { expectedOf } from "./closed-form.ts";
import { decodeTally, scaleOf, type Tally } from "./layout.ts";
import { type MonteCarloPayload, modelOf, type Option, optionOf } from "./payload.ts";

/** Relative error of one path's price, generously: 16 roundings of f32 for a path of one step. */
const PATH_ERROR = 2 ** -20;
/** Error of the mean price that does not average out, for a path of one step, relative to strike plus price. */
const MEAN_ERROR = 2 ** -24;
/** Share of the standard error that the choice of backend may move an estimate by. */
const SHARE_OF_STANDARD_ERROR = 0.05;
/** Random errors are allowed this many of their own standard deviations. */
const DEVIATIONS = 8;

const pathError = (option: Option) => PATH_ERROR * (1 + Math.sqrt(option.steps) / 8);

/** Rounding the volatility shifts the price by the square of its effect; rounding a path's sums grows with its steps. */
function meanError(option: Option): number {
  const variance = option.volatility * option.volatility * option.maturity;
  return MEAN_ERROR * (1 + option.steps / 256) * (1 + variance) * (1 + expectedOf(option).price);
}

/**
 * Standard deviation of one payoff's error, for prices of about `size` strikes. Where an error carries a payoff over
 * the middle between two units, it moves by a whole unit: seldom, but by much.
 */
function scatterOf(option: Option, size: number): number {
  const error = pathError(option) * size;
  return error + Math.sqrt(error / 2 ** scaleOf(option).fraction);
}

/** Whether f32 is good enough for this job: pi always (integers), options up to some number of paths. */
export function gpuSuits(payload: MonteCarloPayload): boolean {
  if (modelOf(payload) === "pi") return true;
  const option = optionOf(payload);
  const { payoffDeviation, price } = expectedOf(option);
  const root = Math.sqrt(payload.iterations);
  const atTheEnd = payoffDeviation / root;
  const error = meanError(option) + (DEVIATIONS * scatterOf(option, 1 + price + payoffDeviation)) / root;
  const requested = (payload.standard_error ?? 0) * (Math.exp(option.rate * option.maturity) / option.strike);
  return error <= SHARE_OF_STANDARD_ERROR * Math.max(atTheEnd, requested);
}

/** Compares two partials of the same grain bit for bit. */
export function difference(a: Uint8Array, b: Uint8Array): string | null {
  if (a.length !== b.length) return `partials of ${a.length} and ${b.length} bytes`;
  const at = a.findIndex((byte, index) => byte !== b[index]);
  return at < 0 ? null : `the partials differ from byte ${at} on`;
}

/** Compares two option partials of the same grain, of which at least one was computed in f32. */
export function disagreement(payload: MonteCarloPayload, a: Uint8Array, b: Uint8Array): string | null {
  let one: Tally;
  let other: Tally;
  try {
    one = decodeTally(payload, a);
    other = decodeTally(payload, b);
  } catch (error) {
    return (error as Error).message;
  }
  if (one.paths !== other.paths) return `${one.paths} paths and ${other.paths}`;
  const bounds = boundsOf(optionOf(payload), one, other);
  const hits = distance(one.hits, other.hits);
  if (hits > bounds.hits) return `paths that paid differ by ${hits}, more than ${bounds.hits.toFixed(1)}`;
  const sum = distance(one.sum, other.sum);
  if (sum > bounds.sum) return `sums differ by ${sum}, more than ${bounds.sum.toFixed(1)}`;
  const squares = distance(one.squares, other.squares);
  if (squares > bounds.squares)
    return `sums of squares differ by ${squares}, more than ${bounds.squares.toExponential(3)}`;
  return null;
}

const distance = (a: bigint, b: bigint) => Number(a > b ? a - b : b - a);

interface Bounds {
  hits: number;
  sum: number;
  squares: number;
}

/** The largest differences that rounding explains, in units of q. The smaller tally sets them: no lie widens its own. */
function boundsOf(option: Option, a: Tally, b: Tally): Bounds {
  const n = Number(a.paths);
  const unit = 1 / 2 ** scaleOf(option).fraction;
  const squares = Number(a.squares < b.squares ? a.squares : b.squares);
  const sum = Number(a.sum < b.sum ? a.sum : b.sum);
  // Root mean square of the price, in strikes: for a put the price lies below the strike where it pays.
  const size = 1 + unit * Math.sqrt(squares / n);
  const error = pathError(option) * size;
  const scatter = scatterOf(option, size);
  const mean = Math.min(meanError(option), error);
  const atStrike = 0.4 / expectedOf(option).logDeviation;
  const flips = 2 * error * atStrike * n;
  return {
    hits: 2 + flips + DEVIATIONS * Math.sqrt(flips),
    sum: 2 + (mean * n + DEVIATIONS * scatter * Math.sqrt(n)) / unit,
    squares: 4 * pathError(option) * squares + 2 * (error / unit + 1) * sum + n * (error / unit + 1) ** 2,
  };
}
