/** Conversions of one pixel at a time, as OpenCV's of 8-bit RGB, and tables that a round found out. */
import { byte } from "./filters.as";
import { Window } from "./window.as";

/** ITU-R BT.601, in 1/32768. */
export function grey(from: Window, to: Window): void {
  let at = from.at;
  const end = to.at + <usize>(to.rows * to.rowBytes);
  for (let out = to.at; out < end; out++, at += 3)
    store<u8>(out, <u8>((<u32>load<u8>(at) * 9798 + <u32>load<u8>(at, 1) * 19235 + <u32>load<u8>(at, 2) * 3735 + 16384) >> 15));
}

/** Hue in 0..180 (two degrees each), saturation and value in 0..255, by tables in 1/4096. */
export function hsv(from: Window, to: Window): void {
  const end = to.at + <usize>(to.rows * to.rowBytes);
  let at = from.at;
  for (let out = to.at; out < end; out += 3, at += 3) {
    const r = <i32>load<u8>(at);
    const g = <i32>load<u8>(at, 1);
    const b = <i32>load<u8>(at, 2);
    const value = max(r, max(g, b));
    const spread = value - min(r, min(g, b));
    const saturation = value == 0 ? 0 : (spread * <i32>nearest(1044480.0 / <f64>value) + 2048) >> 12;
    let hue = value == r ? g - b : value == g ? b - r + 2 * spread : r - g + 4 * spread;
    hue = spread == 0 ? 0 : (hue * <i32>nearest(737280.0 / (6 * <f64>spread)) + 2048) >> 12;
    store<u8>(out, <u8>(hue < 0 ? hue + 180 : hue));
    store<u8>(out, <u8>saturation, 1);
    store<u8>(out, <u8>value, 2);
  }
}

const linear = memory.data(2048, 16);
let isLinearMade = false;

function makeLinear(): void {
  if (isLinearMade) return;
  isLinearMade = true;
  for (let i = 0; i < 256; i++) {
    const share = <f64>i / 255;
    store<f64>(linear + (<usize>i << 3), share <= 0.04045 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4));
  }
}

// @ts-ignore: decorator
@inline
function root(t: f64): f64 {
  return t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16.0 / 116.0;
}

/** CIE L*a*b* (D65) of sRGB: L scaled to 0..255, a and b moved by 128. */
export function lab(from: Window, to: Window): void {
  makeLinear();
  const end = to.at + <usize>(to.rows * to.rowBytes);
  let at = from.at;
  for (let out = to.at; out < end; out += 3, at += 3) {
    const r = load<f64>(linear + (<usize>load<u8>(at) << 3));
    const g = load<f64>(linear + (<usize>load<u8>(at, 1) << 3));
    const b = load<f64>(linear + (<usize>load<u8>(at, 2) << 3));
    const x = root((0.412453 * r + 0.35758 * g + 0.180423 * b) / 0.950456);
    const luminance = 0.212671 * r + 0.71516 * g + 0.072169 * b;
    const y = root(luminance);
    const z = root((0.019334 * r + 0.119193 * g + 0.950227 * b) / 1.088754);
    const lightness = luminance > 0.008856 ? 116 * y - 16 : 903.3 * luminance;
    store<u8>(out, byte(<i32>nearest(lightness * 2.55)));
    store<u8>(out, byte(<i32>nearest(500 * (x - y) + 128)), 1);
    store<u8>(out, byte(<i32>nearest(200 * (y - z) + 128)), 2);
  }
}

/** Each sample by a table of 256. */
export function translate(from: Window, to: Window, table: usize): void {
  const bytes = <usize>(to.rows * to.rowBytes);
  for (let i: usize = 0; i < bytes; i++) store<u8>(to.at + i, load<u8>(table + <usize>load<u8>(from.at + i)));
}

/** Pixels of a cell, where `parts` make up `size`: as OpenCV has them, one more unless both directions divide evenly. */
export function cellSize(size: i32, parts: i32, otherSize: i32, otherParts: i32): i32 {
  return size / parts + (size % parts == 0 && otherSize % otherParts == 0 ? 0 : 1);
}

/** CLAHE's last step: the tables of the four cells around a pixel, mixed by its distance, in f32 as OpenCV does. */
export function translateByCells(from: Window, to: Window, tables: usize, across: i32, down: i32): void {
  const cellWidth: f32 = <f32>cellSize(to.width, across, to.height, down);
  const cellHeight: f32 = <f32>cellSize(to.height, down, to.width, across);
  let at = from.at;
  let out = to.at;
  for (let y = to.y0; y < to.y1; y++) {
    const fy: f32 = <f32>y * (1 / cellHeight) - <f32>0.5;
    const top = <i32>floor(fy);
    const low: f32 = fy - <f32>top;
    const upper = tables + <usize>(max(top, 0) * across * 256);
    const lower = tables + <usize>(min(top + 1, down - 1) * across * 256);
    for (let x = to.x0; x < to.x1; x++, at++, out++) {
      const fx: f32 = <f32>x * (1 / cellWidth) - <f32>0.5;
      const left = <i32>floor(fx);
      const far: f32 = fx - <f32>left;
      const one = <usize>(max(left, 0) * 256) + <usize>load<u8>(at);
      const other = <usize>(min(left + 1, across - 1) * 256) + <usize>load<u8>(at);
      const above = <f32>load<u8>(upper + one) * (1 - far) + <f32>load<u8>(upper + other) * far;
      const below = <f32>load<u8>(lower + one) * (1 - far) + <f32>load<u8>(lower + other) * far;
      store<u8>(out, byte(<i32>nearest(above * (1 - low) + below * low)));
    }
  }
}
