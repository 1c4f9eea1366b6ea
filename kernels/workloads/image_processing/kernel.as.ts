/**
 * Image pipelines, a tile at a time. A round either finds out what an operation must know of the whole image (a histogram,
 * one for each cell), or gives pixels. Parameters, inputs and partials are laid out as `program.ts` and `layout.ts` say.
 */
import { cellSize } from "./colour.as";
import { run, Source } from "./stages.as";
import { Window } from "./window.as";

const PIXELS: i32 = 0;
const HISTOGRAM: i32 = 1;
const CELLS: i32 = 2;

const HEADER: usize = 64;
const HEAD: usize = 12;
const BINS: usize = 256;

let given: usize = 0;
let givenLength: i32 = 0;
const source = new Source();
const sent = new Window();
let inputs: usize = 0;
let inputsRoom: usize = 0;
let inputsFirst: u32 = 0;
let answer: usize = 0;
let answerLength: usize = 0;

let edge: i32 = 0;
let kind: i32 = 0;
let stages: i32 = 0;
let width: i32 = 0;
let height: i32 = 0;
let channels: i32 = 0;
let cellsAcross: i32 = 0;
let cellsDown: i32 = 0;
/** Among all tiles, the first of its image, and which image that is. */
let tile: u32 = 0;
let first: u32 = 0;
let image: u32 = 0;
let handed: usize = 0;
let handedLength: usize = 0;

export function params(length: i32): i32 {
  given = heap.alloc(<usize>length);
  givenLength = length;
  return <i32>given;
}

export function round(length: i32): i32 {
  handed = heap.alloc(<usize>length);
  handedLength = <usize>length;
  return <i32>handed;
}

export function input(length: i32, first: f64): i32 {
  if (<usize>length > inputsRoom) {
    // As large as inputs get.
    inputsRoom = max(<usize>length, 4 << 20);
    inputs = heap.alloc(inputsRoom);
  }
  inputsFirst = <u32>first;
  return <i32>inputs;
}

/** 1: the parameters are too short. */
export function init(): i32 {
  if (<usize>givenLength < 12 + HEADER) return 1;
  const images = load<u32>(given);
  if (images == 0 || <usize>givenLength < 4 + <usize>images * (8 + HEADER)) return 1;
  choose(0);
  return 0;
}

/** The image that tile `tile` is of. */
function find(tile: u32): u32 {
  const images = load<u32>(given);
  let found: u32 = 0;
  while (found + 1 < images && load<u32>(given + <usize>(found + 1) * 8, 4) <= tile) found++;
  return found;
}

function choose(which: u32): void {
  const entry = given + <usize>which * 8;
  const own = given + <usize>load<u32>(entry, 8);
  image = which;
  first = load<u32>(entry, 4);
  source.width = load<i32>(own);
  source.height = load<i32>(own, 4);
  source.channels = load<i32>(own, 8);
  source.isDrawn = load<i32>(own, 12) != 0;
  source.seed = load<u32>(own, 16);
  edge = load<i32>(own, 20);
  kind = load<i32>(own, 24);
  stages = load<i32>(own, 28);
  width = load<i32>(own, 32);
  height = load<i32>(own, 36);
  channels = load<i32>(own, 40);
  cellsAcross = load<i32>(own, 44);
  cellsDown = load<i32>(own, 48);
  source.stages = own + HEADER;
  source.data = own + <usize>load<i32>(own, 52);
  // Each image's tables are as long as any other's.
  source.tables = handed + (handedLength / <usize>load<u32>(given)) * <usize>which;
}

/** A range of more than one tile is refused, since a grain has one. */
export function begin(lo: f64, hi: f64): void {
  if (hi != lo + 1) unreachable();
  tile = <u32>lo;
  choose(find(tile));
}

