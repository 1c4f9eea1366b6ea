/**
 * LINPACK: solves A x = b of n random equations by LU with partial pivoting, in f64, as HPL does. Blocked and
 * right-looking: a panel of BLOCK columns is factorised, its rows of U are solved, and the rest is updated by `gemm64`.
 *
 * A lies row by row, padded to a multiple of BLOCK by rows and columns of the identity, which change nothing. Each
 * entry is computed in the same order in the scalar and the SIMD build, so the solution is the same to the bit.
 */
import { MATRIX_A, MATRIX_B, columnKeys, entry64, rowKeys } from "../../assembly/entries";
import { gemm64, PANEL64_B, PANEL_A } from "../../assembly/gemm";

const BLOCK: u32 = 64;
const SIZE_MAX: u32 = 3072;

let n: u32 = 0;
/** n, rounded up to whole blocks. */
let padded: u32 = 0;
let rowBytes: usize = 0;
let seedLow: u32 = 0;
let seedHigh: u32 = 0;
let run: u32 = 0;

let a: usize = 0;
let b: usize = 0;
let pivots: usize = 0;
let keysOfRows: usize = 0;
let keysOfColumns: usize = 0;
/** Packed: the panel below its block, with the other sign, and a strip of U. */
let packedL: usize = 0;
let packedU: usize = 0;
/** Header and solution. */
let answer: usize = 0;
const HEAD: usize = 16;

const GENERATE: i32 = 0;
const PANEL: i32 = 1;
const ROWS: i32 = 2;
const UPDATE: i32 = 3;
const SOLVE: i32 = 4;
const DONE: i32 = 5;
let stage: i32 = DONE;
/** First row and column of the block at hand. */
let k: u32 = 0;
/** Row that is generated, or column whose strip is updated next. */
let at: u32 = 0;

// @ts-ignore: decorator
@inline
function entry(row: u32, column: u32): usize {
  return a + <usize>row * rowBytes + (<usize>column << 3);
}

export function initSystem(params: usize): i32 {
  n = load<u32>(params, 8);
  seedLow = load<u32>(params, 20);
  seedHigh = load<u32>(params, 24);
  if (n - 1 >= SIZE_MAX) return 3;
  padded = (n + BLOCK - 1) & ~(BLOCK - 1);
  rowBytes = <usize>padded << 3;
  a = aligned(<usize>padded * rowBytes);
  b = aligned(rowBytes);
  pivots = aligned(<usize>BLOCK << 2);
  keysOfRows = aligned(<usize>padded << 2);
  keysOfColumns = aligned(<usize>padded << 2);
  packedL = aligned(rowBytes * BLOCK);
  packedU = aligned(<usize>(BLOCK * BLOCK) << 3);
  answer = aligned(HEAD + rowBytes);
  return 0;
}

function aligned(bytes: usize): usize {
  return (heap.alloc(bytes + 64) + 63) & ~63;
}

/** Starts on the system of run `lo`; a range of more than one is refused, since a grain has one. */
export function beginSystem(lo: u32, hi: u32): void {
  if (hi != lo + 1) unreachable();
  run = lo;
  rowKeys(keysOfRows, MATRIX_A, seedLow + run, 0, n);
  columnKeys(keysOfColumns, MATRIX_A, seedHigh, 0, n);
  stage = GENERATE;
  at = 0;
  k = 0;
}

/** A unit is a block of generated rows, a panel, its rows of U, or the update of a strip of BLOCK columns. */
export function stepSystem(units: i32): i32 {
  for (; units > 0 && stage != DONE; units--) {
    if (stage == GENERATE) generate();
    else if (stage == PANEL) factorise();
    else if (stage == ROWS) solveRows();
    else if (stage == UPDATE) update();
    else solve();
  }
  return stage == DONE ? 1 : 0;
}

/** Share of the operations: what is left of n^3 once k columns are done. */
export function systemDone(): f64 {
  const left = 1 - <f64>k / <f64>padded;
  return stage == DONE ? 1 : 1 - left * left * left;
}

export function systemTook(ms: f64): void {
  store<f64>(answer, ms);
}

export function systemBytes(): usize {
  store<u32>(answer, run, 8);
  store<u32>(answer, n, 12);
  return answer;
}

export function systemLength(): i32 {
  return <i32>(HEAD + (<usize>n << 3));
}

function generate(): void {
  const end = min(at + BLOCK, padded);
  for (; at < end; at++) {
    const row = entry(at, 0);
    memory.fill(row, 0, rowBytes);
    if (at >= n) {
      store<f64>(entry(at, at), 1);
      store<f64>(b + (<usize>at << 3), 0);
      continue;
    }
    const rowKey = load<u32>(keysOfRows + (<usize>at << 2));
    for (let j: u32 = 0; j < n; j++)
      store<f64>(row + (<usize>j << 3), entry64(rowKey, load<u32>(keysOfColumns + (<usize>j << 2))));
  }
  if (at < padded) return;
  // The right side is the first column of B.
  rowKeys(keysOfRows, MATRIX_B, seedLow + run, 0, n);
  columnKeys(answer, MATRIX_B, seedHigh, 0, 1);
  const columnKey = load<u32>(answer);
  for (let i: u32 = 0; i < n; i++)
    store<f64>(b + (<usize>i << 3), entry64(load<u32>(keysOfRows + (<usize>i << 2)), columnKey));
  stage = PANEL;
}

