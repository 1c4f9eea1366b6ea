/**
 * Searches nonces for header hashes of at most the share target. The ABI is that of `kernels/contract.ts`; parameters
 * and partials are laid out as `layout.ts` says.
 *
 * A header is two blocks, of which only the second holds the nonce (its fourth word): the state after the first, and
 * after three rounds of the second, are computed once for all nonces of an extranonce. The hash of the hash is looked
 * at through its last word, the number's most significant, which is there after 61 of 64 rounds; only where it passes
 * is the whole hash computed.
 */
import { INITIAL, compress, extendLanes, initLanes, putLanes, rounds61Lanes, sigma0, sigma0Lanes, sigma1, sigma1Lanes } from "../../assembly/sha256";

const PARAM_BYTES_MAX: i32 = 16384;
const HEAD_BYTES: i32 = 224;
const TASK_NONCES: f64 = 65536;
const UNIT_NONCES: u64 = 4096;
const SHARES_MAX: u32 = 510;

const paramBytes: usize = memory.data(16384, 16);
const target: usize = paramBytes + 32;
const header: usize = paramBytes + 64;
const coinbaseState: usize = paramBytes + 144;
const branch: usize = paramBytes + 224;
let paramLength: i32 = 0;

const partialBytes: usize = memory.data(4096, 16);
let shares: u32 = 0;

let hasCoinbase: bool = false;
let nonceStart: u64 = 0;
let extranonceStart: u32 = 0;
let nonces: f64 = 0;
let branchHashes: u32 = 0;
let tailBlocks: u32 = 0;
let extranonceAt: u32 = 0;

/** Counted from nonce 0 of the job's first extranonce: the range's first nonce, the next one, and its end. */
let first: u64 = 0;
let cursor: u64 = 0;
let end: u64 = 0;

/** Whether the header is set for `extranonce`. */
let ready: bool = false;
let extranonce: u32 = 0;
const midstate: usize = memory.data(32, 16);
/** The header's second block and the second hash's only one, with their padding; and where the states go. */
const tailBlock: usize = memory.data(64, 16);
const lastBlock: usize = memory.data(64, 16);
const scratch: usize = memory.data(64, 16);
const digest: usize = memory.data(32, 16);

export function params(length: i32): i32 {
  if (length > PARAM_BYTES_MAX) unreachable();
  paramLength = length;
  return <i32>paramBytes;
}

/** 1: the parameters are too short. 2: they have another length than their own counts say. 3: the extranonce lies outside. */
export function init(): i32 {
  if (paramLength < HEAD_BYTES) return 1;
  hasCoinbase = load<u32>(paramBytes) != 0;
  nonceStart = <u64>load<u32>(paramBytes, 4);
  extranonceStart = load<u32>(paramBytes, 8);
  nonces = <f64>load<u64>(paramBytes, 12);
  branchHashes = load<u32>(paramBytes, 20);
  tailBlocks = load<u32>(paramBytes, 24);
  extranonceAt = load<u32>(paramBytes, 28);
  if (branchHashes > 64 || tailBlocks > 256) return 2;
  if (paramLength != HEAD_BYTES + <i32>(branchHashes * 32 + tailBlocks * 64)) return 2;
  if (hasCoinbase && extranonceAt + 4 > tailBlocks * 64) return 3;
  ready = false;
  store<u32>(tailBlock, 0x80000000, 16);
  store<u32>(tailBlock, 640, 60);
  store<u32>(lastBlock, 0x80000000, 32);
  store<u32>(lastBlock, 256, 60);
  if (ASC_FEATURE_SIMD) initLanes();
  return 0;
}

export function begin(lo: f64, hi: f64): void {
  const last = hi * TASK_NONCES;
  first = cursor = nonceStart + <u64>(lo * TASK_NONCES);
  end = nonceStart + <u64>(last < nonces ? last : nonces);
  shares = 0;
}

export function step(units: i32): i32 {
  const room = <u64>units * UNIT_NONCES;
  const to = end - cursor > room ? cursor + room : end;
  while (cursor < to) {
    select(extranonceStart + <u32>(cursor >> 32));
    // Nonces of one extranonce at a time.
    const next = min((cursor & ~0xffffffff) + 0x100000000, to);
    search(<u32>cursor, <u32>(next - cursor));
    if (shares == SHARES_MAX) break;
    cursor = next;
  }
  return cursor < end ? 0 : 1;
}

export function fraction(): f64 {
  return <f64>(cursor - first) / <f64>(end - first);
}

export function partial(): i32 {
  store<u64>(partialBytes, cursor - first);
  store<u32>(partialBytes, shares, 8);
  store<u32>(partialBytes, 0, 12);
  return <i32>partialBytes;
}

export function partialLength(): i32 {
  return 16 + <i32>(shares << 3);
}

