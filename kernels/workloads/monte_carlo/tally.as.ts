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

/** Two payoffs, in the low 32-bit lanes. */
// @ts-ignore: decorator
@inline
export function addPayoffLanes(q32: v128): void {
  const q = i64x2.extend_low_i32x4_u(q32);
  const square = i64x2.extmul_low_i32x4_u(q32, q32);
  // A lane that differs from zero is all ones, which is -1.
  eventLanes = i64x2.sub(eventLanes, i64x2.ne(q, i64x2.splat(0)));
  sumLanes = i64x2.add(sumLanes, q);
  lowLanes = i64x2.add(lowLanes, v128.and(square, i64x2.splat(0xffffffff)));
  highLanes = i64x2.add(highLanes, i64x2.shr_u(square, 32));
}
