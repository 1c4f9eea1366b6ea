/**
 * The paths of a range, tallied exactly. The ABI is that of `kernels/contract.ts`; parameters and partials are laid out
 * as `layout.ts` says.
 *
 * Path i of a job draws from Philox counters (block low, block high, part, model) under the job's seed:
 *
 *   pi        block i >> 1, part 0: two darts of two words each
 *   european  block i >> 2, part 0: four normals, one a path
 *   asian     block i, part s >> 2: four normals, one a step
 *
 * so a path depends on nothing but its number. Tallies are integers: adding them is exact, in any order.
 *
 *   pi        a dart (X, Y) of odd 32-bit numbers, the middles of 2^31 x 2^31 cells, is inside when X^2 + Y^2 < 2^64.
 *   options   the payoff in strikes, times 2^fraction, rounded and cut to q < 2^32. A grain has fewer than 2^31 paths,
 *             so sum q < 2^63, and the sums of the low and of the high words of q^2 are each below 2^63 too.
 */
import { setPhiloxKey } from "../../assembly/philox";
import { darts } from "./darts.as";
import { asians, europeans, setOption } from "./options.as";
import { events, finishTallies, squaresHigh, squaresLow, startTallies, sum } from "./tally.as";

const PI: u32 = 0;
const EUROPEAN: u32 = 1;
const ASIAN: u32 = 2;
const PARAM_BYTES: i32 = 64;
const PUT: u32 = 1;
const GEOMETRIC: u32 = 2;
/** Paths of a unit: some 10^5 operations, and a multiple of the paths that one vector block yields. */
const UNIT_DARTS: u64 = 131072;
const UNIT_NORMALS: u32 = 8192;

const paramBytes: usize = memory.data(64, 16);
const partialBytes: usize = memory.data(48, 16);
let paramLength: i32 = 0;

let model: u32 = 0;
let iterations: f64 = 0;
let samples: f64 = 0;
let unitPaths: u64 = 1;

let first: u64 = 0;
let cursor: u64 = 0;
let end: u64 = 0;

export function params(length: i32): i32 {
  if (length > PARAM_BYTES) unreachable();
  paramLength = length;
  return <i32>paramBytes;
}

/** 1: the parameters have another length. 2: the model is unknown. 3: steps, samples or iterations are out of bounds. */
export function init(): i32 {
  if (paramLength != PARAM_BYTES) return 1;
  model = load<u32>(paramBytes);
  const flags = load<u32>(paramBytes, 4);
  const steps = load<u32>(paramBytes, 8);
  const fraction = load<i32>(paramBytes, 12);
  setPhiloxKey(load<u32>(paramBytes, 16), load<u32>(paramBytes, 20));
  iterations = load<f64>(paramBytes, 24);
  samples = load<f64>(paramBytes, 32);
  if (model > ASIAN) return 2;
  if (steps < 1 || steps > 1024 || fraction < -64 || fraction > 64 || !(samples >= 1) || !(iterations >= 1)) return 3;
  const start = load<f64>(paramBytes, 40);
  setOption((flags & GEOMETRIC) != 0, (flags & PUT) != 0, steps, fraction, start, load<f64>(paramBytes, 48), load<f64>(paramBytes, 56));
  unitPaths = model == PI ? UNIT_DARTS : model == EUROPEAN ? UNIT_NORMALS : <u64>((UNIT_NORMALS / steps + 3) & ~3);
  return 0;
}

export function begin(lo: f64, hi: f64): void {
  const last = hi * samples;
  first = <u64>(lo * samples);
  end = <u64>(last < iterations ? last : iterations);
  cursor = first;
  startTallies();
}

export function step(units: i32): i32 {
  const room = <u64>units * unitPaths;
  const to = end - cursor > room ? cursor + room : end;
  if (model == PI) darts(cursor, to);
  else if (model == EUROPEAN) europeans(cursor, to);
  else asians(cursor, to);
  cursor = to;
  if (cursor < end) return 0;
  writePartial();
  return 1;
}

export function fraction(): f64 {
  return <f64>(cursor - first) / <f64>(end - first);
}

export function partial(): i32 {
  return <i32>partialBytes;
}

export function partialLength(): i32 {
  return model == PI ? 16 : 48;
}

function writePartial(): void {
  finishTallies();
  const paths = end - first;
  store<u64>(partialBytes, paths);
  store<u64>(partialBytes, model == PI ? paths - events : events, 8);
  store<u64>(partialBytes, sum, 16);
  store<u64>(partialBytes, 0, 24);
  // low + high * 2^32, as two words of 64 bits.
  const shifted = squaresHigh << 32;
  const low = squaresLow + shifted;
  store<u64>(partialBytes, low, 32);
  store<u64>(partialBytes, (squaresHigh >> 32) + <u64>(low < shifted), 40);
}
