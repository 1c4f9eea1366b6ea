/**
 * Philox4x32-10 in plain TypeScript: the reference that kernels are held against, and the source of pictures on pages.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11.
 */

/** High 32 bits of the product of two 32-bit numbers. */
function high(a: number, b: number): number {
  const aLow = a & 0xffff;
  const bLow = b & 0xffff;
  const aHigh = a >>> 16;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const other = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 0x10000) + Math.floor(other / 0x10000)) >>> 0;
}

/** Four words for a counter of four words and a key of two. */
export function philox4x32(counter: readonly number[], key: readonly number[]): [number, number, number, number] {
  let [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
  let [k0 = 0, k1 = 0] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = high(0xd2511f53, c0);
    const high1 = high(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Which stream of counters a model draws from: the last word of the counter. */
export const streams = { pi: 0, european_option: 1, asian_option: 2 } as const;

const TWO32 = 2 ** 32;

/** Block `block` of a stream (below 2^53), part `part` of it. */
export function philoxBlock(seed: bigint, block: number, part: number, stream: number) {
  const key = [Number(seed & 0xffffffffn), Number(seed >> 32n)];
  return philox4x32([block % TWO32, Math.floor(block / TWO32), part, stream], key);
}

/**
 * The darts that a job of the model `pi` throws: pairs x, y in 0..1, from dart `first` on. These are the very samples
 * that the kernels count, so a page can draw its own work.
 */
export function dartsOf(seed: bigint, first: number, count: number): Float64Array {
  const points = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    const dart = first + i;
    const words = philoxBlock(seed, Math.floor(dart / 2), 0, streams.pi);
    const odd = dart % 2;
    // The middle of one of 2^31 x 2^31 cells: an odd number over 2^32.
    points[2 * i] = (words[2 * odd]! | 1) >>> 0;
    points[2 * i + 1] = (words[2 * odd + 1]! | 1) >>> 0;
  }
  return points.map((value) => value / TWO32);
}
