/** The model pi: darts at a quarter circle, in integers. */
import { lanes0, lanes1, lanes2, lanes3, philox, philoxLanes, word0, word1, word2, word3 } from "../../assembly/philox";
import { addEventLanes, addEvents } from "./tally.as";

/** Last word of the Philox counter. */
const STREAM: u32 = 0;

/** Throws darts from..to; the ragged ends one by one, the middle eight at a time. */
export function darts(from: u64, to: u64): void {
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
  let outsides: u64 = 0;
  while (from < to) {
    const block = from >> 1;
    philox(<u32>block, <u32>(block >> 32), 0, STREAM);
    if (!(from & 1)) {
      outsides += outside(word0, word1);
      from++;
      if (from == to) break;
    }
    outsides += outside(word2, word3);
    from++;
  }
  addEvents(outsides);
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
  const stream = i32x4.splat(STREAM);
  const part = i32x4.splat(0);
  const lane = i32x4(0, 1, 2, 3);
  let outsides = i64x2.splat(0);
  for (let block = from; block < to; block += 4) {
    philoxLanes(i32x4.add(i32x4.splat(<u32>block), lane), i32x4.splat(<u32>(block >> 32)), part, stream);
    outsides = i64x2.add(outsides, outsideLanes(lanes0, lanes1));
    outsides = i64x2.add(outsides, outsideLanes(lanes2, lanes3));
  }
  addEventLanes(outsides);
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
