/**
 * Philox4x32-10: a counter-based random generator. The same counter and key give the same four words on every device
 * and in every order, so a sample needs no state, only its number.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11,
 * https://doi.org/10.1145/2063384.2063405. Checked against the known-answer vectors of their Random123 library.
 *
 * A function cannot return four values, so each writes its answer to module variables: `word0`..`word3` for one
 * counter, `lanes0`..`lanes3` for four counters side by side. `@lazy` keeps the vectors out of builds without SIMD.
 */

/** Multipliers of the two halves. */
// @ts-ignore: decorator
@inline export const PHILOX_M0: u32 = 0xd2511f53;
// @ts-ignore: decorator
@inline export const PHILOX_M1: u32 = 0xcd9e8d57;
/** What the key grows by each round (the golden ratio and the square root of three, less one). */
// @ts-ignore: decorator
@inline const PHILOX_W0: u32 = 0x9e3779b9;
// @ts-ignore: decorator
@inline const PHILOX_W1: u32 = 0xbb67ae85;

const ROUNDS: i32 = 10;

let key0: u32 = 0;
let key1: u32 = 0;
/** The key of each round, four times over, for the vector form: two vectors a round. */
const roundKeys: usize = memory.data(320, 16);

export let word0: u32 = 0;
export let word1: u32 = 0;
export let word2: u32 = 0;
export let word3: u32 = 0;

// @ts-ignore: decorator
@lazy export let lanes0: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@lazy export let lanes1: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@lazy export let lanes2: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@lazy export let lanes3: v128 = i32x4.splat(0);

/** Sets the key of all later calls. */
export function setPhiloxKey(low: u32, high: u32): void {
  key0 = low;
  key1 = high;
  let k0 = low;
  let k1 = high;
  for (let round = 0; round < ROUNDS; round++) {
    for (let lane = 0; lane < 4; lane++) {
      store<u32>(roundKeys + (round << 5) + (lane << 2), k0);
      store<u32>(roundKeys + (round << 5) + (lane << 2) + 16, k1);
    }
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
}

/** One counter; the answer is in `word0`..`word3`. */
export function philox(c0: u32, c1: u32, c2: u32, c3: u32): void {
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < ROUNDS; round++) {
    const product0 = <u64>PHILOX_M0 * <u64>c0;
    const product1 = <u64>PHILOX_M1 * <u64>c2;
    c0 = <u32>(product1 >> 32) ^ c1 ^ k0;
    c1 = <u32>product1;
    c2 = <u32>(product0 >> 32) ^ c3 ^ k1;
    c3 = <u32>product0;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
  word0 = c0;
  word1 = c1;
  word2 = c2;
  word3 = c3;
}

/** Four counters, one in each lane; the answers are in `lanes0`..`lanes3`. */
// @ts-ignore: decorator
@inline
export function philoxLanes(c0: v128, c1: v128, c2: v128, c3: v128): void {
  const m0 = i32x4.splat(PHILOX_M0);
  const m1 = i32x4.splat(PHILOX_M1);
  for (let at = roundKeys, end = roundKeys + 320; at < end; at += 32) {
    // A 32x32 -> 64-bit product for two lanes at a time; the shuffles part high words from low ones.
    const low0 = i64x2.extmul_low_i32x4_u(c0, m0);
    const high0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const low1 = i64x2.extmul_low_i32x4_u(c2, m1);
    const high1 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.shuffle<u32>(low1, high1, 1, 3, 5, 7), v128.xor(c1, v128.load(at)));
    c1 = v128.shuffle<u32>(low1, high1, 0, 2, 4, 6);
    c2 = v128.xor(v128.shuffle<u32>(low0, high0, 1, 3, 5, 7), v128.xor(c3, v128.load(at, 16)));
    c3 = v128.shuffle<u32>(low0, high0, 0, 2, 4, 6);
  }
  lanes0 = c0;
  lanes1 = c1;
  lanes2 = c2;
  lanes3 = c3;
}
