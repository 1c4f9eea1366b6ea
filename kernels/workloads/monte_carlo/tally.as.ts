/** The exact tallies of the range at hand: totals, and the vector forms that are added to them at the end. */

/** Darts outside the circle (pi), or paths that paid (options). */
export let events: u64 = 0;
export let sum: u64 = 0;
export let squaresLow: u64 = 0;
export let squaresHigh: u64 = 0;

// @ts-ignore: decorator
@lazy let eventLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let sumLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let lowLanes: v128 = i64x2.splat(0);
// @ts-ignore: decorator
@lazy let highLanes: v128 = i64x2.splat(0);

export function startTallies(): void {
  events = 0;
  sum = 0;
  squaresLow = 0;
  squaresHigh = 0;
  if (ASC_FEATURE_SIMD) startLanes();
}

/** Adds the lanes to the totals; the lanes start again, so that doing it twice counts once. */
export function finishTallies(): void {
  if (!ASC_FEATURE_SIMD) return;
  events += both(eventLanes);
  sum += both(sumLanes);
  squaresLow += both(lowLanes);
  squaresHigh += both(highLanes);
  startLanes();
}

function startLanes(): void {
  eventLanes = i64x2.splat(0);
  sumLanes = i64x2.splat(0);
  lowLanes = i64x2.splat(0);
  highLanes = i64x2.splat(0);
}

// @ts-ignore: decorator
@inline
function both(lanes: v128): u64 {
  return i64x2.extract_lane(lanes, 0) + i64x2.extract_lane(lanes, 1);
}

// @ts-ignore: decorator
@inline
export function addEvents(count: u64): void {
  events += count;
}

// @ts-ignore: decorator
@inline
export function addEventLanes(counts: v128): void {
  eventLanes = i64x2.add(eventLanes, counts);
}

/** A payoff of q units. */
// @ts-ignore: decorator
@inline
export function addPayoff(q: u64): void {
  const square = q * q;
  events += <u64>(q != 0);
  sum += q;
  squaresLow += square & 0xffffffff;
  squaresHigh += square >> 32;
}

/** Four payoffs as whole doubles from 2^52 on: their low 32 bits are the units. */
// @ts-ignore: decorator
@inline
export function addPayoffLanes(a: v128, b: v128): void {
  const low = i64x2.splat(0xffffffff);
  const q = v128.and(a, low);
  const p = v128.and(b, low);
  const units = v128.shuffle<u32>(a, b, 0, 2, 4, 6);
  const first = i64x2.extmul_low_i32x4_u(units, units);
  const second = i64x2.extmul_high_i32x4_u(units, units);
  // A lane that differs from zero is all ones, which is -1.
  const zero = i64x2.splat(0);
  eventLanes = i64x2.sub(eventLanes, i64x2.add(i64x2.ne(q, zero), i64x2.ne(p, zero)));
  sumLanes = i64x2.add(sumLanes, i64x2.add(q, p));
  lowLanes = i64x2.add(lowLanes, i64x2.add(v128.and(first, low), v128.and(second, low)));
  highLanes = i64x2.add(highLanes, i64x2.add(i64x2.shr_u(first, 32), i64x2.shr_u(second, 32)));
}
