/**
 * The inner part of blocked matrix products: C += A B on packed blocks, in f64 and f32.
 *
 * A block of A holds panels of PANEL_A rows, one after the other: for each inner index k the panel's PANEL_A entries of
 * column k. A block of B holds panels of PANEL64_B (or PANEL32_B) columns: for each k the panel's entries of row k.
 * C is in rows of `rowBytes` bytes. So a step of the innermost loop reads both panels straight on, and its sums stay in
 * registers. The order is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", ACM
 * TOMS 34(3), 2008.
 *
 * An entry of C is a sum in order of k, c + a0 b0 + a1 b1 + ..., each product and each sum rounded by itself: the same
 * bits whatever the blocks, in the scalar and the SIMD build, and as a plain triple loop gives.
 */

/** Rows of a panel of A. */
// @ts-ignore: decorator
@inline export const PANEL_A: i32 = 4;
/** Columns of a panel of B: two vectors each. */
// @ts-ignore: decorator
@inline export const PANEL64_B: i32 = 4;
// @ts-ignore: decorator
@inline export const PANEL32_B: i32 = 8;

/** C (panelsA * 4 rows, panelsB * 4 columns) += A B over `depth` inner indices, in f64. */
export function gemm64(a: usize, b: usize, c: usize, rowBytes: usize, panelsA: i32, panelsB: i32, depth: i32): void {
  const aBytes = (<usize>depth) << 5;
  const bBytes = (<usize>depth) << 5;
  for (let j = 0; j < panelsB; j++, b += bBytes, c += 32) {
    let panel = a;
    let rows = c;
    for (let i = 0; i < panelsA; i++, panel += aBytes, rows += rowBytes << 2) {
      if (ASC_FEATURE_SIMD) micro64(panel, b, rows, rowBytes, depth);
      else scalar64(panel, b, rows, rowBytes, depth);
    }
  }
}

/** C (panelsA * 4 rows, panelsB * 8 columns) += A B over `depth` inner indices, in f32. */
export function gemm32(a: usize, b: usize, c: usize, rowBytes: usize, panelsA: i32, panelsB: i32, depth: i32): void {
  const aBytes = (<usize>depth) << 4;
  const bBytes = (<usize>depth) << 5;
  for (let j = 0; j < panelsB; j++, b += bBytes, c += 32) {
    let panel = a;
    let rows = c;
    for (let i = 0; i < panelsA; i++, panel += aBytes, rows += rowBytes << 2) {
      if (ASC_FEATURE_SIMD) micro32(panel, b, rows, rowBytes, depth);
      else scalar32(panel, b, rows, rowBytes, depth);
    }
  }
}

/** c + a b, rounded twice. */
// @ts-ignore: decorator
@inline
function plus64(c: v128, a: v128, b: v128): v128 {
  return f64x2.add(c, f64x2.mul(a, b));
}

// @ts-ignore: decorator
@inline
function plus32(c: v128, a: v128, b: v128): v128 {
  return f32x4.add(c, f32x4.mul(a, b));
}

