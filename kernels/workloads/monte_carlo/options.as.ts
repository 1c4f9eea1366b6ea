/** European and Asian options: paths in powers of two, their payoffs in fixed point. */
import { lanes0, lanes1, lanes2, lanes3, philox, philoxLanes, word0, word1, word2, word3 } from "../../assembly/philox";
import { HALF, ONE, UNITS_MAX, WHOLE, constant, cosine, cosines, exp2, exp2Lanes, normals, normalsLanes, sine, sines } from "./normal.as";
import { addPayoff, addPayoffLanes } from "./tally.as";

/** Last words of the Philox counters. */
const EUROPEAN: u32 = 1;
const ASIAN: u32 = 2;
// @ts-ignore: decorator
@inline const Q_MAX: f64 = 4294967295.0;

let geometric: bool = false;
let steps: u32 = 1;
/** log2(spot / strike), and one step's drift and volatility in log2. */
let start: f64 = 0;
let drift: f64 = 0;
let spread: f64 = 0;
/** 2^fraction for a call, -2^fraction for a put. */
let scale: f64 = 0;
let perStep: f64 = 1;
/** The same in both lanes. */
// @ts-ignore: decorator
@lazy let starts: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let drifts: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let spreads: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy let scales: v128 = f64x2.splat(0);

/** `fraction`: bits of a payoff below one strike, -64 to 64. */
export function setOption(geometricAverage: bool, put: bool, dates: u32, fraction: i32, from: f64, mean: f64, deviation: f64): void {
  geometric = geometricAverage;
  steps = dates;
  const unit = reinterpret<f64>(<u64>(1023 + fraction) << 52);
  scale = put ? -unit : unit;
  start = from;
  drift = mean;
  spread = deviation;
  perStep = 1.0 / <f64>dates;
  if (ASC_FEATURE_SIMD) setLanes();
}

function setLanes(): void {
  starts = f64x2.splat(start);
  drifts = f64x2.splat(drift);
  spreads = f64x2.splat(spread);
  scales = f64x2.splat(scale);
}

/** Tallies a path whose average (or final) price is `price` strikes. */
// @ts-ignore: decorator
@inline
function tally(price: f64): void {
  const payoff = (price - 1.0) * scale;
  const rounded = (payoff > 0.0 ? payoff : 0.0) + 0.5;
  const q = <u64>(rounded < Q_MAX ? rounded : Q_MAX);
  addPayoff(q);
}

/** As `tally`, for four paths. */
// @ts-ignore: decorator
@inline
function tallyLanes(a: v128, b: v128): void {
  addPayoffLanes(unitsLanes(a), unitsLanes(b));
}

/** Units of two payoffs, plus 2^52: rounded by cutting, as a conversion would. */
// @ts-ignore: decorator
@inline
function unitsLanes(price: v128): v128 {
  const payoff = f64x2.mul(f64x2.sub(price, constant(ONE)), scales);
  const rounded = f64x2.add(f64x2.pmax(f64x2.splat(0.0), payoff), constant(HALF));
  return f64x2.add(f64x2.trunc(f64x2.pmin(constant(UNITS_MAX), rounded)), constant(WHOLE));
}

/** European paths from..to: ragged ends one by one, the middle sixteen at a time. */
export function europeans(from: u64, to: u64): void {
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
  const stream = i32x4.splat(EUROPEAN);
  const part = i32x4.splat(0);
  const lane = i32x4(0, 1, 2, 3);
  for (let block = from; block < to; block += 4) {
    philoxLanes(i32x4.add(i32x4.splat(<u32>block), lane), i32x4.splat(<u32>(block >> 32)), part, stream);
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
  tallyLanes(exp2Lanes(grow(starts, cosines)), exp2Lanes(grow(starts, sines)));
}

/** One step: x + (drift + spread * z). */
// @ts-ignore: decorator
@inline
function grow(x: v128, z: v128): v128 {
  return f64x2.add(x, f64x2.add(drifts, f64x2.mul(spreads, z)));
}

/** Asian paths from..to: ragged ends one by one, the middle four at a time. */
export function asians(from: u64, to: u64): void {
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
  x0 = x1 = starts;
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
  if (geometric) tallyLanes(exp2Lanes(mean0), exp2Lanes(mean1));
  else tallyLanes(mean0, mean1);
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