// ---- the header of an extranonce

/** Sets the header for an extranonce, unless it is. */
function select(wanted: u32): void {
  if (ready && (!hasCoinbase || extranonce == wanted)) return;
  extranonce = wanted;
  ready = true;
  if (hasCoinbase) {
    merkleRoot();
    memory.copy(header + 36, digest, 32);
  }
  compress(midstate, INITIAL, header);
  memory.copy(tailBlock, header + 64, 12);
  if (ASC_FEATURE_SIMD) prepareLanes();
}

/** Leaves in `digest` the hash of the coinbase with the extranonce, combined along the branch. */
function merkleRoot(): void {
  const tail = branch + (<usize>branchHashes << 5);
  memory.copy(digest, coinbaseState, 32);
  for (let block: u32 = 0; block < tailBlocks; block++) {
    memory.copy(scratch, tail + (<usize>block << 6), 64);
    for (let byte: u32 = 0; byte < 4; byte++) {
      const at = extranonceAt + byte;
      if (at >> 6 != block) continue;
      const word = scratch + (at & 60);
      store<u32>(word, load<u32>(word) | (((extranonce >> (24 - (byte << 3))) & 255) << (24 - ((at & 3) << 3))));
    }
    compress(digest, digest, scratch);
  }
  hashOfDigest();
  for (let hash: u32 = 0; hash < branchHashes; hash++) {
    memory.copy(scratch, digest, 32);
    memory.copy(scratch + 32, branch + (<usize>hash << 5), 32);
    compress(digest, INITIAL, scratch);
    memory.fill(scratch, 0, 64);
    store<u32>(scratch, 0x80000000);
    store<u32>(scratch, 512, 60);
    compress(digest, digest, scratch);
    hashOfDigest();
  }
}

function hashOfDigest(): void {
  memory.copy(lastBlock, digest, 32);
  compress(digest, INITIAL, lastBlock);
}

// ---- the search

/** Tries `count` nonces (0 stands for 2^32) from `nonce` on, as long as there is room for shares. */
function search(nonce: u32, count: u32): void {
  let left = <u64>(count - 1) + 1;
  if (ASC_FEATURE_SIMD) {
    for (; left >= 4; left -= 4, nonce += 4) {
      if (!fourMayPass(nonce)) continue;
      for (let lane: u32 = 0; lane < 4; lane++) {
        tryNonce(nonce + lane);
        if (shares == SHARES_MAX) return;
      }
    }
  }
  for (; left > 0; left--, nonce++) {
    tryNonce(nonce);
    if (shares == SHARES_MAX) return;
  }
}

/** Hashes the header with one nonce and keeps it when it is a share. The share that fills the list ends the range. */
function tryNonce(nonce: u32): void {
  store<u32>(tailBlock, bswap(nonce), 12);
  compress(digest, midstate, tailBlock);
  hashOfDigest();
  if (!passes()) return;
  const at = partialBytes + 16 + (<usize>shares << 3);
  store<u32>(at, extranonce);
  store<u32>(at, nonce, 4);
  if (++shares < SHARES_MAX) return;
  cursor = end = (<u64>(extranonce - extranonceStart) << 32) + <u64>nonce + 1;
}

/** Whether the digest, as a number whose last byte is the most significant, is at most the target. */
function passes(): bool {
  for (let word: usize = 0; word < 32; word += 4) {
    const mine = bswap(load<u32>(digest + 28 - word));
    const limit = load<u32>(target + word);
    if (mine != limit) return mine < limit;
  }
  return true;
}

// ---- four lanes

const state: usize = memory.data(128, 16);
const headState: usize = memory.data(128, 16);
const midLanes: usize = memory.data(128, 16);
const initialLanes: usize = memory.data(128, 16);
/** Schedules of the two blocks; words that no nonce changes are set ahead. */
const w1: usize = memory.data(2048, 16);
const w2: usize = memory.data(2048, 16);
/** Constant parts of the first block's words 18 and 19. */
// @ts-ignore: decorator
@lazy let part18: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@lazy let part19: v128 = i32x4.splat(0);
// @ts-ignore: decorator
@lazy let part31: v128 = i32x4.splat(0);

// @ts-ignore: decorator
@inline
function at(w: usize, word: usize): v128 {
  return v128.load(w + (word << 4));
}

