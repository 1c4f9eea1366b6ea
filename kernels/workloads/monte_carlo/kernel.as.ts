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
import { lanes0, lanes1, lanes2, lanes3, philox, philoxLanes, setPhiloxKey, word0, word1, word2, word3 } from "../../assembly/philox";
import { cosine, cosines, exp2, exp2Lanes, normals, normalsLanes, sine, sines } from "./normal.as";

const PI: u32 = 0;
const EUROPEAN: u32 = 1;
const ASIAN: u32 = 2;
const PARAM_BYTES: i32 = 64;
const PUT: u32 = 1;
const GEOMETRIC: u32 = 2;
/** Paths of a unit: some 10^5 operations, and a multiple of the paths that one vector block yields. */
const UNIT_DARTS: u64 = 131072;
const UNIT_NORMALS: u32 = 8192;
// @ts-ignore: decorator
@inline const Q_MAX: f64 = 4294967295.0;

const paramBytes: usize = memory.data(64, 16);
const partialBytes: usize = memory.data(48, 16);
let paramLength: i32 = 0;

let model: u32 = 0;
let geometric: bool = false;
let steps: u32 = 1;
let iterations: f64 = 0;
let samples: f64 = 0;
/** log2(spot / strike), and one step's drift and volatility in log2. */
let start: f64 = 0;
let drift: f64 = 0;
let spread: f64 = 0;
/** 2^fraction for a call, -2^fraction for a put. */
let scale: f64 = 0;
let perStep: f64 = 1;
let unitPaths: u64 = 1;

let first: u64 = 0;
let cursor: u64 = 0;
let end: u64 = 0;

/** Darts outside the circle (pi), or paths that paid (options). */
let events: u64 = 0;
let sum: u64 = 0;
let squaresLow: u64 = 0;
let squaresHigh: u64 = 0;

// @ts-ignore: decorator
@lazy let eventLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let sumLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let lowLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let highLanes: v128 = i64x2.splat(0);

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
  steps = load<u32>(paramBytes, 8);
  const fraction = load<i32>(paramBytes, 12);
  setPhiloxKey(load<u32>(paramBytes, 16), load<u32>(paramBytes, 20));
  iterations = load<f64>(paramBytes, 24);
  samples = load<f64>(paramBytes, 32);
  start = load<f64>(paramBytes, 40);
  drift = load<f64>(paramBytes, 48);
  spread = load<f64>(paramBytes, 56);
  if (model > ASIAN) return 2;
  if (steps < 1 || steps > 1024 || fraction < -64 || fraction > 64 || !(samples >= 1) || !(iterations >= 1)) return 3;
  geometric = (flags & GEOMETRIC) != 0;
  const unit = reinterpret<f64>(<u64>(1023 + fraction) << 52);
  scale = flags & PUT ? -unit : unit;
  perStep = 1.0 / <f64>steps;
  unitPaths = model == PI ? UNIT_DARTS : model == EUROPEAN ? UNIT_NORMALS : <u64>((UNIT_NORMALS / steps + 3) & ~3);
  return 0;
}