/** Columns k..k+BLOCK below the diagonal: L with its multipliers, the pivots' rows swapped within the panel. */
function factorise(): void {
  for (let j: u32 = 0; j < BLOCK; j++) {
    const column = k + j;
    let pivot = column;
    let largest: f64 = abs(load<f64>(entry(column, column)));
    for (let i = column + 1; i < padded; i++) {
      const size: f64 = abs(load<f64>(entry(i, column)));
      if (size > largest) {
        largest = size;
        pivot = i;
      }
    }
    store<u32>(pivots + (<usize>j << 2), pivot);
    if (pivot != column) swap(entry(column, k), entry(pivot, k), <usize>BLOCK << 3);
    const upper = entry(column, column);
    const inverse = 1 / load<f64>(upper);
    for (let i = column + 1; i < padded; i++) {
      const lower = entry(i, column);
      const multiplier = load<f64>(lower) * inverse;
      store<f64>(lower, multiplier);
      subtract(lower + 8, upper + 8, multiplier, BLOCK - 1 - j);
    }
  }
  stage = ROWS;
}

/** Swaps the pivots' rows in the other columns, and solves for the rows of U right of the panel. */
function solveRows(): void {
  const right = k + BLOCK;
  const rest = padded - right;
  for (let j: u32 = 0; j < BLOCK; j++) {
    const pivot = load<u32>(pivots + (<usize>j << 2));
    const row = k + j;
    if (pivot == row) continue;
    swap(entry(row, 0), entry(pivot, 0), <usize>k << 3);
    swap(entry(row, right), entry(pivot, right), <usize>rest << 3);
    swap(b + (<usize>row << 3), b + (<usize>pivot << 3), 8);
  }
  for (let i: u32 = 1; i < BLOCK; i++)
    for (let j: u32 = 0; j < i; j++) subtract(entry(k + i, right), entry(k + j, right), load<f64>(entry(k + i, k + j)), rest);
  if (rest == 0) {
    stage = SOLVE;
    return;
  }
  packL(right, rest);
  at = right;
  stage = UPDATE;
}

/** Rows right.. of the panel, with the other sign: panels of PANEL_A rows. */
function packL(right: u32, rest: u32): void {
  let to = packedL;
  for (let row: u32 = 0; row < rest; row += <u32>PANEL_A)
    for (let inner: u32 = 0; inner < BLOCK; inner++)
      for (let lane: u32 = 0; lane < <u32>PANEL_A; lane++, to += 8)
        store<f64>(to, -load<f64>(entry(right + row + lane, k + inner)));
}

/** Subtracts L U from a strip of BLOCK columns. */
function update(): void {
  let to = packedU;
  for (let column: u32 = 0; column < BLOCK; column += <u32>PANEL64_B)
    for (let inner: u32 = 0; inner < BLOCK; inner++, to += 32) {
      const from = entry(k + inner, at + column);
      store<f64>(to, load<f64>(from));
      store<f64>(to, load<f64>(from, 8), 8);
      store<f64>(to, load<f64>(from, 16), 16);
      store<f64>(to, load<f64>(from, 24), 24);
    }
  const right = k + BLOCK;
  const rest = padded - right;
  gemm64(packedL, packedU, entry(right, at), rowBytes, <i32>(rest / <u32>PANEL_A), <i32>(BLOCK / <u32>PANEL64_B), <i32>BLOCK);
  at += BLOCK;
  if (at < padded) return;
  k = right;
  stage = PANEL;
}

/** Forward and back substitution. */
function solve(): void {
  for (let j: u32 = 0; j < padded; j++) {
    const y = load<f64>(b + (<usize>j << 3));
    for (let i = j + 1; i < padded; i++) {
      const due = b + (<usize>i << 3);
      store<f64>(due, load<f64>(due) - load<f64>(entry(i, j)) * y);
    }
  }
  const x = answer + HEAD;
  for (let i = <i32>padded - 1; i >= 0; i--) {
    let sum = load<f64>(b + (<usize>i << 3));
    for (let j = <u32>i + 1; j < padded; j++) sum -= load<f64>(entry(<u32>i, j)) * load<f64>(x + (<usize>j << 3));
    store<f64>(x + (<usize>i << 3), sum / load<f64>(entry(<u32>i, <u32>i)));
  }
  stage = DONE;
}

/** to -= factor * from, of `count` numbers. */
// @ts-ignore: decorator
@inline
function subtract(to: usize, from: usize, factor: f64, count: u32): void {
  const end = to + (<usize>count << 3);
  if (ASC_FEATURE_SIMD) {
    const factors = f64x2.splat(factor);
    for (; to + 8 < end; to += 16, from += 16)
      v128.store(to, f64x2.sub(v128.load(to), f64x2.mul(factors, v128.load(from))));
  }
  for (; to < end; to += 8, from += 8) store<f64>(to, load<f64>(to) - factor * load<f64>(from));
}

function swap(one: usize, other: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) {
    const kept = load<f64>(one + i);
    store<f64>(one + i, load<f64>(other + i));
    store<f64>(other + i, kept);
  }
}
