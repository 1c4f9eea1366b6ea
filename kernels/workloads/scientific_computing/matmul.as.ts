/**
 * Tiles of a product C = A B, each TILE x TILE, of which a grain has one. Parameters are laid out, and tiles numbered,
 * as `layout.ts` says.
 *
 * Packed parts of A (one band of TILE rows) and of B (the strips of one group, TILE columns each) are kept from grain to
 * grain: grains that follow each other share their band, and soon find all strips of the group made. They are made a
 * block of DEPTH inner indices at a time, when the product first needs the block.
 */
import { MATRIX_A, MATRIX_B, columnKeys, entry32, entry64, rowKeys, storeEntries32, storeEntries64 } from "../../assembly/entries";
import { gemm32, gemm64 } from "../../assembly/gemm";

const TILE: u32 = 64;
const DEPTH: u32 = 256;
/** Strips of a group. */
const GROUP: u32 = 16;
const SINGLE: u32 = 1;
const GIVEN: u32 = 2;
const SIZE_MAX: u32 = 8192;
const HEADER: usize = 32;
const NONE: u32 = 0xffffffff;

let single: bool = false;
let rows: u32 = 0;
let columns: u32 = 0;
let inner: u32 = 0;
let seedLow: u32 = 0;
let seedHigh: u32 = 0;
/** The given matrices, row by row, or 0 where entries are made from the seed. */
let givenA: usize = 0;
let givenB: usize = 0;
/** log2 of an entry's bytes. */
let shift: usize = 3;

let bandsOfC: u32 = 0;
let stripsOfC: u32 = 0;
let blocks: u32 = 0;

/** Packed: blocks of the band at hand, and of each strip of the group at hand. */
let packedA: usize = 0;
let packedB: usize = 0;
let bandAtHand: u32 = NONE;
let groupAtHand: u32 = NONE;
/** Blocks that are made already. */
let madeA: u32 = 0;
const madeB = memory.data(64, 16);
const keysOfBand = memory.data(256, 16);
const keysOfStrip = memory.data(256, 16);
/** Of the columns of A, and of the rows of B. */
let keysOfInnerA: usize = 0;
let keysOfInnerB: usize = 0;

/** Header and entries of the partial, the entries aligned. */
const room = memory.data(32784, 16);
const tile = room + 16;
const HEAD: usize = 8;
let band: u32 = 0;
let strip: u32 = 0;
let block: u32 = 0;
let height: u32 = 0;
let width: u32 = 0;

export function initTiles(params: usize, length: i32): i32 {
  const flags = load<u32>(params, 4);
  single = (flags & SINGLE) != 0;
  shift = single ? 2 : 3;
  rows = load<u32>(params, 8);
  columns = load<u32>(params, 12);
  inner = load<u32>(params, 16);
  seedLow = load<u32>(params, 20);
  seedHigh = load<u32>(params, 24);
  if (rows - 1 >= SIZE_MAX || columns - 1 >= SIZE_MAX || inner - 1 >= SIZE_MAX) return 3;
  const bytesOfA = flags & GIVEN ? <usize>(rows * inner) << shift : 0;
  const bytesOfB = flags & GIVEN ? <usize>(inner * columns) << shift : 0;
  if (<usize>length != HEADER + bytesOfA + bytesOfB) return 1;
  givenA = flags & GIVEN ? params + HEADER : 0;
  givenB = flags & GIVEN ? params + HEADER + bytesOfA : 0;
  bandsOfC = (rows + TILE - 1) / TILE;
  stripsOfC = (columns + TILE - 1) / TILE;
  blocks = (inner + DEPTH - 1) / DEPTH;
  const part = <usize>(inner * TILE) << shift;
  packedA = aligned(part);
  packedB = aligned(part * min(GROUP, stripsOfC));
  keysOfInnerA = aligned(<usize>inner << 2);
  keysOfInnerB = aligned(<usize>inner << 2);
  columnKeys(keysOfInnerA, MATRIX_A, seedHigh, 0, inner);
  rowKeys(keysOfInnerB, MATRIX_B, seedLow, 0, inner);
  return 0;
}

/** The runtime aligns to 16 bytes; blocks are read in cache lines. */
function aligned(bytes: usize): usize {
  return (heap.alloc(bytes + 64) + 63) & ~63;
}

/** Starts on tile `lo`; a range of more than one is refused, since a grain has one. */
export function beginTiles(lo: u32, hi: u32): void {
  const group = lo / (GROUP * bandsOfC);
  const first = group * GROUP;
  const strips = min(GROUP, stripsOfC - first);
  const within = lo - group * GROUP * bandsOfC;
  band = within / strips;
  strip = first + (within % strips);
  if (hi != lo + 1 || band >= bandsOfC || strip >= stripsOfC) unreachable();
  height = min(TILE, rows - band * TILE);
  width = min(TILE, columns - strip * TILE);
  store<u32>(tile - HEAD, lo);
  store<u16>(tile - HEAD, <u16>height, 4);
  store<u16>(tile - HEAD, <u16>width, 6);
  block = 0;
  memory.fill(tile, 0, <usize>(TILE * TILE) << shift);
  if (band != bandAtHand) {
    bandAtHand = band;
    madeA = 0;
    rowKeys(keysOfBand, MATRIX_A, seedLow, band * TILE, TILE);
  }
  if (group != groupAtHand) {
    groupAtHand = group;
    memory.fill(madeB, 0, 64);
  }
  columnKeys(keysOfStrip, MATRIX_B, seedHigh, strip * TILE, TILE);
}

