/**
 * Random words to normal deviates, and powers of two, in f64: one lane and two lanes.
 *
 * Both forms use only operations that IEEE 754 rounds exactly (+, -, *, /, sqrt, conversions), in the same order, so the
 * scalar and the SIMD build agree bit for bit. Nothing of the host's Math is called: it differs between engines.
 *
 * Normals: Box and Muller (1958), z = sqrt(-2 ln u) (cos t, sin t), with u = (w + 1/2) / 2^32 and t = 2 pi w' / 2^32.
 * The logarithm, sine and cosine use the minimax polynomials of Sun's fdlibm (e_log.c, k_sin.c, k_cos.c), whose error
 * is below 1 ulp on the reduced ranges; 2^f is its Taylor series on |f| <= 1/2, cut after f^11 (error below 7e-15).
 */

// @ts-ignore: decorator
@inline const SQRT_HALF_BITS: i64 = 0x3fe6a09e667f3bcd;
// @ts-ignore: decorator
@inline const LN2: f64 = 0.6931471805599453;
/** 1.5 * 2^52: an integer i, added to its bits, is the double of that integer plus i. */
// @ts-ignore: decorator
@inline const SHIFTER: f64 = 6755399441055744.0;
// @ts-ignore: decorator
@inline const TWO_NEG32: f64 = 2.3283064365386963e-10;
/** A quarter turn over 2^32. */
// @ts-ignore: decorator
@inline const ANGLE: f64 = 1.5707963267948966 * 2.3283064365386963e-10;
/** Exponents are clamped here: far beyond what the payload's bounds let a path reach, within what f32 holds. */
// @ts-ignore: decorator
@inline const EXPONENT_MAX: f64 = 100.0;

// @ts-ignore: decorator
@inline const L1: f64 = 6.666666666666735130e-1;
// @ts-ignore: decorator
@inline const L2: f64 = 3.999999999940941908e-1;
// @ts-ignore: decorator
@inline const L3: f64 = 2.857142874366239149e-1;
// @ts-ignore: decorator
@inline const L4: f64 = 2.222219843214978396e-1;
// @ts-ignore: decorator
@inline const L5: f64 = 1.818357216161805012e-1;
// @ts-ignore: decorator
@inline const L6: f64 = 1.531383769920937332e-1;
// @ts-ignore: decorator
@inline const L7: f64 = 1.479819860511658591e-1;

// @ts-ignore: decorator
@inline const S1: f64 = -1.66666666666666324348e-1;
// @ts-ignore: decorator
@inline const S2: f64 = 8.33333333332248946124e-3;
// @ts-ignore: decorator
@inline const S3: f64 = -1.98412698298579493134e-4;
// @ts-ignore: decorator
@inline const S4: f64 = 2.75573137070700676789e-6;
// @ts-ignore: decorator
@inline const S5: f64 = -2.50507602534068634195e-8;
// @ts-ignore: decorator
@inline const S6: f64 = 1.58969099521155010221e-10;

// @ts-ignore: decorator
@inline const C1: f64 = 4.16666666666666019037e-2;
// @ts-ignore: decorator
@inline const C2: f64 = -1.38888888888741095749e-3;
// @ts-ignore: decorator
@inline const C3: f64 = 2.48015872894767294178e-5;
// @ts-ignore: decorator
@inline const C4: f64 = -2.75573143513906633035e-7;
// @ts-ignore: decorator
@inline const C5: f64 = 2.08757232129817482790e-9;
// @ts-ignore: decorator
@inline const C6: f64 = -1.13596475577881948265e-11;

/** (ln 2)^k / k! */
// @ts-ignore: decorator
@inline const E1: f64 = 0.6931471805599453;
// @ts-ignore: decorator
@inline const E2: f64 = 0.2402265069591007;
// @ts-ignore: decorator
@inline const E3: f64 = 0.05550410866482158;
// @ts-ignore: decorator
@inline const E4: f64 = 0.009618129107628477;
// @ts-ignore: decorator
@inline const E5: f64 = 0.0013333558146428443;
// @ts-ignore: decorator
@inline const E6: f64 = 0.0001540353039338161;
// @ts-ignore: decorator
@inline const E7: f64 = 0.000015252733804059841;
// @ts-ignore: decorator
@inline const E8: f64 = 0.0000013215486790144308;
// @ts-ignore: decorator
@inline const E9: f64 = 1.0178086009239699e-7;
// @ts-ignore: decorator
@inline const E10: f64 = 7.054911620801122e-9;
// @ts-ignore: decorator
@inline const E11: f64 = 4.445538271870812e-10;

/** The two normals of the last call. */
export let cosine: f64 = 0;
export let sine: f64 = 0;
// @ts-ignore: decorator
@lazy export let cosines: v128 = f64x2.splat(0);
// @ts-ignore: decorator
@lazy export let sines: v128 = f64x2.splat(0);

