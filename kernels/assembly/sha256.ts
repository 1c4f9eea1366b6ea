/**
 * SHA-256 (FIPS 180-4): its block function for one message, and its parts for four messages side by side, one in each
 * 32-bit lane. Words are numbers: whoever hashes bytes reads them most significant first.
 *
 * Blocks and states are pointers: 16 words and 8 words (64 and 32 bytes), or as many vectors. `@lazy` and functions
 * that only a SIMD build calls keep vectors out of the scalar one.
 */

const constants: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
/** State before the first block. */
export const INITIAL: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const schedule: usize = memory.data(256, 16);

// @ts-ignore: decorator
@inline export function sigma0(x: u32): u32 {
  return rotr(x, 7) ^ rotr(x, 18) ^ (x >> 3);
}

// @ts-ignore: decorator
@inline export function sigma1(x: u32): u32 {
  return rotr(x, 17) ^ rotr(x, 19) ^ (x >> 10);
}

/** h + the sum over e, f, g + one word and its constant: the first of a round's two sums. */
// @ts-ignore: decorator
@inline function mix(e: u32, f: u32, g: u32, h: u32, t: usize): u32 {
  const s1 = rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25);
  return h + s1 + (g ^ (e & (f ^ g))) + load<u32>(constants + t) + load<u32>(schedule + t);
}

// @ts-ignore: decorator
@inline function fold(a: u32, b: u32, c: u32): u32 {
  return (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
}

/** Writes to `to` the state after the block, which starts from the state `from`. They may be the same. */
export function compress(to: usize, from: usize, block: usize): void {
  memory.copy(schedule, block, 64);
  for (let at = schedule + 64, end = schedule + 256; at < end; at += 4) {
    const s1 = sigma1(load<u32>(at - 8));
    const s0 = sigma0(load<u32>(at - 60));
    store<u32>(at, s1 + load<u32>(at - 28) + s0 + load<u32>(at - 64));
  }
  let a = load<u32>(from);
  let b = load<u32>(from, 4);
  let c = load<u32>(from, 8);
  let d = load<u32>(from, 12);
  let e = load<u32>(from, 16);
  let f = load<u32>(from, 20);
  let g = load<u32>(from, 24);
  let h = load<u32>(from, 28);
  // Eight rounds change every name's place once around.
  for (let t: usize = 0; t < 256; t += 32) {
    h = mix(e, f, g, h, t); d += h; h += fold(a, b, c);
    g = mix(d, e, f, g, t + 4); c += g; g += fold(h, a, b);
    f = mix(c, d, e, f, t + 8); b += f; f += fold(g, h, a);
    e = mix(b, c, d, e, t + 12); a += e; e += fold(f, g, h);
    d = mix(a, b, c, d, t + 16); h += d; d += fold(e, f, g);
    c = mix(h, a, b, c, t + 20); g += c; c += fold(d, e, f);
    b = mix(g, h, a, b, t + 24); f += b; b += fold(c, d, e);
    a = mix(f, g, h, a, t + 28); e += a; a += fold(b, c, d);
  }
  store<u32>(to, load<u32>(from) + a);
  store<u32>(to, load<u32>(from, 4) + b, 4);
  store<u32>(to, load<u32>(from, 8) + c, 8);
  store<u32>(to, load<u32>(from, 12) + d, 12);
  store<u32>(to, load<u32>(from, 16) + e, 16);
  store<u32>(to, load<u32>(from, 20) + f, 20);
  store<u32>(to, load<u32>(from, 24) + g, 24);
  store<u32>(to, load<u32>(from, 28) + h, 28);
}

// ---- four lanes

/**
 * Bytes from a schedule of vectors to that of its words with their rounds' constants added, which the rounds read: one
 * value a round instead of two leaves the compiler registers, and words that no nonce changes are added up ahead.
 */
// @ts-ignore: decorator
@inline const SUMS: usize = 1024;

/** The round constants, four times over. */
const constantLanes: usize = memory.data(1024, 16);

/** Must be called once before the functions below. */
export function initLanes(): void {
  for (let t: usize = 0; t < 64; t++) v128.store(constantLanes + (t << 4), v128.load32_splat(constants + (t << 2)));
}

// @ts-ignore: decorator
@inline function xor3(a: v128, b: v128, c: v128): v128 {
  return v128.xor(v128.xor(a, b), c);
}

// @ts-ignore: decorator
@inline function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shr_u(x, by), i32x4.shl(x, 32 - by));
}

// @ts-ignore: decorator
@inline export function sigma0Lanes(x: v128): v128 {
  return xor3(rotate(x, 7), rotate(x, 18), i32x4.shr_u(x, 3));
}

// @ts-ignore: decorator
@inline export function sigma1Lanes(x: v128): v128 {
  return xor3(rotate(x, 17), rotate(x, 19), i32x4.shr_u(x, 10));
}

/** Writes one word of the schedule `w`, which has 2048 bytes. */
// @ts-ignore: decorator
@inline export function putLanes(w: usize, word: usize, value: v128): void {
  const at = w + (word << 4);
  v128.store(at, value);
  v128.store(at, i32x4.add(value, v128.load(constantLanes + (word << 4))), SUMS);
}