/** A unit is the product of one block: 2 * 64 * 64 * 256 operations. */
export function stepTiles(units: i32): i32 {
  for (; units > 0 && block < blocks; units--, block++) multiplyBlock();
  if (block < blocks) return 0;
  narrow();
  return 1;
}

export function tilesDone(): f64 {
  return <f64>block / <f64>blocks;
}

export function tileBytes(): usize {
  return tile - HEAD;
}

export function tileLength(): i32 {
  return <i32>(<usize>(height * width) << shift) + <i32>HEAD;
}

function multiplyBlock(): void {
  const from = block * DEPTH;
  const depth = min(DEPTH, inner - from);
  const slot = strip % GROUP;
  const a = packedA + ((<usize>(from * TILE)) << shift);
  const b = packedB + ((<usize>(slot * inner * TILE + from * TILE)) << shift);
  if (madeA <= block) {
    makeA(a, from, depth);
    madeA = block + 1;
  }
  const made = madeB + ((<usize>slot) << 2);
  if (load<u32>(made) <= block) {
    makeB(b, from, depth);
    store<u32>(made, block + 1);
  }
  if (single) gemm32(a, b, tile, TILE << 2, 16, 8, depth);
  else gemm64(a, b, tile, TILE << 3, 16, 16, depth);
}

/** The part of the tile that lies within C, without gaps. */
function narrow(): void {
  if (width == TILE) return;
  const from = <usize>TILE << shift;
  const to = <usize>width << shift;
  for (let row: usize = 1; row < <usize>height; row++) memory.copy(tile + row * to, tile + row * from, to);
}

/** Packs columns from..from+depth of the band of A: panels of four rows. */
function makeA(at: usize, from: u32, depth: u32): void {
  const keys = keysOfInnerA + (<usize>from << 2);
  for (let panel: u32 = 0; panel < TILE; panel += 4) {
    if (givenA) copyPanelA(at, panel, from, depth);
    else if (ASC_FEATURE_SIMD) fillPanel(at, v128.load(keysOfBand + (<usize>panel << 2)), keys, depth, <usize>4 << shift);
    else fillPanelScalar(at, keysOfBand + (<usize>panel << 2), keys, depth, <usize>4 << shift);
    at += (<usize>depth << 2) << shift;
  }
}

/** Packs rows from..from+depth of the strip of B: panels of four columns (f64) or eight (f32). */
function makeB(at: usize, from: u32, depth: u32): void {
  const keys = keysOfInnerB + (<usize>from << 2);
  // Either has 32 bytes for each inner index.
  const panelColumns: u32 = single ? 8 : 4;
  for (let panel: u32 = 0; panel < TILE; panel += panelColumns) {
    if (givenB) copyPanelB(at, panel, panelColumns, from, depth);
    else {
      for (let part: u32 = 0; part < panelColumns; part += 4) {
        const columnKey = keysOfStrip + (<usize>(panel + part) << 2);
        const start = at + (<usize>part << shift);
        if (ASC_FEATURE_SIMD) fillPanel(start, v128.load(columnKey), keys, depth, 32);
        else fillPanelScalar(start, columnKey, keys, depth, 32);
      }
    }
    at += <usize>depth << 5;
  }
}

/** For each key of `keys`: the four entries that it makes with the lanes of `four`, `stride` bytes apart. */
function fillPanel(at: usize, four: v128, keys: usize, depth: u32, stride: usize): void {
  const end = keys + (<usize>depth << 2);
  if (single) for (; keys < end; keys += 4, at += stride) storeEntries32(at, v128.xor(four, v128.load32_splat(keys)));
  else for (; keys < end; keys += 4, at += stride) storeEntries64(at, v128.xor(four, v128.load32_splat(keys)));
}

function fillPanelScalar(at: usize, four: usize, keys: usize, depth: u32, stride: usize): void {
  const end = keys + (<usize>depth << 2);
  for (; keys < end; keys += 4, at += stride) {
    const key = load<u32>(keys);
    for (let lane: usize = 0; lane < 4; lane++) {
      const other = load<u32>(four + (lane << 2));
      if (single) store<f32>(at + (lane << 2), entry32(other, key));
      else store<f64>(at + (lane << 3), entry64(other, key));
    }
  }
}

function copyPanelA(at: usize, panel: u32, from: u32, depth: u32): void {
  for (let lane: u32 = 0; lane < 4; lane++) {
    const row = band * TILE + panel + lane;
    const source = givenA + ((<usize>(row * inner + from)) << shift);
    copyStrided(at + (<usize>lane << shift), <usize>4 << shift, source, <usize>1 << shift, depth, row < rows);
  }
}

function copyPanelB(at: usize, panel: u32, panelColumns: u32, from: u32, depth: u32): void {
  for (let lane: u32 = 0; lane < panelColumns; lane++) {
    const column = strip * TILE + panel + lane;
    const source = givenB + ((<usize>(from * columns + column)) << shift);
    copyStrided(at + (<usize>lane << shift), 32, source, <usize>columns << shift, depth, column < columns);
  }
}

/** `count` entries with both strides; zeros where there are none. */
function copyStrided(at: usize, stride: usize, source: usize, sourceStride: usize, count: u32, there: bool): void {
  for (; count > 0; count--, at += stride, source += sourceStride) {
    if (single) store<f32>(at, there ? load<f32>(source) : 0);
    else store<f64>(at, there ? load<f64>(source) : 0);
  }
}
