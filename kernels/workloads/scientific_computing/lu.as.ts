/**
 * A round of a distributed LU: tiles of one column of blocks, in f64. Round k knows L and U of the k columns before (the
 * round's input, laid out as `factors.ts` says) and gives
 *
 *   T(i) = A(i, k) - sum over l < k of L(i, l) U(l, k),   for the rows of blocks i = k, k + 1, ...
 *
 * with A's rows in the order that pivoting has brought them into. U(l, k) is solved for once in each round by every node,
 * which costs less than to send it; the coordinator factorises the column and asks for the next.
 */
import { columnKeys, entry64, MATRIX_A, rowKeys } from "../../assembly/entries";
import { gemm64, PANEL64_B, PANEL_A } from "../../assembly/gemm";

const BLOCK: u32 = 64;
const BLOCK_BYTES: usize = 32768;
const ROW_BYTES: usize = 512;
const SIZE_MAX: u32 = 1024;
const GIVEN: u32 = 2;
const HEAD: usize = 8;

let n: u32 = 0;
let seedLow: u32 = 0;
let seedHigh: u32 = 0;
let given: usize = 0;
let k: u32 = 0;
/** Row of A that stands in each place; 0 for the first round, where all are in their own. */
let order: usize = 0;
/** L and U so far, row by row. */
let factors: usize = 0;
let factorRowBytes: usize = 0;

let keysOfRows: usize = 0;
let keysOfColumns: usize = 0;
/** U(l, k) for each l, packed. */
let upper: usize = 0;
let packedL: usize = 0;
/** Header and entries of the partial, the entries aligned. */
const room = memory.data(32784, 16);
const tile = room + 16;
let row: u32 = 0;
let isSolved = false;

/** 3: a size is out of bounds. 4: the round's input does not fit. */
export function initLu(params: usize, length: i32, round: usize, roundLength: i32): i32 {
  n = load<u32>(params, 8);
  seedLow = load<u32>(params, 20);
  seedHigh = load<u32>(params, 24);
  if (n - 1 >= SIZE_MAX) return 3;
  given = load<u32>(params, 4) & GIVEN ? params + 32 : 0;
  if (<usize>length != 32 + (given ? (<usize>(n * n) << 3) : 0)) return 1;
  const padded = (n + BLOCK - 1) & ~(BLOCK - 1);
  k = round ? load<u32>(round) : 0;
  if (round) {
    factorRowBytes = <usize>(k * BLOCK) << 3;
    order = round + 8;
    factors = order + (<usize>padded << 2);
    if (<usize>roundLength != 8 + (<usize>padded << 2) + <usize>padded * factorRowBytes) return 4;
  }
  keysOfRows = heap.alloc(<usize>padded << 2);
  keysOfColumns = heap.alloc(ROW_BYTES);
  upper = heap.alloc(BLOCK_BYTES * (<usize>k + 1));
  packedL = heap.alloc(BLOCK_BYTES);
  rowKeys(keysOfRows, MATRIX_A, seedLow, 0, n);
  columnKeys(keysOfColumns, MATRIX_A, seedHigh, k * BLOCK, BLOCK);
  isSolved = false;
  return 0;
}

export function beginLu(lo: u32, hi: u32): void {
  if (hi != lo + 1 || (k + lo) * BLOCK >= n) unreachable();
  row = k + lo;
  store<u32>(tile - HEAD, lo);
  store<u16>(tile - HEAD, <u16>BLOCK, 4);
  store<u16>(tile - HEAD, <u16>BLOCK, 6);
}

/** A unit is all that the round begins with, or a tile. */
export function stepLu(): i32 {
  if (!isSolved) {
    for (let l: u32 = 0; l < k; l++) solveFor(l);
    isSolved = true;
    if (k > 0) return 0;
  }
  gather(row);
  for (let l: u32 = 0; l < k; l++) subtract(row, l);
  return 1;
}

export function luBytes(): usize {
  return tile - HEAD;
}

export function luLength(): i32 {
  return <i32>(HEAD + BLOCK_BYTES);
}

/** Rows of A's column k, into the tile; beyond n those of the identity. */
function gather(block: u32): void {
  for (let i: u32 = 0; i < BLOCK; i++) {
    const place = block * BLOCK + i;
    const source = order ? load<u32>(order + (<usize>place << 2)) : place;
    const to = tile + <usize>i * ROW_BYTES;
    for (let j: u32 = 0; j < BLOCK; j++) {
      const column = k * BLOCK + j;
      let value: f64 = 0;
      if (source >= n || column >= n) value = source == column ? 1 : 0;
      else if (given) value = load<f64>(given + ((<usize>source * n + column) << 3));
      else value = entry64(load<u32>(keysOfRows + (<usize>source << 2)), load<u32>(keysOfColumns + (<usize>j << 2)));
      store<f64>(to + (<usize>j << 3), value);
    }
  }
}

// @ts-ignore: decorator
@inline
function factor(i: u32, j: u32): f64 {
  return load<f64>(factors + <usize>i * factorRowBytes + (<usize>j << 3));
}

/** tile -= L(block, l) U(l, k). */
function subtract(block: u32, l: u32): void {
  let to = packedL;
  for (let i: u32 = 0; i < BLOCK; i += <u32>PANEL_A)
    for (let inner: u32 = 0; inner < BLOCK; inner++)
      for (let lane: u32 = 0; lane < <u32>PANEL_A; lane++, to += 8)
        store<f64>(to, -factor(block * BLOCK + i + lane, l * BLOCK + inner));
  gemm64(packedL, upper + <usize>l * BLOCK_BYTES, tile, ROW_BYTES, 16, 16, <i32>BLOCK);
}

/** U(l, k), by what is known of those above it. */
function solveFor(l: u32): void {
  gather(l);
  for (let m: u32 = 0; m < l; m++) subtract(l, m);
  // The unit lower triangle of block (l, l).
  for (let i: u32 = 1; i < BLOCK; i++)
    for (let j: u32 = 0; j < i; j++) {
      const multiplier = factor(l * BLOCK + i, l * BLOCK + j);
      const to = tile + <usize>i * ROW_BYTES;
      const from = tile + <usize>j * ROW_BYTES;
      for (let at: usize = 0; at < ROW_BYTES; at += 8) store<f64>(to + at, load<f64>(to + at) - multiplier * load<f64>(from + at));
    }
  let to = upper + <usize>l * BLOCK_BYTES;
  for (let column: u32 = 0; column < BLOCK; column += <u32>PANEL64_B)
    for (let inner: u32 = 0; inner < BLOCK; inner++, to += 32)
      memory.copy(to, tile + <usize>inner * ROW_BYTES + (<usize>column << 3), 32);
}
