/**
 * A pipeline on one tile: from the tile back to the part of the source that it needs, and forth through the stages. A
 * stage's record has 16 words, as `program.ts` lays them out.
 */
import { draw } from "./picture.as";
import { aboveMean, correlate, extreme, gradient, median, separable, sharpen } from "./filters.as";
import { bilateral, nonLocalMeans } from "./denoise.as";
import { grey, hsv, lab, translate, translateByCells } from "./colour.as";
import { edges } from "./canny.as";
import { endTap, firstTap, map, mapped, resize, warp } from "./warp.as";
import { pad, Window } from "./window.as";

const BOX: i32 = 1;
const GAUSSIAN: i32 = 2;
const UNSHARP: i32 = 3;
const MEDIAN: i32 = 4;
const EXTREME: i32 = 5;
const GRADIENT: i32 = 6;
const CORRELATE: i32 = 7;
const BILATERAL: i32 = 8;
const NON_LOCAL: i32 = 9;
const RESIZE: i32 = 10;
const WARP: i32 = 11;
const GREY: i32 = 12;
const HSV: i32 = 13;
const LAB: i32 = 14;
const TABLE: i32 = 15;
const ADAPTIVE: i32 = 16;
/** With tables that earlier rounds found out. */
const TRANSLATE: i32 = 17;
const CELLS: i32 = 18;
export const CANNY: i32 = 19;

const WORDS: usize = 64;
const STAGES_MAX: i32 = 64;

/** Four words for each stage and one more: the region that it reads, the last the tile itself. */
const regions = memory.data(1040, 16);
const weights = memory.data(1024, 16);
const padded = new Window();
let current = new Window();
let other = new Window();

export class Source {
  /** Words of the records, and of what they refer to. */
  stages: usize = 0;
  data: usize = 0;
  /** Tables of the rounds before. */
  tables: usize = 0;
  width: i32 = 0;
  height: i32 = 0;
  channels: i32 = 0;
  isDrawn: bool = false;
  seed: u32 = 0;
}

// @ts-ignore: decorator
@inline
function word(record: usize, at: i32): i32 {
  return load<i32>(record + (<usize>at << 2));
}

function setRegion(at: i32, x0: i32, y0: i32, x1: i32, y1: i32): void {
  const region = regions + (<usize>at << 4);
  store<i32>(region, x0);
  store<i32>(region, y0, 4);
  store<i32>(region, x1, 8);
  store<i32>(region, y1, 12);
}

/** At least one pixel, within width x height. */
function setClipped(at: i32, x0: i32, y0: i32, x1: i32, y1: i32, width: i32, height: i32): void {
  const left = min(max(x0, 0), width - 1);
  const top = min(max(y0, 0), height - 1);
  setRegion(at, left, top, min(max(x1, left + 1), width), min(max(y1, top + 1), height));
}

/** The part of stage `at`'s source that its output region (that of `at` + 1) needs. */
function reach(source: Source, at: i32): void {
  const record = source.stages + <usize>at * WORDS;
  const region = regions + (<usize>(at + 1) << 4);
  const x0 = load<i32>(region);
  const y0 = load<i32>(region, 4);
  const x1 = load<i32>(region, 8);
  const y1 = load<i32>(region, 12);
  const op = word(record, 0);
  const radius = word(record, 1);
  const width = word(record, 2);
  const height = word(record, 3);
  if (op == RESIZE) {
    const method = word(record, 8);
    const outWidth = word(record, 5);
    const outHeight = word(record, 6);
    setClipped(
      at,
      firstTap(x0, width, outWidth, method),
      firstTap(y0, height, outHeight, method),
      endTap(x1 - 1, width, outWidth, method),
      endTap(y1 - 1, height, outHeight, method),
      width,
      height,
    );
    return;
  }
  if (op != WARP) {
    setClipped(at, x0 - radius, y0 - radius, x1 + radius, y1 + radius, width, height);
    return;
  }
  const matrix = source.data + <usize>word(record, 13);
  const perspective = word(record, 8) != 0;
  let left = i32.MAX_VALUE;
  let right = i32.MIN_VALUE;
  let top = i32.MAX_VALUE;
  let bottom = i32.MIN_VALUE;
  for (let corner = 0; corner < 4; corner++) {
    map(matrix, perspective, corner & 1 ? x1 - 1 : x0, corner & 2 ? y1 - 1 : y0);
    left = min(left, mapped(false) >> 5);
    right = max(right, mapped(false) >> 5);
    top = min(top, mapped(true) >> 5);
    bottom = max(bottom, mapped(true) >> 5);
  }
  setClipped(at, left - 1, top - 1, min(right, i32.MAX_VALUE - 4) + 3, min(bottom, i32.MAX_VALUE - 4) + 3, width, height);
}

