/**
 * A part of an image in memory: columns x0..x1 and rows y0..y1 of an image of width x height, bytes of all channels of a
 * pixel together. And its padded copy, in which what lies beyond the image is filled in, so that filters need not ask.
 */

// @ts-ignore: decorator
@inline export const REFLECT: i32 = 0;
// @ts-ignore: decorator
@inline export const REPLICATE: i32 = 1;
// @ts-ignore: decorator
@inline export const BLACK: i32 = 2;
// @ts-ignore: decorator
@inline export const WHITE: i32 = 3;

export class Window {
  at: usize = 0;
  room: usize = 0;
  x0: i32 = 0;
  y0: i32 = 0;
  x1: i32 = 0;
  y1: i32 = 0;
  /** Of the whole image. */
  width: i32 = 0;
  height: i32 = 0;
  channels: i32 = 0;

  get columns(): i32 {
    return this.x1 - this.x0;
  }

  get rows(): i32 {
    return this.y1 - this.y0;
  }

  get rowBytes(): i32 {
    return this.columns * this.channels;
  }

  /** Room for the region; what was in it is lost. */
  open(x0: i32, y0: i32, x1: i32, y1: i32, width: i32, height: i32, channels: i32): void {
    this.x0 = x0;
    this.y0 = y0;
    this.x1 = x1;
    this.y1 = y1;
    this.width = width;
    this.height = height;
    this.channels = channels;
    this.hold(<usize>(this.rows * this.rowBytes));
  }

  hold(bytes: usize): void {
    // Vectors may be read past the end.
    if (bytes + 64 <= this.room) return;
    // What was there is not given back: twice as much keeps that short.
    const due = max(bytes + 64, 2 * this.room);
    this.at = heap.alloc(due);
    this.room = due;
  }

  row(y: i32): usize {
    return this.at + <usize>((y - this.y0) * this.rowBytes);
  }
}

/** Where coordinate `i` of 0..n is read when it lies beyond: the border pixel is not doubled by a reflection. */
// @ts-ignore: decorator
@inline
export function within(i: i32, n: i32, border: i32): i32 {
  if (<u32>i < <u32>n) return i;
  if (border == REPLICATE) return i < 0 ? 0 : n - 1;
  if (border != REFLECT) return -1;
  if (n == 1) return 0;
  while (<u32>i >= <u32>n) i = i < 0 ? -i : 2 * (n - 1) - i;
  return i;
}

/** `to` = the region of `from` that x0..x1, y0..y1 and `radius` around it take, filled in beyond the image. */
export function pad(from: Window, to: Window, x0: i32, y0: i32, x1: i32, y1: i32, radius: i32, border: i32): void {
  const width = from.width;
  const height = from.height;
  const channels = from.channels;
  to.open(x0 - radius, y0 - radius, x1 + radius, y1 + radius, width, height, channels);
  const blank: u8 = border == WHITE ? 255 : 0;
  // Columns that lie within the image.
  const left = max(to.x0, 0);
  const right = min(to.x1, width);
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const source = within(y, height, border);
    if (source < 0) {
      memory.fill(line, blank, <usize>to.rowBytes);
      continue;
    }
    const row = from.row(source);
    memory.copy(
      line + <usize>((left - to.x0) * channels),
      row + <usize>((left - from.x0) * channels),
      <usize>((right - left) * channels),
    );
    for (let x = to.x0; x < left; x++) one(line, to.x0, x, row, from.x0, within(x, width, border), channels, blank);
    for (let x = right; x < to.x1; x++) one(line, to.x0, x, row, from.x0, within(x, width, border), channels, blank);
  }
}

function one(line: usize, lineX0: i32, x: i32, row: usize, rowX0: i32, source: i32, channels: i32, blank: u8): void {
  const to = line + <usize>((x - lineX0) * channels);
  for (let c = 0; c < channels; c++)
    store<u8>(to + <usize>c, source < 0 ? blank : load<u8>(row + <usize>((source - rowX0) * channels + c)));
}
