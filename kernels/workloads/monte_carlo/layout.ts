/**
 * Bytes that kernels read and write, all little-endian.
 *
 * Parameters (WASM), 64 bytes: u32 model, u32 flags (1 put, 2 geometric), u32 steps, i32 fraction, u64 seed,
 * f64 iterations, f64 paths in a batch, f64 start, f64 drift, f64 spread (the last three in powers of two).
 *
 * A partial, 16 bytes for pi: u64 paths, u64 inside. 48 bytes for options: u64 paths, u64 paths that paid,
 * u128 sum of q, u128 sum of q^2, where q is a payoff in strikes, undiscounted, times 2^fraction.
 *
 * The sums cannot overflow: q < 2^32 and a job has at most 2^49 paths, so sum q < 2^81 and sum q^2 < 2^113.
 */
import { batchOf, type MonteCarloPayload, modelOf, type Option, optionOf, seedOf } from "./payload.ts";
import { streams } from "./philox.ts";

export const PI_BYTES = 16;
export const OPTION_BYTES = 48;
export const FLAG_PUT = 1;
export const FLAG_GEOMETRIC = 2;
export const Q_MAX = 2 ** 32 - 1;

export interface Tally {
  paths: bigint;
  /** Darts inside the circle, or paths that paid. */
  hits: bigint;
  /** Sums of q and q^2; 0 for pi. */
  sum: bigint;
  squares: bigint;
}

const MASK = 2n ** 64n - 1n;

export function encodeTally(payload: MonteCarloPayload, tally: Tally): Uint8Array {
  const option = modelOf(payload) !== "pi";
  const bytes = new Uint8Array(option ? OPTION_BYTES : PI_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, tally.paths, true);
  view.setBigUint64(8, tally.hits, true);
  if (option) {
    view.setBigUint64(16, tally.sum & MASK, true);
    view.setBigUint64(24, tally.sum >> 64n, true);
    view.setBigUint64(32, tally.squares & MASK, true);
    view.setBigUint64(40, tally.squares >> 64n, true);
  }
  return bytes;
}

/** Throws when the bytes cannot be a partial of this payload: wrong length, or sums that no paths could have. */
export function decodeTally(payload: MonteCarloPayload, bytes: Uint8Array): Tally {
  const option = modelOf(payload) !== "pi";
  const length = option ? OPTION_BYTES : PI_BYTES;
  if (bytes.length !== length) throw new Error(`a partial of ${length} bytes, not ${bytes.length}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number) => view.getBigUint64(at, true);
  const tally = {
    paths: word(0),
    hits: word(8),
    sum: option ? word(16) | (word(24) << 64n) : 0n,
    squares: option ? word(32) | (word(40) << 64n) : 0n,
  };
  const most = BigInt(Q_MAX);
  if (tally.hits > tally.paths || tally.sum > tally.hits * most || tally.squares > tally.sum * most)
    throw new Error("sums that no paths could have");
  return tally;
}

/** What a kernel needs of an option, in powers of two. */
export interface OptionScale {
  start: number;
  drift: number;
  spread: number;
  /** Bits of a payoff below one strike; negative where a unit is several strikes. */
  fraction: number;
}

/** Standard deviations that a path's log-price is given before its payoff is cut. */
const DEVIATIONS = 8;

/**
 * Scales payoffs into 32 bits. The largest payoff kept is that of a log-price 8 standard deviations above its drift;
 * a path goes beyond it at some date with a probability below 2.5e-15 (twice the normal tail, by reflection), so the
 * cut moves a price by some billionths at the widest volatility allowed, and far less elsewhere: less than the words' own
 * resolution does (`pathsOfResolution`).
 */
export function scaleOf(option: Option): OptionScale {
  const { spot, strike, rate, volatility, maturity, steps } = option;
  const logDrift = (rate - (volatility * volatility) / 2) * maturity;
  const deviation = volatility * Math.sqrt(maturity);
  const start = Math.log2(spot / strike);
  const highest = start + (Math.max(0, logDrift) + DEVIATIONS * deviation) / Math.LN2;
  // 2^highest >= the largest price in strikes; a put pays at most one strike.
  const fraction = option.put ? 32 : Math.min(40, 32 - Math.ceil(highest));
  return {
    start,
    drift: logDrift / steps / Math.LN2,
    spread: deviation / Math.sqrt(steps) / Math.LN2,
    fraction,
  };
}

/** Money of one unit of q: a discounted payoff of 1 / 2^fraction strikes. */
export function unitOf(option: Option): number {
  return (option.strike * Math.exp(-option.rate * option.maturity)) / 2 ** scaleOf(option).fraction;
}

export const flagsOf = (option: Option) => (option.put ? FLAG_PUT : 0) | (option.geometric ? FLAG_GEOMETRIC : 0);

/** The parameters of the WASM kernel. */
export function wasmParams(payload: MonteCarloPayload): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  const model = modelOf(payload);
  const option = model === "pi" ? null : optionOf(payload);
  view.setUint32(0, streams[model], true);
  view.setUint32(4, option ? flagsOf(option) : 0, true);
  view.setUint32(8, option?.steps ?? 1, true);
  view.setBigUint64(16, seedOf(payload), true);
  view.setFloat64(24, payload.iterations, true);
  view.setFloat64(32, batchOf(payload), true);
  if (option) {
    const scale = scaleOf(option);
    view.setInt32(12, scale.fraction, true);
    view.setFloat64(40, scale.start, true);
    view.setFloat64(48, scale.drift, true);
    view.setFloat64(56, scale.spread, true);
  }
  return bytes;
}
