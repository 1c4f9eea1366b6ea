/** The block function of SHA-256 (FIPS 180-4), for what is hashed ahead: states after whole blocks. Not for bulk. */

/** The first 32 bits of the fractional parts of the `root`-th roots of the first primes, computed exactly. */
function fractions(count: number, root: 2n | 3n): number[] {
  const found: number[] = [];
  for (let candidate = 2n; found.length < count; candidate++) {
    let prime = true;
    for (let divisor = 2n; divisor * divisor <= candidate; divisor++) prime &&= candidate % divisor !== 0n;
    if (!prime) continue;
    // The largest x with x^root <= candidate * 2^(32 root) is the root in units of 2^-32.
    const scaled = candidate << (32n * root);
    let x = 0n;
    for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) {
      if ((x + bit) ** root <= scaled) x += bit;
    }
    found.push(Number(x & 0xffffffffn));
  }
  return found;
}

/** State before the first block. */
export const INITIAL: readonly number[] = fractions(8, 2n);
/** Round constants. */
export const ROUND_CONSTANTS: readonly number[] = fractions(64, 3n);

const rotate = (x: number, by: number) => (x >>> by) | (x << (32 - by));

/** The state after one more block of 16 words. */
export function compress(state: readonly number[], block: readonly number[]): number[] {
  const w = [...block];
  for (let t = 16; t < 64; t++) {
    const near = w[t - 2] as number;
    const far = w[t - 15] as number;
    const s1 = rotate(near, 17) ^ rotate(near, 19) ^ (near >>> 10);
    const s0 = rotate(far, 7) ^ rotate(far, 18) ^ (far >>> 3);
    w.push((s1 + (w[t - 7] as number) + s0 + (w[t - 16] as number)) | 0);
  }
  let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number];
  for (let t = 0; t < 64; t++) {
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND_CONSTANTS[t] as number) + (w[t] as number)) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  return [a, b, c, d, e, f, g, h].map((word, index) => (word + (state[index] as number)) >>> 0);
}

/** Bytes (a multiple of four) as big-endian words. */
export function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, index) => view.getUint32(4 * index));
}

/** The message's last blocks from byte `from` (a multiple of 64) on, with SHA-256's padding. */
export function paddedTail(message: Uint8Array, from: number): Uint8Array {
  const rest = message.length - from;
  const tail = new Uint8Array(Math.ceil((rest + 9) / 64) * 64);
  tail.set(message.subarray(from));
  tail[rest] = 0x80;
  new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(message.length) * 8n);
  return tail;
}
