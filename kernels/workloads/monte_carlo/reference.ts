/**
 * The kernels' computation again, in plain TypeScript with the engine's Math: no polynomials, no lanes, no clever
 * comparison. Pi is integer arithmetic and equals the kernels bit for bit. Options are the same formulas in f64, so
 * that sums agree to about the rounding of Math's functions; tests hold them to 1e-9.
 */
import { Q_MAX, scaleOf, type Tally } from "./layout.ts";
import { type MonteCarloPayload, modelOf, type Option, optionOf, pathsOf, seedOf } from "./payload.ts";
import { philoxBlock, streams } from "./philox.ts";

const TWO32 = 2 ** 32;

/** Tallies tasks lo..hi, path by path. Slow: some 10^5 paths a second. */
export function referenceTally(payload: MonteCarloPayload, lo: number, hi: number): Tally {
  const [first, end] = pathsOf(payload, lo, hi);
  const tally: Tally = { paths: BigInt(end - first), hits: 0n, sum: 0n, squares: 0n };
  const seed = seedOf(payload);
  const option = modelOf(payload) === "pi" ? null : optionOf(payload);
  for (let path = first; path < end; path++) {
    if (option) {
      const q = units(option, priceOf(option, seed, path));
      tally.hits += q > 0n ? 1n : 0n;
      tally.sum += q;
      tally.squares += q * q;
    } else if (inside(seed, path)) {
      tally.hits += 1n;
    }
  }
  return tally;
}

/** Whether dart number `path` lies inside the quarter circle. */
function inside(seed: bigint, path: number): boolean {
  const words = philoxBlock(seed, Math.floor(path / 2), 0, streams.pi);
  const at = 2 * (path % 2);
  const x = BigInt(words[at]! | 1) & 0xffffffffn;
  const y = BigInt(words[at + 1]! | 1) & 0xffffffffn;
  return x * x + y * y < 2n ** 64n;
}

/** Box-Muller: normal number `which` (0..3) of a block of four words. */
function normal(words: readonly number[], which: number): number {
  const radius = words[which < 2 ? 0 : 2]!;
  const angle = words[which < 2 ? 1 : 3]!;
  const length = Math.sqrt(-2 * Math.log((radius + 0.5) / TWO32));
  const turn = (2 * Math.PI * angle) / TWO32;
  return length * (which % 2 === 0 ? Math.cos(turn) : Math.sin(turn));
}

/** The price, in strikes, that path number `path` pays on. */
function priceOf(option: Option, seed: bigint, path: number): number {
  const { start, drift, spread } = scaleOf(option);
  if (!option.asian) {
    const words = philoxBlock(seed, Math.floor(path / 4), 0, streams.european_option);
    return 2 ** (start + drift + spread * normal(words, path % 4));
  }
  let log = start;
  let total = 0;
  for (let step = 0; step < option.steps; step++) {
    const words = philoxBlock(seed, path, Math.floor(step / 4), streams.asian_option);
    log += drift + spread * normal(words, step % 4);
    total += option.geometric ? log : 2 ** log;
  }
  const mean = total / option.steps;
  return option.geometric ? 2 ** mean : mean;
}

function units(option: Option, price: number): bigint {
  const payoff = (option.put ? 1 - price : price - 1) * 2 ** scaleOf(option).fraction;
  return BigInt(Math.min(Q_MAX, Math.floor(Math.max(0, payoff) + 0.5)));
}