export function begin(lo: f64, hi: f64): void {
  const last = hi * samples;
  first = <u64>(lo * samples);
  end = <u64>(last < iterations ? last : iterations);
  cursor = first;
  events = 0;
  sum = 0;
  squaresLow = 0;
  squaresHigh = 0;
  if (ASC_FEATURE_SIMD) startLanes();
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
  if (ASC_FEATURE_SIMD) {
    events += both(eventLanes);
    sum += both(sumLanes);
    squaresLow += both(lowLanes);
    squaresHigh += both(highLanes);
    startLanes();
  }
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

// @ts-ignore: decorator
@inline
function both(lanes: v128): u64 {
  return i64x2.extract_lane(lanes, 0) + i64x2.extract_lane(lanes, 1);
}

function startLanes(): void {
  eventLanes = i64x2.splat(0);
  sumLanes = i64x2.splat(0);
  lowLanes = i64x2.splat(0);
  highLanes = i64x2.splat(0);
}

// ---- pi

/** Darts from..to; the ragged ends one by one, the middle eight at a time. */
function darts(from: u64, to: u64): void {
  if (ASC_FEATURE_SIMD) {
    const middle = min((from + 7) & ~7, to);
    const tail = middle + ((to - middle) & ~7);
    dartsOneByOne(from, middle);
    dartsByEight(middle >> 1, tail >> 1);
    dartsOneByOne(tail, to);
  } else {
    dartsOneByOne(from, to);
  }
}

function dartsOneByOne(from: u64, to: u64): void {
  while (from < to) {
    const block = from >> 1;
    philox(<u32>block, <u32>(block >> 32), 0, PI);
    if (!(from & 1)) {
      events += outside(word0, word1);
      from++;
      if (from == to) return;
    }
    events += outside(word2, word3);
    from++;
  }
}

/** 1 when the dart is outside: the sum of two odd squares, each 1 modulo 8, reaches 2^64. */
// @ts-ignore: decorator
@inline
function outside(x: u32, y: u32): u64 {
  const a = <u64>(x | 1);
  const b = <u64>(y | 1);
  return (((a * a) >> 1) + ((b * b) >> 1) + 1) >> 63;
}

function dartsByEight(from: u64, to: u64): void {
  const model0 = i32x4.splat(PI);
  const part = i32x4.splat(0);
  const lane = i32x4(0, 1, 2, 3);
  let outsides = eventLanes;
  for (let block = from; block < to; block += 4) {
    philoxLanes(i32x4.add(i32x4.splat(<u32>block), lane), i32x4.splat(<u32>(block >> 32)), part, model0);
    outsides = i64x2.add(outsides, outsideLanes(lanes0, lanes1));
    outsides = i64x2.add(outsides, outsideLanes(lanes2, lanes3));
  }
  eventLanes = outsides;
}

/** As `outside`, for four darts; the answer has the sum of two darts in each 64-bit lane. */
// @ts-ignore: decorator
@inline
function outsideLanes(x: v128, y: v128): v128 {
  const one = i32x4.splat(1);
  const a = v128.or(x, one);
  const b = v128.or(y, one);
  const low = halfSum(i64x2.extmul_low_i32x4_u(a, a), i64x2.extmul_low_i32x4_u(b, b));
  const high = halfSum(i64x2.extmul_high_i32x4_u(a, a), i64x2.extmul_high_i32x4_u(b, b));
  return i64x2.add(i64x2.shr_u(low, 63), i64x2.shr_u(high, 63));
}

// @ts-ignore: decorator
@inline
function halfSum(a: v128, b: v128): v128 {
  return i64x2.add(i64x2.add(i64x2.shr_u(a, 1), i64x2.shr_u(b, 1)), i64x2.splat(1));
}

// ---- options

/** Tallies a path whose average (or final) price is `price` strikes. */
// @ts-ignore: decorator
@inline
function tally(price: f64): void {
  const payoff = (price - 1.0) * scale;
  const rounded = (payoff > 0.0 ? payoff : 0.0) + 0.5;
  const q = <u64>(rounded < Q_MAX ? rounded : Q_MAX);
  const square = q * q;
  events += <u64>(q != 0);
  sum += q;
  squaresLow += square & 0xffffffff;
  squaresHigh += square >> 32;
}

/** As `tally`, for two paths. */
// @ts-ignore: decorator
@inline
function tallyLanes(price: v128): void {
  const payoff = f64x2.mul(f64x2.sub(price, f64x2.splat(1.0)), f64x2.splat(scale));
  const rounded = f64x2.add(f64x2.pmax(f64x2.splat(0.0), payoff), f64x2.splat(0.5));
  const q32 = i32x4.trunc_sat_f64x2_u_zero(f64x2.pmin(f64x2.splat(Q_MAX), rounded));
  const q = i64x2.extend_low_i32x4_u(q32);
  const square = i64x2.extmul_low_i32x4_u(q32, q32);
  // A lane that differs from zero is all ones, which is -1.
  eventLanes = i64x2.sub(eventLanes, i64x2.ne(q, i64x2.splat(0)));
  sumLanes = i64x2.add(sumLanes, q);
  lowLanes = i64x2.add(lowLanes, v128.and(square, i64x2.splat(0xffffffff)));
  highLanes = i64x2.add(highLanes, i64x2.shr_u(square, 32));
}

/** European paths from..to: ragged ends one by one, the middle sixteen at a time. */
function europeans(from: u64, to: u64): void {
  if (ASC_FEATURE_SIMD) {
    const middle = min((from + 15) & ~15, to);
    const tail = middle + ((to - middle) & ~15);
    europeansOneByOne(from, middle);
    europeansBySixteen(middle >> 2, tail >> 2);
    europeansOneByOne(tail, to);
  } else {
    europeansOneByOne(from, to);
  }
}

function europeansOneByOne(from: u64, to: u64): void {
  while (from < to) {
    const block = from >> 2;
    philox(<u32>block, <u32>(block >> 32), 0, EUROPEAN);
    const w2 = word2;
    const w3 = word3;
    const next = min((block + 1) << 2, to);
    if ((from & 3) < 2) {
      normals(word0, word1);
      if (!(from & 1)) {
        tally(exp2(start + (drift + spread * cosine)));
        if (++from == next) continue;
      }
      tally(exp2(start + (drift + spread * sine)));
      if (++from == next) continue;
    }
    normals(w2, w3);
    if (!(from & 1)) {
      tally(exp2(start + (drift + spread * cosine)));
      if (++from == next) continue;
    }
    tally(exp2(start + (drift + spread * sine)));
    ++from;
  }
}

function europeansBySixteen(from: u64, to: u64): void {
  const model1 = i32x4.splat(EUROPEAN);
  const part = i32x4.splat(0);
  const lane = i32x4(0, 1, 2, 3);
  for (let block = from; block < to; block += 4) {
    philoxLanes(i32x4.add(i32x4.splat(<u32>block), lane), i32x4.splat(<u32>(block >> 32)), part, model1);
    const w0 = lanes0;
    const w1 = lanes1;
    const w2 = lanes2;
    const w3 = lanes3;
    fourEuropeans(w0, w1);
    fourEuropeans(upper(w0), upper(w1));
    fourEuropeans(w2, w3);
    fourEuropeans(upper(w2), upper(w3));
  }
}

/** The two upper 32-bit lanes, moved to the lower ones. */
// @ts-ignore: decorator
@inline
function upper(words: v128): v128 {
  return v128.shuffle<u32>(words, words, 2, 3, 2, 3);
}

function fourEuropeans(radius: v128, angle: v128): void {
  normalsLanes(radius, angle);
  const sines0 = sines;
  tallyLanes(exp2Lanes(grow(f64x2.splat(start), cosines)));
  tallyLanes(exp2Lanes(grow(f64x2.splat(start), sines0)));
}

/** One step: x + (drift + spread * z). */
// @ts-ignore: decorator
@inline
function grow(x: v128, z: v128): v128 {
  return f64x2.add(x, f64x2.add(f64x2.splat(drift), f64x2.mul(f64x2.splat(spread), z)));
}

/** Asian paths from..to: ragged ends one by one, the middle four at a time. */
function asians(from: u64, to: u64): void {
  if (ASC_FEATURE_SIMD) {
    const middle = min((from + 3) & ~3, to);
    const tail = middle + ((to - middle) & ~3);
    for (; from < middle; from++) asian(from);
    for (; from < tail; from += 4) fourAsians(from);
  }
  for (; from < to; from++) asian(from);
}

function asian(path: u64): void {
  let x = start;
  let total: f64 = 0;
  for (let s: u32 = 0; s < steps; s += 4) {
    philox(<u32>path, <u32>(path >> 32), s >> 2, ASIAN);
    const w2 = word2;
    const w3 = word3;
    normals(word0, word1);
    x = x + (drift + spread * cosine);
    total += observed(x);
    if (s + 1 == steps) break;
    x = x + (drift + spread * sine);
    total += observed(x);
    if (s + 2 == steps) break;
    normals(w2, w3);
    x = x + (drift + spread * cosine);
    total += observed(x);
    if (s + 3 == steps) break;
    x = x + (drift + spread * sine);
    total += observed(x);
  }
  const mean = total * perStep;
  tally(geometric ? exp2(mean) : mean);
}

/** What the average is taken of: prices, or their logarithms. */
// @ts-ignore: decorator
@inline
function observed(x: f64): f64 {
  return geometric ? x : exp2(x);
}

/** Two paths' prices and totals while they grow. */
// @ts-ignore: decorator
@lazy let x0: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let x1: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let total0: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let total1: v128 = f64x2.splat(0);

function fourAsians(path: u64): void {
  const c0 = i32x4.add(i32x4.splat(<u32>path), i32x4(0, 1, 2, 3));
  const c1 = i32x4.splat(<u32>(path >> 32));
  x0 = x1 = f64x2.splat(start);
  total0 = total1 = f64x2.splat(0);
  for (let s: u32 = 0; s < steps; s += 4) {
    philoxLanes(c0, c1, i32x4.splat(s >> 2), i32x4.splat(ASIAN));
    const w2 = lanes2;
    const w3 = lanes3;
    twoSteps(lanes0, lanes1, steps - s);
    if (s + 2 < steps) twoSteps(w2, w3, steps - s - 2);
  }
  const mean0 = f64x2.mul(total0, f64x2.splat(perStep));
  const mean1 = f64x2.mul(total1, f64x2.splat(perStep));
  tallyLanes(geometric ? exp2Lanes(mean0) : mean0);
  tallyLanes(geometric ? exp2Lanes(mean1) : mean1);
}

/** The next two steps of four paths, or the last one. */
function twoSteps(radius: v128, angle: v128, left: u32): void {
  normalsLanes(radius, angle);
  const sinesLow = sines;
  x0 = grow(x0, cosines);
  total0 = f64x2.add(total0, observedLanes(x0));
  if (left > 1) {
    x0 = grow(x0, sinesLow);
    total0 = f64x2.add(total0, observedLanes(x0));
  }
  normalsLanes(upper(radius), upper(angle));
  const sinesHigh = sines;
  x1 = grow(x1, cosines);
  total1 = f64x2.add(total1, observedLanes(x1));
  if (left > 1) {
    x1 = grow(x1, sinesHigh);
    total1 = f64x2.add(total1, observedLanes(x1));
  }
}

// @ts-ignore: decorator
@inline
function observedLanes(x: v128): v128 {
  return geometric ? x : exp2Lanes(x);
}
