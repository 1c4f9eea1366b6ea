/** Filters with a neighbourhood: each reads a padded window `from` and writes the region that `to` is open for. */
import { Window } from "./window.as";

let sums: usize = 0;
let sumsRoom: usize = 0;

/** Room for `bytes`, aligned, that the next filter may use anew. */
export function scratch(bytes: usize): usize {
  if (bytes + 64 > sumsRoom) {
    const due = max(bytes + 64, 2 * sumsRoom);
    sums = heap.alloc(due + 16);
    sumsRoom = due;
  }
  return (sums + 15) & ~15;
}

// @ts-ignore: decorator
@inline
export function byte(value: i32): u8 {
  return <u8>min(max(value, 0), 255);
}

/** Sums over `taps` samples in each direction with whole weights: of `count` samples of row `y` of `to`, as u32 at `rows`. */
function sumRows(from: Window, to: Window, radius: i32, weights: usize): usize {
  const taps = 2 * radius + 1;
  const samples = to.rowBytes;
  const step = from.channels;
  const stride = <usize>((samples + 3) & ~3) << 2;
  const rows = scratch(stride * <usize>(to.rows + 2 * radius));
  let line = rows;
  for (let y = from.y0; y < from.y1; y++, line += stride) {
    const source = from.row(y);
    let i = 0;
    if (ASC_FEATURE_SIMD) {
      for (; i < samples; i += 4) {
        let sum = i32x4.splat(0);
        let at = source + <usize>i;
        for (let k = 0; k < taps; k++, at += <usize>step) {
          const wide = i16x8.extend_low_i8x16_u(v128.load32_zero(at));
          sum = i32x4.add(sum, i32x4.mul(i32x4.extend_low_i16x8_u(wide), v128.load32_splat(weights + (<usize>k << 2))));
        }
        v128.store(line + (<usize>i << 2), sum);
      }
    } else {
      for (; i < samples; i++) {
        let sum: u32 = 0;
        let at = source + <usize>i;
        for (let k = 0; k < taps; k++, at += <usize>step) sum += <u32>load<u8>(at) * load<u32>(weights + (<usize>k << 2));
        store<u32>(line + (<usize>i << 2), sum);
      }
    }
  }
  return rows;
}

/**
 * A separable filter with weights that are whole numbers: exact sums, rounded once, half up. Their product is at most 2^24,
 * so that sums fit 32 bits. `shift` tells the weights' total where it is a power of two, else 0, and `divisor` is it.
 */
export function separable(from: Window, to: Window, radius: i32, weights: usize, shift: i32, divisor: u32): void {
  const taps = 2 * radius + 1;
  const samples = to.rowBytes;
  const rows = sumRows(from, to, radius, weights);
  const stride = <usize>((samples + 3) & ~3) << 2;
  const half: u32 = shift > 0 ? 1 << (shift - 1) : divisor >> 1;
  for (let y = to.y0; y < to.y1; y++) {
    const first = rows + stride * <usize>(y - to.y0);
    const line = to.row(y);
    let i = 0;
    if (ASC_FEATURE_SIMD) {
      if (shift > 0) {
        const zero = i32x4.splat(0);
        for (; i < samples - 3; i += 4) {
          let sum = i32x4.splat(half);
          let at = first + (<usize>i << 2);
          for (let k = 0; k < taps; k++, at += stride)
            sum = i32x4.add(sum, i32x4.mul(v128.load(at), v128.load32_splat(weights + (<usize>k << 2))));
          const narrow = i16x8.narrow_i32x4_u(i32x4.shr_u(sum, shift), zero);
          v128.store32_lane(line + <usize>i, i8x16.narrow_i16x8_u(narrow, zero), 0);
        }
      }
    }
    for (; i < samples; i++) {
      let sum = half;
      let at = first + (<usize>i << 2);
      for (let k = 0; k < taps; k++, at += stride) sum += load<u32>(at) * load<u32>(weights + (<usize>k << 2));
      store<u8>(line + <usize>i, <u8>min<u32>(shift > 0 ? sum >> shift : sum / divisor, 255));
    }
  }
}

/** p + amount (p - blurred), of what `to` holds blurred. `amount` in 1/256. */
export function sharpen(from: Window, to: Window, radius: i32, amount: i32): void {
  const samples = to.rowBytes;
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const source = from.row(y) + <usize>(radius * from.channels);
    for (let i = 0; i < samples; i++) {
      const sharp = <i32>load<u8>(source + <usize>i);
      const soft = <i32>load<u8>(line + <usize>i);
      store<u8>(line + <usize>i, byte((sharp * 256 + amount * (sharp - soft) + 128) >> 8));
    }
  }
}