/** Fills words from..to (16..64, an even number of them) of the schedule `w` from the sixteen before each. */
// @ts-ignore: decorator
@inline export function extendLanes(w: usize, from: usize, to: usize): void {
  // The last two words stay in variables: each is needed at once, sooner than memory hands it back.
  let even = v128.load(w + (from << 4) - 32);
  let odd = v128.load(w + (from << 4) - 16);
  let k = constantLanes + (from << 4);
  for (let at = w + (from << 4) - 256, end = w + (to << 4) - 256; at < end; at += 32, k += 32) {
    even = extended(even, at);
    v128.store(at, even, 256);
    v128.store(at, i32x4.add(even, v128.load(k)), 256 + SUMS);
    odd = extended(odd, at + 16);
    v128.store(at, odd, 272);
    v128.store(at, i32x4.add(odd, v128.load(k, 16)), 272 + SUMS);
  }
}

/** The word 16 after the one at `at`; `near` is the word 14 after it. */
// @ts-ignore: decorator
@inline function extended(near: v128, at: usize): v128 {
  const far = i32x4.add(sigma0Lanes(v128.load(at, 16)), v128.load(at));
  return i32x4.add(i32x4.add(far, v128.load(at, 144)), sigma1Lanes(near));
}

/** As `mix`, with the sum of the round's word and constant at byte `t`. */
// @ts-ignore: decorator
@inline function mixLanes(e: v128, f: v128, g: v128, h: v128, word: usize, t: usize): v128 {
  const s1 = xor3(rotate(e, 6), rotate(e, 11), rotate(e, 25));
  const choice = v128.xor(g, v128.and(e, v128.xor(f, g)));
  return i32x4.add(i32x4.add(i32x4.add(h, v128.load(word + t)), choice), s1);
}

// @ts-ignore: decorator
@inline function foldLanes(a: v128, b: v128, c: v128): v128 {
  const s0 = xor3(rotate(a, 2), rotate(a, 13), rotate(a, 22));
  return i32x4.add(s0, v128.xor(b, v128.and(v128.xor(a, b), v128.xor(b, c))));
}

/**
 * 61 rounds from the state at `from`, the first with word `first` of the schedule `w`: all that are left when three
 * were done ahead, or as many as the last word of the final state needs (it is that state's fifth here). Writes to `to`.
 */
export function rounds61Lanes(to: usize, from: usize, w: usize, first: usize): void {
  let a = v128.load(from);
  let b = v128.load(from, 16);
  let c = v128.load(from, 32);
  let d = v128.load(from, 48);
  let e = v128.load(from, 64);
  let f = v128.load(from, 80);
  let g = v128.load(from, 96);
  let h = v128.load(from, 112);
  let word = w + SUMS + (first << 4);
  for (let last = word + 896; word < last; word += 128) {
    h = mixLanes(e, f, g, h, word, 0); d = i32x4.add(d, h); h = i32x4.add(h, foldLanes(a, b, c));
    g = mixLanes(d, e, f, g, word, 16); c = i32x4.add(c, g); g = i32x4.add(g, foldLanes(h, a, b));
    f = mixLanes(c, d, e, f, word, 32); b = i32x4.add(b, f); f = i32x4.add(f, foldLanes(g, h, a));
    e = mixLanes(b, c, d, e, word, 48); a = i32x4.add(a, e); e = i32x4.add(e, foldLanes(f, g, h));
    d = mixLanes(a, b, c, d, word, 64); h = i32x4.add(h, d); d = i32x4.add(d, foldLanes(e, f, g));
    c = mixLanes(h, a, b, c, word, 80); g = i32x4.add(g, c); c = i32x4.add(c, foldLanes(d, e, f));
    b = mixLanes(g, h, a, b, word, 96); f = i32x4.add(f, b); b = i32x4.add(b, foldLanes(c, d, e));
    a = mixLanes(f, g, h, a, word, 112); e = i32x4.add(e, a); a = i32x4.add(a, foldLanes(b, c, d));
  }
  h = mixLanes(e, f, g, h, word, 0); d = i32x4.add(d, h); h = i32x4.add(h, foldLanes(a, b, c));
  g = mixLanes(d, e, f, g, word, 16); c = i32x4.add(c, g); g = i32x4.add(g, foldLanes(h, a, b));
  f = mixLanes(c, d, e, f, word, 32); b = i32x4.add(b, f); f = i32x4.add(f, foldLanes(g, h, a));
  e = mixLanes(b, c, d, e, word, 48); a = i32x4.add(a, e); e = i32x4.add(e, foldLanes(f, g, h));
  d = mixLanes(a, b, c, d, word, 64); h = i32x4.add(h, d); d = i32x4.add(d, foldLanes(e, f, g));
  v128.store(to, d);
  v128.store(to, e, 16);
  v128.store(to, f, 32);
  v128.store(to, g, 48);
  v128.store(to, h, 64);
  v128.store(to, a, 80);
  v128.store(to, b, 96);
  v128.store(to, c, 112);
}
