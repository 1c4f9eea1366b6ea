/**
 * Matrices of random entries in [-1/2, 1/2) that are never stored: entry (i, j) is a hash of the seed, i and j, so any
 * part of a matrix is made where it is needed. A row and a column have a key each; the entry is a mix of the two.
 *
 *   entry(i, j) = mix(rowKey(i) ^ columnKey(j)) as a signed number, over 2^32 (f64), or its upper 24 bits over 2^24 (f32)
 *
 * Every entry is exact in its format, so the values are the same on each device. `mix` is lowbias32 of Chris Wellons,
 * https://nullprogram.com/blog/2018/07/31/ with the constants of https://github.com/skeeto/hash-prospector (public domain).
 */

/** Told apart by what is added to the halves of the seed. */
// @ts-ignore: decorator
@inline export const MATRIX_A: u32 = 0;
// @ts-ignore: decorator
@inline export const MATRIX_B: u32 = 0x9e3779b9;
// @ts-ignore: decorator
@inline const COLUMNS: u32 = 0x7f4a7c15;

// @ts-ignore: decorator
@inline
export function mix(x: u32): u32 {
  x ^= x >> 16;
  x *= 0x21f0aaad;
  x ^= x >> 15;
  x *= 0xd35a2d97;
  x ^= x >> 15;
  return x;
}

// @ts-ignore: decorator
@inline
export function mixLanes(x: v128): v128 {
  x = v128.xor(x, i32x4.shr_u(x, 16));
  x = i32x4.mul(x, i32x4.splat(0x21f0aaad));
  x = v128.xor(x, i32x4.shr_u(x, 15));
  x = i32x4.mul(x, i32x4.splat(0xd35a2d97));
  return v128.xor(x, i32x4.shr_u(x, 15));
}

/** Writes the keys of rows first..first+count of a matrix, four bytes each. */
export function rowKeys(at: usize, matrix: u32, seedLow: u32, first: u32, count: u32): void {
  const base = mix(seedLow ^ matrix);
  for (let i: u32 = 0; i < count; i++) store<u32>(at + ((<usize>i) << 2), mix(base + first + i));
}

/** Likewise of columns. */
export function columnKeys(at: usize, matrix: u32, seedHigh: u32, first: u32, count: u32): void {
  const base = mix(seedHigh ^ (matrix + COLUMNS));
  for (let i: u32 = 0; i < count; i++) store<u32>(at + ((<usize>i) << 2), mix(base + first + i));
}

// @ts-ignore: decorator
@inline const UNIT64: f64 = 2.3283064365386963e-10; // 2^-32
// @ts-ignore: decorator
@inline const UNIT32: f32 = 5.9604644775390625e-8; // 2^-24

// @ts-ignore: decorator
@inline
export function entry64(rowKey: u32, columnKey: u32): f64 {
  return <f64>(<i32>mix(rowKey ^ columnKey)) * UNIT64;
}

// @ts-ignore: decorator
@inline
export function entry32(rowKey: u32, columnKey: u32): f32 {
  return <f32>((<i32>mix(rowKey ^ columnKey)) >> 8) * UNIT32;
}

/** Four entries whose mixed keys are `keys`: lanes 0 and 1 at `at`, 2 and 3 after them. */
// @ts-ignore: decorator
@inline
export function storeEntries64(at: usize, keys: v128): void {
  const h = mixLanes(keys);
  const unit = f64x2.splat(UNIT64);
  v128.store(at, f64x2.mul(f64x2.convert_low_i32x4_s(h), unit));
  v128.store(at, f64x2.mul(f64x2.convert_low_i32x4_s(v128.shuffle<u32>(h, h, 2, 3, 2, 3)), unit), 16);
}

// @ts-ignore: decorator
@inline
export function storeEntries32(at: usize, keys: v128): void {
  const h = i32x4.shr_s(mixLanes(keys), 8);
  v128.store(at, f32x4.mul(f32x4.convert_i32x4_s(h), f32x4.splat(UNIT32)));
}