/** A unit is a tile. */
export function step(units: i32): i32 {
  const across = (width + edge - 1) / edge;
  const own = <i32>(tile - first);
  const x0 = (own % across) * edge;
  const y0 = (own / across) * edge;
  const x1 = min(x0 + edge, width);
  const y1 = min(y0 + edge, height);
  if (!source.isDrawn) look(tile - inputsFirst);
  const made = run(source, stages, x0, y0, x1, y1, sent);
  head(made);
  if (kind == PIXELS) pixels(made);
  else if (kind == HISTOGRAM) histogram(made);
  else cells(made);
  return 1;
}

export function partial(): i32 {
  return <i32>answer;
}

export function partialLength(): i32 {
  return <i32>answerLength;
}

/** The window of tile `index` of the slice: x0, y0, x1, y1, then its pixels. */
function look(index: u32): void {
  let at = inputs;
  for (; index > 0; index--) at += 16 + <usize>windowBytes(at);
  sent.x0 = load<i32>(at);
  sent.y0 = load<i32>(at, 4);
  sent.x1 = load<i32>(at, 8);
  sent.y1 = load<i32>(at, 12);
  sent.width = source.width;
  sent.height = source.height;
  sent.channels = source.channels;
  sent.at = at + 16;
}

function windowBytes(at: usize): i32 {
  return (load<i32>(at, 8) - load<i32>(at)) * (load<i32>(at, 12) - load<i32>(at, 4)) * source.channels;
}

function head(made: Window): void {
  if (answer == 0) answer = heap.alloc(65536);
  store<u32>(answer, tile);
  store<u8>(answer, <u8>kind, 4);
  store<u8>(answer, <u8>channels, 5);
  store<u16>(answer, <u16>made.columns, 6);
  store<u16>(answer, <u16>made.rows, 8);
  store<u16>(answer, <u16>image, 10);
}

function pixels(made: Window): void {
  const bytes = <usize>(made.rows * made.rowBytes);
  memory.copy(answer + HEAD, made.at, bytes);
  answerLength = HEAD + bytes;
}

/** 256 counts of u32. */
function histogram(made: Window): void {
  const counts = answer + HEAD;
  memory.fill(counts, 0, BINS << 2);
  const bytes = <usize>(made.rows * made.rowBytes);
  for (let i: usize = 0; i < bytes; i++) {
    const slot = counts + (<usize>load<u8>(made.at + i) << 2);
    store<u32>(slot, load<u32>(slot) + 1);
  }
  answerLength = HEAD + (BINS << 2);
}

/**
 * 256 counts of u16 for each cell of the whole grid. Where cells do not divide the image, it is continued by
 * reflection: a pixel near the far border counts there again.
 */
function cells(made: Window): void {
  const counts = answer + HEAD;
  const bytes = <usize>(cellsAcross * cellsDown) * BINS * 2;
  memory.fill(counts, 0, bytes);
  const cellWidth = cellSize(width, cellsAcross, height, cellsDown);
  const cellHeight = cellSize(height, cellsDown, width, cellsAcross);
  let at = made.at;
  for (let y = made.y0; y < made.y1; y++) {
    const againY = 2 * (height - 1) - y;
    for (let x = made.x0; x < made.x1; x++, at++) {
      const againX = 2 * (width - 1) - x;
      const value = <usize>load<u8>(at);
      const isAgainX = againX >= width && againX < cellWidth * cellsAcross;
      const isAgainY = againY >= height && againY < cellHeight * cellsDown;
      count(counts, x / cellWidth, y / cellHeight, value);
      if (isAgainX) count(counts, againX / cellWidth, y / cellHeight, value);
      if (isAgainY) count(counts, x / cellWidth, againY / cellHeight, value);
      if (isAgainX && isAgainY) count(counts, againX / cellWidth, againY / cellHeight, value);
    }
  }
  answerLength = HEAD + bytes;
}

// @ts-ignore: decorator
@inline
function count(counts: usize, column: i32, row: i32, value: usize): void {
  const slot = counts + ((<usize>(row * cellsAcross + column) * BINS + value) << 1);
  store<u16>(slot, load<u16>(slot) + 1);
}