/** The output of the first `count` stages in the region; `input` is a window of the source, where it is not drawn. */
export function run(source: Source, count: i32, x0: i32, y0: i32, x1: i32, y1: i32, input: Window): Window {
  if (count > STAGES_MAX) unreachable();
  setRegion(count, x0, y0, x1, y1);
  for (let at = count - 1; at >= 0; at--) reach(source, at);
  const left = load<i32>(regions);
  const top = load<i32>(regions, 4);
  const right = load<i32>(regions, 8);
  const bottom = load<i32>(regions, 12);
  current.open(left, top, right, bottom, source.width, source.height, source.channels);
  if (source.isDrawn) draw(current, source.seed);
  else copy(input, current);
  for (let at = 0; at < count; at++) {
    const record = source.stages + <usize>at * WORDS;
    const region = regions + (<usize>(at + 1) << 4);
    other.open(load<i32>(region), load<i32>(region, 4), load<i32>(region, 8), load<i32>(region, 12), word(record, 5), word(record, 6), word(record, 7));
    apply(source, record, current, other);
    const kept = current;
    current = other;
    other = kept;
  }
  return current;
}

function copy(from: Window, to: Window): void {
  if (to.x0 < from.x0 || to.y0 < from.y0 || to.x1 > from.x1 || to.y1 > from.y1) unreachable();
  for (let y = to.y0; y < to.y1; y++)
    memory.copy(to.row(y), from.row(y) + <usize>((to.x0 - from.x0) * from.channels), <usize>to.rowBytes);
}

function apply(source: Source, record: usize, from: Window, to: Window): void {
  const op = word(record, 0);
  const radius = word(record, 1);
  const data = source.data + <usize>word(record, 13);
  if (op == RESIZE) return resize(from, to, word(record, 8));
  if (op == WARP) return warp(from, to, data, word(record, 8) != 0);
  if (op == GREY) return grey(from, to);
  if (op == HSV) return hsv(from, to);
  if (op == LAB) return lab(from, to);
  if (op == TABLE) return translate(from, to, data);
  if (op == TRANSLATE) return translate(from, to, source.tables + <usize>word(record, 14));
  if (op == CELLS)
    return translateByCells(from, to, source.tables + <usize>word(record, 14), word(record, 8), word(record, 9));
  pad(from, padded, to.x0, to.y0, to.x1, to.y1, radius, word(record, 4));
  if (op == BOX) box(padded, to, radius);
  else if (op == GAUSSIAN || op == UNSHARP) {
    gaussianWeights(radius, load<f64>(data));
    separable(padded, to, radius, weights, 24, 0);
    if (op == UNSHARP) sharpen(padded, to, radius, word(record, 8));
  } else if (op == MEDIAN) median(padded, to, radius);
  else if (op == EXTREME) extreme(padded, to, data, word(record, 9), word(record, 8) != 0);
  else if (op == GRADIENT) gradient(padded, to);
  else if (op == CORRELATE) correlate(padded, to, radius, data, word(record, 9), word(record, 8) != 0);
  else if (op == BILATERAL) bilateral(padded, to, radius, load<f64>(data), load<f64>(data, 8));
  else if (op == NON_LOCAL) nonLocalMeans(padded, to, word(record, 8), word(record, 9), load<f64>(data));
  else if (op == ADAPTIVE) {
    box(padded, to, radius);
    aboveMean(padded, to, radius, word(record, 8));
  } else if (op == CANNY) edges(padded, to, word(record, 8), word(record, 9));
  else unreachable();
}

function box(from: Window, to: Window, radius: i32): void {
  const taps = 2 * radius + 1;
  for (let k = 0; k < taps; k++) store<u32>(weights + (<usize>k << 2), 1);
  separable(from, to, radius, weights, 0, <u32>(taps * taps));
}

/** In 1/4096, their sum exactly 1: what rounding leaves over is the middle's. */
function gaussianWeights(radius: i32, sigma: f64): void {
  let total: f64 = 0;
  for (let k = -radius; k <= radius; k++) total += Math.exp(-(<f64>(k * k)) / (2 * sigma * sigma));
  let left = 4096;
  for (let k = -radius; k <= radius; k++) {
    const weight = <i32>nearest((Math.exp(-(<f64>(k * k)) / (2 * sigma * sigma)) / total) * 4096);
    store<i32>(weights + (<usize>(k + radius) << 2), weight);
    left -= weight;
  }
  const middle = weights + (<usize>radius << 2);
  store<i32>(middle, load<i32>(middle) + left);
}