function prepareLanes(): void {
  for (let word: usize = 0; word < 16; word++) {
    putLanes(w1, word, v128.load32_splat(tailBlock + (word << 2)));
    putLanes(w2, word, v128.load32_splat(lastBlock + (word << 2)));
  }
  for (let word: usize = 0; word < 8; word++) {
    v128.store(midLanes + (word << 4), v128.load32_splat(midstate + (word << 2)));
    v128.store(initialLanes + (word << 4), v128.load32_splat(INITIAL + (word << 2)));
  }
  const word0 = load<u32>(tailBlock);
  const word1 = load<u32>(tailBlock, 4);
  const word2 = load<u32>(tailBlock, 8);
  const word16 = sigma0(word1) + word0;
  const word17 = sigma1(640) + sigma0(word2) + word1;
  putLanes(w1, 16, i32x4.splat(word16));
  putLanes(w1, 17, i32x4.splat(word17));
  part18 = i32x4.splat(sigma1(word16) + word2);
  part19 = i32x4.splat(sigma1(word17) + sigma0(0x80000000));
  part31 = i32x4.splat(sigma0(word16) + 640);
  threeRounds(word0, word1, word2);
}

/** The state after the second block's first three rounds, which no nonce reaches. */
function threeRounds(word0: u32, word1: u32, word2: u32): void {
  memory.copy(digest, midstate, 32);
  for (let t = 0; t < 3; t++) {
    const a = load<u32>(digest);
    const b = load<u32>(digest, 4);
    const c = load<u32>(digest, 8);
    const e = load<u32>(digest, 16);
    const f = load<u32>(digest, 20);
    const g = load<u32>(digest, 24);
    const word = t == 0 ? word0 + 0x428a2f98 : t == 1 ? word1 + 0x71374491 : word2 + 0xb5c0fbcf;
    const mixed = load<u32>(digest, 28) + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (g ^ (e & (f ^ g))) + word;
    const folded = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + ((a & b) | (c & (a | b)));
    const grown = load<u32>(digest, 12) + mixed;
    memory.copy(digest + 4, digest, 28);
    store<u32>(digest, mixed + folded);
    store<u32>(digest, grown, 16);
  }
  for (let word: usize = 0; word < 8; word++) v128.store(headState + (word << 4), v128.load32_splat(digest + (word << 2)));
}

/** Whether the most significant word of one of the hashes of nonce..nonce + 3 is at most the target's. */
function fourMayPass(nonce: u32): bool {
  const lanes = i32x4.add(i32x4.splat(nonce), i32x4(0, 1, 2, 3));
  putLanes(w1, 3, swapBytes(lanes));
  firstSchedule();
  rounds61Lanes(state, headState, w1, 3);
  for (let word: usize = 0; word < 8; word++) putLanes(w2, word, i32x4.add(at(state, word), at(midLanes, word)));
  secondSchedule();
  rounds61Lanes(state, initialLanes, w2, 0);
  const most = swapBytes(i32x4.add(at(state, 4), at(initialLanes, 7)));
  return v128.any_true(i32x4.le_u(most, v128.load32_splat(target)));
}

// @ts-ignore: decorator
@inline
function swapBytes(words: v128): v128 {
  return v128.shuffle<u8>(words, words, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
}

/** Words 18..63 of the header's second block, whose words 5..14 are zero. */
// @ts-ignore: decorator
@inline
function firstSchedule(): void {
  const w = w1;
  putLanes(w, 18, i32x4.add(part18, sigma0Lanes(at(w, 3))));
  putLanes(w, 19, i32x4.add(part19, at(w, 3)));
  putLanes(w, 20, i32x4.add(sigma1Lanes(at(w, 18)), at(w, 4)));
  putLanes(w, 21, sigma1Lanes(at(w, 19)));
  for (let word: usize = 22; word < 30; word++) putLanes(w, word, i32x4.add(sigma1Lanes(at(w, word - 2)), at(w, word - 7)));
  putLanes(w, 30, i32x4.add(i32x4.add(sigma1Lanes(at(w, 28)), at(w, 23)), sigma0Lanes(at(w, 15))));
  putLanes(w, 31, i32x4.add(i32x4.add(sigma1Lanes(at(w, 29)), at(w, 24)), part31));
  extendLanes(w, 32, 64);
}

/** Words 16..61 of the second hash's block, whose words 9..14 are zero. */
// @ts-ignore: decorator
@inline
function secondSchedule(): void {
  const w = w2;
  putLanes(w, 16, i32x4.add(sigma0Lanes(at(w, 1)), at(w, 0)));
  putLanes(w, 17, i32x4.add(i32x4.add(sigma1Lanes(at(w, 15)), sigma0Lanes(at(w, 2))), at(w, 1)));
  for (let word: usize = 18; word < 22; word++)
    putLanes(w, word, i32x4.add(i32x4.add(sigma1Lanes(at(w, word - 2)), sigma0Lanes(at(w, word - 15))), at(w, word - 16)));
  extendLanes(w, 22, 26);
  for (let word: usize = 26; word < 30; word++) putLanes(w, word, i32x4.add(sigma1Lanes(at(w, word - 2)), at(w, word - 7)));
  extendLanes(w, 30, 62);
}
