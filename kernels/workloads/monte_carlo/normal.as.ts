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
@inline const SHIFTER_BITS: i64 = 0x4338000000000000;
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

/** Box-Muller on the two low lanes of each vector; the answers are in `cosines` and `sines`. */
// @ts-ignore: decorator
@inline
export function normalsLanes(radius: v128, angle: v128): void {
  const u = f64x2.mul(f64x2.add(f64x2.convert_low_i32x4_u(radius), f64x2.splat(0.5)), f64x2.splat(TWO_NEG32));
  const e = i64x2.shr_s(i64x2.sub(u, i64x2.splat(SQRT_HALF_BITS)), 52);
  const m = i64x2.sub(u, i64x2.shl(e, 52));
  const exponent = f64x2.sub(i64x2.add(e, i64x2.splat(SHIFTER_BITS)), f64x2.splat(SHIFTER));
  const s = f64x2.div(f64x2.sub(m, f64x2.splat(1.0)), f64x2.add(m, f64x2.splat(1.0)));
  const z = f64x2.mul(s, s);
  let p = f64x2.add(f64x2.splat(L6), f64x2.mul(z, f64x2.splat(L7)));
  p = f64x2.add(f64x2.splat(L5), f64x2.mul(z, p));
  p = f64x2.add(f64x2.splat(L4), f64x2.mul(z, p));
  p = f64x2.add(f64x2.splat(L3), f64x2.mul(z, p));
  p = f64x2.add(f64x2.splat(L2), f64x2.mul(z, p));
  p = f64x2.mul(z, f64x2.add(f64x2.splat(L1), f64x2.mul(z, p)));
  const ln = f64x2.add(f64x2.mul(exponent, f64x2.splat(LN2)), f64x2.mul(s, f64x2.add(f64x2.splat(2.0), p)));
  const r = f64x2.sqrt(f64x2.mul(ln, f64x2.splat(-2.0)));

  const t = f64x2.mul(f64x2.convert_low_i32x4_s(i32x4.shl(angle, 2)), f64x2.splat(ANGLE));
  const q = f64x2.mul(t, t);
  p = f64x2.add(f64x2.splat(S5), f64x2.mul(q, f64x2.splat(S6)));
  p = f64x2.add(f64x2.splat(S4), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(S3), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(S2), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(S1), f64x2.mul(q, p));
  const sn = f64x2.add(t, f64x2.mul(f64x2.mul(t, q), p));
  p = f64x2.add(f64x2.splat(C5), f64x2.mul(q, f64x2.splat(C6)));
  p = f64x2.add(f64x2.splat(C4), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(C3), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(C2), f64x2.mul(q, p));
  p = f64x2.add(f64x2.splat(C1), f64x2.mul(q, p));
  const cs = f64x2.add(
    f64x2.sub(f64x2.splat(1.0), f64x2.mul(f64x2.splat(0.5), q)),
    f64x2.mul(f64x2.mul(q, q), p),
  );

  // Quadrants as 64-bit lanes: odd ones swap sine and cosine, and the signs are bits moved to the top.
  const quadrant = i64x2.extend_low_i32x4_u(i32x4.shr_u(i32x4.add(angle, i32x4.splat(0x20000000)), 30));
  const odd = i64x2.sub(i64x2.splat(0), v128.and(quadrant, i64x2.splat(1)));
  const two = i64x2.splat(2);
  const cosineSign = i64x2.shl(v128.and(i64x2.add(quadrant, i64x2.splat(1)), two), 62);
  const sineSign = i64x2.shl(v128.and(quadrant, two), 62);
  cosines = f64x2.mul(r, v128.xor(v128.bitselect(sn, cs, odd), cosineSign));
  sines = f64x2.mul(r, v128.xor(v128.bitselect(cs, sn, odd), sineSign));
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
  x = f64x2.pmax(f64x2.pmin(x, f64x2.splat(EXPONENT_MAX)), f64x2.splat(-EXPONENT_MAX));
  const shifted = f64x2.add(x, f64x2.splat(SHIFTER));
  const f = f64x2.sub(x, f64x2.sub(shifted, f64x2.splat(SHIFTER)));
  let p = f64x2.add(f64x2.splat(E10), f64x2.mul(f, f64x2.splat(E11)));
  p = f64x2.add(f64x2.splat(E9), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E8), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E7), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E6), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E5), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E4), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E3), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E2), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(E1), f64x2.mul(f, p));
  p = f64x2.add(f64x2.splat(1.0), f64x2.mul(f, p));
  return i64x2.add(p, i64x2.shl(shifted, 52));
}