/** Box-Muller on two words; the answers are in `cosine` and `sine`. */
export function normals(radius: u32, angle: u32): void {
  const u = (<f64>radius + 0.5) * TWO_NEG32;
  // u = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s), s = (m - 1) / (m + 1).
  const bits = reinterpret<i64>(u);
  const e = (bits - SQRT_HALF_BITS) >> 52;
  const m = reinterpret<f64>(bits - (e << 52));
  const s = (m - 1.0) / (m + 1.0);
  const z = s * s;
  const p = z * (L1 + z * (L2 + z * (L3 + z * (L4 + z * (L5 + z * (L6 + z * L7))))));
  const ln = <f64>e * LN2 + s * (2.0 + p);
  const r = sqrt<f64>(ln * -2.0);

  const t = <f64>(<i32>(angle << 2)) * ANGLE;
  const q = t * t;
  const sn = t + t * q * (S1 + q * (S2 + q * (S3 + q * (S4 + q * (S5 + q * S6)))));
  const cs = 1.0 - 0.5 * q + q * q * (C1 + q * (C2 + q * (C3 + q * (C4 + q * (C5 + q * C6)))));
  const quadrant = (angle + 0x20000000) >> 30;
  const c = quadrant & 1 ? sn : cs;
  const d = quadrant & 1 ? cs : sn;
  cosine = r * ((quadrant + 1) & 2 ? -c : c);
  sine = r * (quadrant & 2 ? -d : d);
}

/**
 * The constants of the vector forms, read from memory: engines load and spread a number in one instruction, and make
 * one out of the code in three. Their places:
 */
// @ts-ignore: decorator
@inline export const HALF: usize = 0;
// @ts-ignore: decorator
@inline export const ONE: usize = 1;
// @ts-ignore: decorator
@inline const TWO: usize = 2;
// @ts-ignore: decorator
@inline const MINUS_TWO: usize = 3;
// @ts-ignore: decorator
@inline const PER_WORD: usize = 4;
// @ts-ignore: decorator
@inline const PER_OCTAVE: usize = 5;
// @ts-ignore: decorator
@inline const PER_ANGLE: usize = 6;
// @ts-ignore: decorator
@inline const SHIFT: usize = 7;
// @ts-ignore: decorator
@inline const HIGHEST: usize = 8;
// @ts-ignore: decorator
@inline const LOWEST: usize = 9;
// @ts-ignore: decorator
@inline const LOG: usize = 10;
// @ts-ignore: decorator
@inline const SINE: usize = 17;
// @ts-ignore: decorator
@inline const COSINE: usize = 23;
// @ts-ignore: decorator
@inline const POWER: usize = 29;
// @ts-ignore: decorator
@inline export const WHOLE: usize = 40;
// @ts-ignore: decorator
@inline export const UNITS_MAX: usize = 41;
// @ts-ignore: decorator
@lazy const table: usize = memory.data<f64>([
  0.5, 1.0, 2.0, -2.0, TWO_NEG32, LN2, ANGLE, SHIFTER, EXPONENT_MAX, -EXPONENT_MAX,
  L1, L2, L3, L4, L5, L6, L7, S1, S2, S3, S4, S5, S6, C1, C2, C3, C4, C5, C6,
  E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11,
  // From 2^52 on, a double's low bits are an integer; the largest 32-bit one.
  4503599627370496.0, 4294967295.0,
], 16);
/** Likewise bits: those of sqrt(1/2), of a double's sign and exponent, an eighth and three eighths of a turn, a sign. */
// @ts-ignore: decorator
@inline const ROOT: usize = 0;
// @ts-ignore: decorator
@inline const EXPONENT: usize = 1;
// @ts-ignore: decorator
@inline const EIGHTH: usize = 2;
// @ts-ignore: decorator
@inline const THREE_EIGHTHS: usize = 3;
// @ts-ignore: decorator
@inline const SIGN: usize = 4;
// @ts-ignore: decorator
@lazy const bitTable: usize = memory.data<u64>([
  0x3fe6a09e667f3bcd, 0xfff0000000000000, 0x2000000020000000, 0x6000000060000000, 0x8000000000000000,
], 16);

/** The constant at a place, in both lanes. */
// @ts-ignore: decorator
@inline export function constant(place: usize): v128 {
  return v128.load64_splat(table + (place << 3));
}

// @ts-ignore: decorator
@inline function bits(place: usize): v128 {
  return v128.load64_splat(bitTable + (place << 3));
}

/** A step of Horner's rule: the constant at a place, plus x times p. */
// @ts-ignore: decorator
@inline function horner(place: usize, x: v128, p: v128): v128 {
  return f64x2.add(constant(place), f64x2.mul(x, p));
}

