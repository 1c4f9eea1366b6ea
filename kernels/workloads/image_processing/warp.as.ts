/** Resampling: sizes by taps in each direction, and maps of the plane, bilinear as OpenCV's warps. */
import { byte, scratch } from "./filters.as";
import { Window } from "./window.as";

// @ts-ignore: decorator
@inline export const AREA: i32 = 0;
// @ts-ignore: decorator
@inline export const BILINEAR: i32 = 1;
// @ts-ignore: decorator
@inline export const LANCZOS: i32 = 2;

/** Weights are in 1/16384. */
const WEIGHT_BITS: i32 = 14;
const TAPS_MAX: i32 = 256;

/** First source coordinate that output `i` may read, before it is clipped, and the one after its last. */
export function firstTap(i: i32, from: i32, to: i32, method: i32): i32 {
  const scale = <f64>from / <f64>to;
  if (method == AREA) return <i32>Math.floor(<f64>i * scale + 1e-9);
  if (method == BILINEAR) return <i32>Math.floor((<f64>i + 0.5) * scale - 0.5);
  return <i32>Math.floor((<f64>i + 0.5) * scale - 3 * max(scale, 1));
}

export function endTap(i: i32, from: i32, to: i32, method: i32): i32 {
  const scale = <f64>from / <f64>to;
  if (method == AREA) return <i32>Math.ceil(<f64>(i + 1) * scale - 1e-9);
  if (method == BILINEAR) return firstTap(i, from, to, method) + 2;
  return <i32>Math.ceil((<f64>i + 0.5) * scale + 3 * max(scale, 1));
}

function lanczos(x: f64): f64 {
  if (x == 0) return 1;
  if (abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
}

function weigh(i: i32, tap: i32, from: i32, to: i32, method: i32): f64 {
  const scale = <f64>from / <f64>to;
  if (method == AREA) return min(<f64>(tap + 1), <f64>(i + 1) * scale) - max(<f64>tap, <f64>i * scale);
  const centre = (<f64>i + 0.5) * scale;
  if (method == BILINEAR) return 1 - abs(<f64>tap + 0.5 - centre);
  return lanczos((<f64>tap + 0.5 - centre) / max(scale, 1));
}

/** Lays out output `i`'s weights, whose sum is exactly 1: what rounding leaves over is the largest's. Answers how many. */
function layTaps(at: usize, i: i32, from: i32, to: i32, method: i32): i32 {
  const first = firstTap(i, from, to, method);
  const count = min(endTap(i, from, to, method) - first, TAPS_MAX);
  let total: f64 = 0;
  for (let k = 0; k < count; k++) total += weigh(i, first + k, from, to, method);
  let left = 1 << WEIGHT_BITS;
  let largest = 0;
  for (let k = 0; k < count; k++) {
    const weight = <i32>nearest((weigh(i, first + k, from, to, method) / total) * <f64>(1 << WEIGHT_BITS));
    store<i32>(at + (<usize>k << 2), weight);
    left -= weight;
    if (weight > load<i32>(at + (<usize>largest << 2))) largest = k;
  }
  const most = at + (<usize>largest << 2);
  store<i32>(most, load<i32>(most) + left);
  return count;
}

// @ts-ignore: decorator
@inline
function clipped(i: i32, n: i32): i32 {
  return min(max(i, 0), n - 1);
}

/** Columns first, kept to 1/128, then rows. */
export function resize(from: Window, to: Window, method: i32): void {
  const channels = from.channels;
  const samples = to.rowBytes;
  const rows = from.rows;
  const taps = scratch(<usize>(TAPS_MAX * 4 + samples * rows * 4));
  const middle = taps + TAPS_MAX * 4;
  for (let x = to.x0; x < to.x1; x++) {
    const count = layTaps(taps, x, from.width, to.width, method);
    const first = firstTap(x, from.width, to.width, method);
    for (let y = 0; y < rows; y++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let k = 0; k < count; k++) {
          const source = clipped(first + k, from.width) - from.x0;
          sum += <i32>load<u8>(from.at + <usize>(y * from.rowBytes + source * channels + c)) * load<i32>(taps + (<usize>k << 2));
        }
        store<i32>(middle + (<usize>(y * samples + (x - to.x0) * channels + c) << 2), (sum + 64) >> 7);
      }
  }
  for (let y = to.y0; y < to.y1; y++) {
    const count = layTaps(taps, y, from.height, to.height, method);
    const first = firstTap(y, from.height, to.height, method);
    const line = to.row(y);
    for (let i = 0; i < samples; i++) {
      let sum = 1 << 20;
      for (let k = 0; k < count; k++) {
        const source = clipped(first + k, from.height) - from.y0;
        sum += load<i32>(middle + (<usize>(source * samples + i) << 2)) * load<i32>(taps + (<usize>k << 2));
      }
      store<u8>(line + <usize>i, byte(sum >> 21));
    }
  }
}

/** Coordinates of the source in 1/32 of a pixel. */
let mappedX: i32 = 0;
let mappedY: i32 = 0;

// @ts-ignore: decorator
@inline
function whole(value: f64): i32 {
  return <i32>nearest(min(max(value, -2147483648), 2147483647));
}

/** `matrix`: six numbers (affine) or nine, from output to source. */
export function map(matrix: usize, perspective: bool, x: i32, y: i32): void {
  const a = load<f64>(matrix);
  const b = load<f64>(matrix, 8);
  const c = load<f64>(matrix, 16);
  const d = load<f64>(matrix, 24);
  const e = load<f64>(matrix, 32);
  const f = load<f64>(matrix, 40);
  if (!perspective) {
    mappedX = (whole(a * <f64>x * 1024) + whole((b * <f64>y + c) * 1024) + 16) >> 5;
    mappedY = (whole(d * <f64>x * 1024) + whole((e * <f64>y + f) * 1024) + 16) >> 5;
    return;
  }
  const w = load<f64>(matrix, 48) * <f64>x + load<f64>(matrix, 56) * <f64>y + load<f64>(matrix, 64);
  const scale = w == 0 ? 0 : 32 / w;
  mappedX = whole((a * <f64>x + b * <f64>y + c) * scale);
  mappedY = whole((d * <f64>x + e * <f64>y + f) * scale);
}

export function mapped(vertical: bool): i32 {
  return vertical ? mappedY : mappedX;
}

/** Black beyond the source. */
export function warp(from: Window, to: Window, matrix: usize, perspective: bool): void {
  const channels = from.channels;
  for (let y = to.y0; y < to.y1; y++) {
    let out = to.row(y);
    for (let x = to.x0; x < to.x1; x++) {
      map(matrix, perspective, x, y);
      const sx = mappedX >> 5;
      const sy = mappedY >> 5;
      const fx = mappedX & 31;
      const fy = mappedY & 31;
      for (let c = 0; c < channels; c++, out++) {
        const upper = sample(from, sx, sy, c) * (32 - fx) + sample(from, sx + 1, sy, c) * fx;
        const lower = sample(from, sx, sy + 1, c) * (32 - fx) + sample(from, sx + 1, sy + 1, c) * fx;
        store<u8>(out, <u8>((upper * (32 - fy) + lower * fy + 512) >> 10));
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function sample(from: Window, x: i32, y: i32, channel: i32): i32 {
  // The window has all of the image that this region reads.
  if (x < from.x0 || x >= from.x1 || y < from.y0 || y >= from.y1) return 0;
  return <i32>load<u8>(from.row(y) + <usize>((x - from.x0) * from.channels + channel));
}