function micro64(a: usize, b: usize, c: usize, rowBytes: usize, depth: i32): void {
  const row1 = c + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  let c00 = v128.load(c);
  let c01 = v128.load(c, 16);
  let c10 = v128.load(row1);
  let c11 = v128.load(row1, 16);
  let c20 = v128.load(row2);
  let c21 = v128.load(row2, 16);
  let c30 = v128.load(row3);
  let c31 = v128.load(row3, 16);
  const end = a + ((<usize>depth) << 5);
  for (; a < end; a += 32, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load64_splat(a);
    c00 = plus64(c00, a0, b0);
    c01 = plus64(c01, a0, b1);
    const a1 = v128.load64_splat(a, 8);
    c10 = plus64(c10, a1, b0);
    c11 = plus64(c11, a1, b1);
    const a2 = v128.load64_splat(a, 16);
    c20 = plus64(c20, a2, b0);
    c21 = plus64(c21, a2, b1);
    const a3 = v128.load64_splat(a, 24);
    c30 = plus64(c30, a3, b0);
    c31 = plus64(c31, a3, b1);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(row1, c10);
  v128.store(row1, c11, 16);
  v128.store(row2, c20);
  v128.store(row2, c21, 16);
  v128.store(row3, c30);
  v128.store(row3, c31, 16);
}

function micro32(a: usize, b: usize, c: usize, rowBytes: usize, depth: i32): void {
  const row1 = c + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  let c00 = v128.load(c);
  let c01 = v128.load(c, 16);
  let c10 = v128.load(row1);
  let c11 = v128.load(row1, 16);
  let c20 = v128.load(row2);
  let c21 = v128.load(row2, 16);
  let c30 = v128.load(row3);
  let c31 = v128.load(row3, 16);
  const end = a + ((<usize>depth) << 4);
  for (; a < end; a += 16, b += 32) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = plus32(c00, a0, b0);
    c01 = plus32(c01, a0, b1);
    const a1 = v128.load32_splat(a, 4);
    c10 = plus32(c10, a1, b0);
    c11 = plus32(c11, a1, b1);
    const a2 = v128.load32_splat(a, 8);
    c20 = plus32(c20, a2, b0);
    c21 = plus32(c21, a2, b1);
    const a3 = v128.load32_splat(a, 12);
    c30 = plus32(c30, a3, b0);
    c31 = plus32(c31, a3, b1);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(row1, c10);
  v128.store(row1, c11, 16);
  v128.store(row2, c20);
  v128.store(row2, c21, 16);
  v128.store(row3, c30);
  v128.store(row3, c31, 16);
}

/** As `micro64`: two columns at a time, whose eight sums fit the registers that scalars have. */
function scalar64(a: usize, b: usize, c: usize, rowBytes: usize, depth: i32): void {
  const end = a + ((<usize>depth) << 5);
  const row1 = c + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  for (let column: usize = 0; column < 32; column += 16) {
    let c00 = load<f64>(c + column);
    let c01 = load<f64>(c + column, 8);
    let c10 = load<f64>(row1 + column);
    let c11 = load<f64>(row1 + column, 8);
    let c20 = load<f64>(row2 + column);
    let c21 = load<f64>(row2 + column, 8);
    let c30 = load<f64>(row3 + column);
    let c31 = load<f64>(row3 + column, 8);
    let q = b + column;
    for (let p = a; p < end; p += 32, q += 32) {
      const b0 = load<f64>(q);
      const b1 = load<f64>(q, 8);
      const a0 = load<f64>(p);
      c00 += a0 * b0;
      c01 += a0 * b1;
      const a1 = load<f64>(p, 8);
      c10 += a1 * b0;
      c11 += a1 * b1;
      const a2 = load<f64>(p, 16);
      c20 += a2 * b0;
      c21 += a2 * b1;
      const a3 = load<f64>(p, 24);
      c30 += a3 * b0;
      c31 += a3 * b1;
    }
    store<f64>(c + column, c00);
    store<f64>(c + column, c01, 8);
    store<f64>(row1 + column, c10);
    store<f64>(row1 + column, c11, 8);
    store<f64>(row2 + column, c20);
    store<f64>(row2 + column, c21, 8);
    store<f64>(row3 + column, c30);
    store<f64>(row3 + column, c31, 8);
  }
}

function scalar32(a: usize, b: usize, c: usize, rowBytes: usize, depth: i32): void {
  const end = a + ((<usize>depth) << 4);
  const row1 = c + rowBytes;
  const row2 = row1 + rowBytes;
  const row3 = row2 + rowBytes;
  for (let column: usize = 0; column < 32; column += 8) {
    let c00 = load<f32>(c + column);
    let c01 = load<f32>(c + column, 4);
    let c10 = load<f32>(row1 + column);
    let c11 = load<f32>(row1 + column, 4);
    let c20 = load<f32>(row2 + column);
    let c21 = load<f32>(row2 + column, 4);
    let c30 = load<f32>(row3 + column);
    let c31 = load<f32>(row3 + column, 4);
    let q = b + column;
    for (let p = a; p < end; p += 16, q += 32) {
      const b0 = load<f32>(q);
      const b1 = load<f32>(q, 4);
      const a0 = load<f32>(p);
      c00 += a0 * b0;
      c01 += a0 * b1;
      const a1 = load<f32>(p, 4);
      c10 += a1 * b0;
      c11 += a1 * b1;
      const a2 = load<f32>(p, 8);
      c20 += a2 * b0;
      c21 += a2 * b1;
      const a3 = load<f32>(p, 12);
      c30 += a3 * b0;
      c31 += a3 * b1;
    }
    store<f32>(c + column, c00);
    store<f32>(c + column, c01, 4);
    store<f32>(row1 + column, c10);
    store<f32>(row1 + column, c11, 4);
    store<f32>(row2 + column, c20);
    store<f32>(row2 + column, c21, 4);
    store<f32>(row3 + column, c30);
    store<f32>(row3 + column, c31, 4);
  }
}
