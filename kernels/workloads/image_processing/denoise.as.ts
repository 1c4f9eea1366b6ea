/** Filters that weigh samples by how alike they are, in whole numbers: sums are exact, in any order. */
import { scratch } from "./filters.as";
import { Window } from "./window.as";

/** A weight of 1. */
const ONE: f64 = 65536;

/**
 * Bilateral filter (Tomasi and Manduchi, ICCV 1998) over a disc, as OpenCV's: a colour's distance is the sum of its channels'.
 */
export function bilateral(from: Window, to: Window, radius: i32, sigmaColour: f64, sigmaSpace: f64): void {
  const channels = from.channels;
  const taps = 2 * radius + 1;
  const stride = from.rowBytes;
  const colours = 255 * channels + 1;
  const room = scratch(<usize>(colours * 4 + taps * taps * 8));
  const byColour = room;
  const points = room + <usize>(colours * 4);
  for (let d = 0; d < colours; d++)
    store<u32>(byColour + (<usize>d << 2), weightOf(-(<f64>(d * d)) / (2 * sigmaColour * sigmaColour)));
  let count = 0;
  for (let y = -radius; y <= radius; y++)
    for (let x = -radius; x <= radius; x++) {
      const square = x * x + y * y;
      if (square > radius * radius) continue;
      store<i32>(points + (<usize>count << 3), y * stride + x * channels);
      store<u32>(points + (<usize>count << 3), weightOf(-(<f64>square) / (2 * sigmaSpace * sigmaSpace)), 4);
      count++;
    }
  for (let y = to.y0; y < to.y1; y++) {
    let at = from.row(y) + <usize>(radius * channels);
    let out = to.row(y);
    for (let x = to.x0; x < to.x1; x++, at += <usize>channels, out += <usize>channels) {
      let total: u64 = 0;
      let first: u64 = 0;
      let second: u64 = 0;
      let third: u64 = 0;
      for (let k = 0; k < count; k++) {
        const other = at + <usize>load<i32>(points + (<usize>k << 3));
        const spatial = load<u32>(points + (<usize>k << 3), 4);
        let distance = apart(at, other);
        if (channels == 3) distance += apart(at + 1, other + 1) + apart(at + 2, other + 2);
        const weight = <u64>spatial * <u64>load<u32>(byColour + (<usize>distance << 2));
        total += weight;
        first += weight * <u64>load<u8>(other);
        if (channels == 3) {
          second += weight * <u64>load<u8>(other, 1);
          third += weight * <u64>load<u8>(other, 2);
        }
      }
      const half = total >> 1;
      store<u8>(out, <u8>((first + half) / total));
      if (channels == 3) {
        store<u8>(out, <u8>((second + half) / total), 1);
        store<u8>(out, <u8>((third + half) / total), 2);
      }
    }
  }
}

function weightOf(exponent: f64): u32 {
  return <u32>nearest(Math.exp(exponent) * ONE);
}

// @ts-ignore: decorator
@inline
function apart(one: usize, other: usize): i32 {
  return abs(<i32>load<u8>(one) - <i32>load<u8>(other));
}

/**
 * Non-local means (Buades, Coll and Morel, CVPR 2005) with OpenCV's weights: squared distances of patches of
 * (2 patch + 1)^2, whose mean is taken by a shift to the next power of two, and weights below 0.001 left out.
 */
export function nonLocalMeans(from: Window, to: Window, patch: i32, search: i32, strength: f64): void {
  const channels = from.channels;
  const side = 2 * patch + 1;
  const stride = from.rowBytes;
  const radius = patch + search;
  let shift = 0;
  while (1 << shift < side * side) shift++;
  const spread = <f64>(1 << shift) / <f64>(side * side);
  const window = 2 * search + 1;
  const one = 2147483647 / (window * window * 255);
  const distances = <i32>(<f64>(255 * 255 * channels) / spread + 1);
  const columns = to.columns;
  const weights = scratch(<usize>(distances * 4) + <usize>(columns * 32));
  /** Of each pixel of a row: total weight, then three sums, u32 each; and before, squares of columns of the patch. */
  const sums = weights + <usize>(distances * 4);
  for (let d = 0; d < distances; d++) {
    const weight = <f64>one * Math.exp((-(<f64>d) * spread) / (strength * strength * <f64>channels));
    store<i32>(weights + (<usize>d << 2), weight < 0.001 * <f64>one ? 0 : <i32>nearest(weight));
  }
  for (let y = to.y0; y < to.y1; y++) {
    memory.fill(sums, 0, <usize>(columns * 16));
    const centre = from.row(y) + <usize>(radius * channels);
    for (let dy = -search; dy <= search; dy++)
      for (let dx = -search; dx <= search; dx++) {
        const shifted = dy * stride + dx * channels;
        // The patch moves along the row: a column of squares comes in, another goes.
        let distance = 0;
        for (let k = -patch; k < patch; k++) distance += squares(centre + <usize>(k * channels), shifted, patch, stride, channels);
        let at = centre;
        let into = sums;
        for (let x = 0; x < columns; x++, at += <usize>channels, into += 16) {
          distance += squares(at + <usize>(patch * channels), shifted, patch, stride, channels);
          const weight = load<i32>(weights + (<usize>(distance >> shift) << 2));
          distance -= squares(at - <usize>(patch * channels), shifted, patch, stride, channels);
          if (weight == 0) continue;
          const other = at + <usize>shifted;
          store<u32>(into, load<u32>(into) + weight);
          store<u32>(into, load<u32>(into, 4) + weight * <u32>load<u8>(other), 4);
          if (channels != 3) continue;
          store<u32>(into, load<u32>(into, 8) + weight * <u32>load<u8>(other, 1), 8);
          store<u32>(into, load<u32>(into, 12) + weight * <u32>load<u8>(other, 2), 12);
        }
      }
    let out = to.row(y);
    for (let x = 0; x < columns; x++) {
      const found = sums + (<usize>x << 4);
      const total = load<u32>(found);
      for (let c = 0; c < channels; c++, out++)
        store<u8>(out, <u8>((load<u32>(found + (<usize>c << 2), 4) + (total >> 1)) / total));
    }
  }
}

/** Squared differences of a column of a patch and of the same column elsewhere. */
// @ts-ignore: decorator
@inline
function squares(at: usize, shifted: i32, patch: i32, stride: i32, channels: i32): i32 {
  let sum = 0;
  let row = at - <usize>(patch * stride);
  for (let j = -patch; j <= patch; j++, row += <usize>stride)
    for (let c = 0; c < channels; c++) {
      const difference = <i32>load<u8>(row + <usize>c) - <i32>load<u8>(row + <usize>(shifted + c));
      sum += difference * difference;
    }
  return sum;
}