/** The middle of (2 radius + 1)^2 samples, by a histogram that moves along the row (Huang, Yang and Tang, 1979). */
export function median(from: Window, to: Window, radius: i32): void {
  const taps = 2 * radius + 1;
  const channels = from.channels;
  const stride = <usize>from.rowBytes;
  const middle = (taps * taps) >> 1;
  const counts = scratch(1024);
  for (let y = to.y0; y < to.y1; y++) {
    const top = from.row(y - radius);
    for (let c = 0; c < channels; c++) {
      memory.fill(counts, 0, 1024);
      let below = 0;
      let value = 0;
      for (let x = 0; x < to.columns; x++) {
        const first = x == 0 ? 0 : taps - 1;
        for (let k = first; k < taps; k++) {
          let at = top + <usize>((x + k) * channels + c);
          for (let j = 0; j < taps; j++, at += stride) {
            const sample = <i32>load<u8>(at);
            const slot = counts + (<usize>sample << 2);
            store<i32>(slot, load<i32>(slot) + 1);
            below += sample < value ? 1 : 0;
          }
        }
        while (below > middle) {
          value--;
          below -= load<i32>(counts + (<usize>value << 2));
        }
        while (below + load<i32>(counts + (<usize>value << 2)) <= middle) {
          below += load<i32>(counts + (<usize>value << 2));
          value++;
        }
        store<u8>(to.row(y) + <usize>(x * channels + c), <u8>value);
        let gone = top + <usize>(x * channels + c);
        for (let j = 0; j < taps; j++, gone += stride) {
          const sample = <i32>load<u8>(gone);
          const slot = counts + (<usize>sample << 2);
          store<i32>(slot, load<i32>(slot) - 1);
          below -= sample < value ? 1 : 0;
        }
      }
    }
  }
}

/** The smallest (or largest) sample at the offsets `points`: pairs dx, dy of i32. */
export function extreme(from: Window, to: Window, points: usize, count: i32, largest: bool): void {
  const samples = to.rowBytes;
  const channels = from.channels;
  const stride = from.rowBytes;
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const origin = from.row(y) + <usize>((to.x0 - from.x0) * channels);
    let i = 0;
    if (ASC_FEATURE_SIMD) {
      for (; i < samples - 15; i += 16) {
        let found = i8x16.splat(largest ? 0 : -1);
        for (let k = 0; k < count; k++) {
          const sample = v128.load(origin + <usize>i + <usize>offset(points, k, channels, stride));
          found = largest ? i8x16.max_u(found, sample) : i8x16.min_u(found, sample);
        }
        v128.store(line + <usize>i, found);
      }
    }
    for (; i < samples; i++) {
      let found: u8 = largest ? 0 : 255;
      for (let k = 0; k < count; k++) {
        const sample = load<u8>(origin + <usize>i + <usize>offset(points, k, channels, stride));
        found = largest ? max(found, sample) : min(found, sample);
      }
      store<u8>(line + <usize>i, found);
    }
  }
}

// @ts-ignore: decorator
@inline
function offset(points: usize, k: i32, channels: i32, stride: i32): i32 {
  const at = points + (<usize>k << 3);
  return load<i32>(at) * channels + load<i32>(at, 4) * stride;
}

/** Correlation with (2 radius + 1)^2 weights in 1/65536, as OpenCV's filter2D; its size where `sizeOnly`. Rounded half up. */
export function correlate(from: Window, to: Window, radius: i32, weights: usize, bias: i32, sizeOnly: bool): void {
  const taps = 2 * radius + 1;
  const channels = from.channels;
  const samples = to.rowBytes;
  const stride = <usize>from.rowBytes;
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const top = from.row(y - radius);
    for (let i = 0; i < samples; i++) {
      let sum: i64 = <i64>bias << 16;
      let weight = weights;
      let row = top + <usize>i;
      for (let j = 0; j < taps; j++, row += stride) {
        let at = row;
        for (let k = 0; k < taps; k++, at += <usize>channels, weight += 4)
          sum += <i64>load<u8>(at) * <i64>load<i32>(weight);
      }
      if (sizeOnly && sum < 0) sum = -sum;
      store<u8>(line + <usize>i, <u8>min<i64>(max<i64>((sum + 32768) >> 16, 0), 255));
    }
  }
}

/** Sobel's derivative in x or y at a sample of a padded row, of channels `step` apart. */
// @ts-ignore: decorator
@inline
export function sobelX(at: usize, stride: usize, step: usize): i32 {
  return (
    <i32>load<u8>(at + step - stride) - <i32>load<u8>(at - step - stride) +
    2 * (<i32>load<u8>(at + step) - <i32>load<u8>(at - step)) +
    <i32>load<u8>(at + step + stride) - <i32>load<u8>(at - step + stride)
  );
}

// @ts-ignore: decorator
@inline
export function sobelY(at: usize, stride: usize, step: usize): i32 {
  return (
    <i32>load<u8>(at + stride - step) - <i32>load<u8>(at - stride - step) +
    2 * (<i32>load<u8>(at + stride) - <i32>load<u8>(at - stride)) +
    <i32>load<u8>(at + stride + step) - <i32>load<u8>(at - stride + step)
  );
}

/** |dx| + |dy|. */
export function gradient(from: Window, to: Window): void {
  const step = <usize>from.channels;
  const stride = <usize>from.rowBytes;
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const source = from.row(y) + step;
    for (let i = 0; i < to.rowBytes; i++) {
      const at = source + <usize>i;
      store<u8>(line + <usize>i, byte(abs(sobelX(at, stride, step)) + abs(sobelY(at, stride, step))));
    }
  }
}

/** White where a sample is above the mean around it less `less`, of what `to` holds the means of. */
export function aboveMean(from: Window, to: Window, radius: i32, less: i32): void {
  for (let y = to.y0; y < to.y1; y++) {
    const line = to.row(y);
    const source = from.row(y) + <usize>(radius * from.channels);
    for (let i = 0; i < to.rowBytes; i++) {
      const above = <i32>load<u8>(source + <usize>i) - <i32>load<u8>(line + <usize>i) > -less;
      store<u8>(line + <usize>i, above ? 255 : 0);
    }
  }
}