/** Box-Muller on the two low lanes of each vector; the answers are in `cosines` and `sines`. */
// @ts-ignore: decorator
@inline
export function normalsLanes(radius: v128, angle: v128): void {
  const u = f64x2.mul(f64x2.add(f64x2.convert_low_i32x4_u(radius), constant(HALF)), constant(PER_WORD));
  // As in `normals`; the exponent is taken from u as bits, and from the upper halves of the lanes as a number.
  const away = i64x2.sub(u, bits(ROOT));
  const m = i64x2.sub(u, v128.and(away, bits(EXPONENT)));
  const exponent = f64x2.convert_low_i32x4_s(i32x4.shr_s(v128.shuffle<u32>(away, away, 1, 3, 1, 3), 20));
  const one = constant(ONE);
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const z = f64x2.mul(s, s);
  let p = horner(LOG + 5, z, constant(LOG + 6));
  p = horner(LOG + 4, z, p);
  p = horner(LOG + 3, z, p);
  p = horner(LOG + 2, z, p);
  p = horner(LOG + 1, z, p);
  p = f64x2.mul(z, horner(LOG, z, p));
  const ln = f64x2.add(f64x2.mul(exponent, constant(PER_OCTAVE)), f64x2.mul(s, f64x2.add(constant(TWO), p)));
  const r = f64x2.sqrt(f64x2.mul(ln, constant(MINUS_TWO)));

  const t = f64x2.mul(f64x2.convert_low_i32x4_s(i32x4.shl(angle, 2)), constant(PER_ANGLE));
  const q = f64x2.mul(t, t);
  p = horner(SINE + 4, q, constant(SINE + 5));
  p = horner(SINE + 3, q, p);
  p = horner(SINE + 2, q, p);
  p = horner(SINE + 1, q, p);
  p = horner(SINE, q, p);
  const sn = f64x2.add(t, f64x2.mul(f64x2.mul(t, q), p));
  p = horner(COSINE + 4, q, constant(COSINE + 5));
  p = horner(COSINE + 3, q, p);
  p = horner(COSINE + 2, q, p);
  p = horner(COSINE + 1, q, p);
  p = horner(COSINE, q, p);
  const cs = f64x2.add(f64x2.sub(constant(ONE), f64x2.mul(constant(HALF), q)), f64x2.mul(f64x2.mul(q, q), p));

  // Of the angle from an eighth turn back: the top bit is the sine's sign and, a quarter turn on, the cosine's; the
  // bit below it says whether they change places.
  const back = i32x4.add(angle, bits(EIGHTH));
  const ahead = i32x4.add(angle, bits(THREE_EIGHTHS));
  const odd32 = i32x4.shr_s(i32x4.shl(back, 1), 31);
  const sign = bits(SIGN);
  const sineSign = v128.and(v128.shuffle<u32>(back, back, 0, 0, 1, 1), sign);
  const cosineSign = v128.and(v128.shuffle<u32>(ahead, ahead, 0, 0, 1, 1), sign);
  const swap = v128.and(v128.xor(sn, cs), v128.shuffle<u32>(odd32, odd32, 0, 0, 1, 1));
  cosines = f64x2.mul(r, v128.xor(v128.xor(cs, swap), cosineSign));
  sines = f64x2.mul(r, v128.xor(v128.xor(sn, swap), sineSign));
}

/** 2^x, with x clamped to +-EXPONENT_MAX. */
export function exp2(x: f64): f64 {
  if (x > EXPONENT_MAX) x = EXPONENT_MAX;
  if (x < -EXPONENT_MAX) x = -EXPONENT_MAX;
  const shifted = x + SHIFTER;
  const f = x - (shifted - SHIFTER);
  let p = E10 + f * E11;
  p = E9 + f * p;
  p = E8 + f * p;
  p = E7 + f * p;
  p = E6 + f * p;
  p = E5 + f * p;
  p = E4 + f * p;
  p = E3 + f * p;
  p = E2 + f * p;
  p = E1 + f * p;
  p = 1.0 + f * p;
  // The low bits of `shifted` are the integer nearest to x: move them into p's exponent.
  return reinterpret<f64>(reinterpret<i64>(p) + (reinterpret<i64>(shifted) << 52));
}

/** 2^x in both lanes, with x clamped to +-EXPONENT_MAX. */
// @ts-ignore: decorator
@inline
export function exp2Lanes(x: v128): v128 {
  x = f64x2.pmax(f64x2.pmin(x, constant(HIGHEST)), constant(LOWEST));
  const shifter = constant(SHIFT);
  const shifted = f64x2.add(x, shifter);
  const f = f64x2.sub(x, f64x2.sub(shifted, shifter));
  let p = horner(POWER + 9, f, constant(POWER + 10));
  p = horner(POWER + 8, f, p);
  p = horner(POWER + 7, f, p);
  p = horner(POWER + 6, f, p);
  p = horner(POWER + 5, f, p);
  p = horner(POWER + 4, f, p);
  p = horner(POWER + 3, f, p);
  p = horner(POWER + 2, f, p);
  p = horner(POWER + 1, f, p);
  p = horner(POWER, f, p);
  p = horner(ONE, f, p);
  return i64x2.add(p, i64x2.shl(shifted, 52));
}
