/*
 * The search of kernels/workloads/crypto_mining/kernel.as.ts in C, step for step: the same words prepared ahead, three
 * rounds done once for all nonces, and of the second hash the 61 rounds that its most significant word needs. Headers
 * with a coinbase are not written: they differ only once in 2^32 nonces.
 */
#include "kernel.h"
#include "lanes.h"

#define TASK_NONCES 65536u
#define SHARES_MAX 510u
#define HEAD_BYTES 224u

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t INITIAL[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

/* Once for numbers and once for vectors: C has no templates. */
#define ROTATE(x, by) ((x) >> (by) | (x) << (32 - (by)))
#define SIGMA0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ (x) >> 3)
#define SIGMA1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ (x) >> 10)
#define MIX(e, f, g, h, word) \
  ((h) + (word) + ((g) ^ ((e) & ((f) ^ (g)))) + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)))
#define FOLD(a, b, c) ((ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((b) ^ (((a) ^ (b)) & ((b) ^ (c)))))
#define ROUND(a, b, c, d, e, f, g, h, word) \
  do { \
    h = MIX(e, f, g, h, word); \
    d += h; \
    h += FOLD(a, b, c); \
  } while (0)
#define FIVE_ROUNDS(word, t) \
  ROUND(a, b, c, d, e, f, g, h, word(t)); \
  ROUND(h, a, b, c, d, e, f, g, word((t) + 1)); \
  ROUND(g, h, a, b, c, d, e, f, word((t) + 2)); \
  ROUND(f, g, h, a, b, c, d, e, word((t) + 3)); \
  ROUND(e, f, g, h, a, b, c, d, word((t) + 4))
#define EIGHT_ROUNDS(word, t) \
  FIVE_ROUNDS(word, t); \
  ROUND(d, e, f, g, h, a, b, c, word((t) + 5)); \
  ROUND(c, d, e, f, g, h, a, b, word((t) + 6)); \
  ROUND(b, c, d, e, f, g, h, a, word((t) + 7))

static int by_lanes;
static uint32_t nonce_start;
static uint64_t nonces;
static uint32_t target[8];
static uint32_t midstate[8];
static uint32_t tail_block[16], last_block[16];

static uint64_t first, cursor, end;
static uint32_t shares;
static uint32_t found[SHARES_MAX];

/* ---- one message */

static void compress(uint32_t *to, const uint32_t *from, const uint32_t *block) {
  uint32_t w[64];
  memcpy(w, block, 64);
  for (int t = 16; t < 64; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7] + SIGMA0(w[t - 15]) + w[t - 16];
  uint32_t a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5], g = from[6], h = from[7];
#define WORD(t) (K[t] + w[t])
  for (int t = 0; t < 64; t += 8) {
    EIGHT_ROUNDS(WORD, t);
  }
#undef WORD
  const uint32_t grown[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) to[i] = from[i] + grown[i];
}

static int passes(const uint32_t *digest) {
  for (int word = 0; word < 8; word++) {
    const uint32_t mine = __builtin_bswap32(digest[7 - word]);
    if (mine != target[word]) return mine < target[word];
  }
  return 1;
}

static void try_nonce(uint32_t nonce) {
  uint32_t digest[8], block[16];
  tail_block[3] = __builtin_bswap32(nonce);
  compress(digest, midstate, tail_block);
  memcpy(block, last_block, 64);
  memcpy(block, digest, 32);
  compress(digest, INITIAL, block);
  if (!passes(digest)) return;
  found[shares] = nonce;
  if (++shares == SHARES_MAX) cursor = end = (uint64_t)nonce + 1;
}

/* ---- four messages */

static u32x4 w1[64], w2[64], k4[64];
static u32x4 part18, part19, part31;
static u32x4 head4[8], mid4[8], initial4[8];

static void prepare_lanes(void) {
  const uint32_t word0 = tail_block[0], word1 = tail_block[1], word2 = tail_block[2];
  for (int t = 0; t < 64; t++) k4[t] = splat32(K[t]);
  for (int t = 0; t < 16; t++) {
    w1[t] = splat32(tail_block[t]);
    w2[t] = splat32(last_block[t]);
  }
  for (int i = 0; i < 8; i++) {
    mid4[i] = splat32(midstate[i]);
    initial4[i] = splat32(INITIAL[i]);
  }
  const uint32_t word16 = SIGMA0(word1) + word0;
  const uint32_t word17 = SIGMA1(640u) + SIGMA0(word2) + word1;
  w1[16] = splat32(word16);
  w1[17] = splat32(word17);
  part18 = splat32(SIGMA1(word16) + word2);
  part19 = splat32(SIGMA1(word17) + SIGMA0(0x80000000u));
  part31 = splat32(SIGMA0(word16) + 640u);
  uint32_t a = midstate[0], b = midstate[1], c = midstate[2], d = midstate[3];
  uint32_t e = midstate[4], f = midstate[5], g = midstate[6], h = midstate[7];
  ROUND(a, b, c, d, e, f, g, h, word0 + K[0]);
  ROUND(h, a, b, c, d, e, f, g, word1 + K[1]);
  ROUND(g, h, a, b, c, d, e, f, word2 + K[2]);
  const uint32_t grown[8] = {f, g, h, a, b, c, d, e};
  for (int i = 0; i < 8; i++) head4[i] = splat32(grown[i]);
}

INLINE void extend(u32x4 *w, int from, int to) {
  for (int t = from; t < to; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7] + SIGMA0(w[t - 15]) + w[t - 16];
}

/* 61 rounds, the first with word `from` of the schedule `w`. */
INLINE void rounds61(u32x4 *state, const u32x4 *w, int from) {
  u32x4 a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
#define WORD(t) (k4[t] + w[t])
  for (int t = from; t < from + 56; t += 8) {
    EIGHT_ROUNDS(WORD, t);
  }
  FIVE_ROUNDS(WORD, from + 56);
#undef WORD
  state[0] = d, state[1] = e, state[2] = f, state[3] = g;
  state[4] = h, state[5] = a, state[6] = b, state[7] = c;
}

INLINE u32x4 swap_bytes(u32x4 x) {
#if defined(__SSE4_1__)
  return (u32x4)_mm_shuffle_epi8((__m128i)x, _mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
#else
  return x >> 24 | (x >> 8 & 0xff00) | (x << 8 & 0xff0000) | x << 24;
#endif
}

static int four_may_pass(uint32_t nonce) {
  u32x4 *w = w1, state[8];
  w[3] = swap_bytes(splat32(nonce) + (u32x4){0, 1, 2, 3});
  w[18] = part18 + SIGMA0(w[3]);
  w[19] = part19 + w[3];
  w[20] = SIGMA1(w[18]) + w[4];
  w[21] = SIGMA1(w[19]);
  for (int t = 22; t < 30; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7];
  w[30] = SIGMA1(w[28]) + w[23] + SIGMA0(w[15]);
  w[31] = SIGMA1(w[29]) + w[24] + part31;
  extend(w, 32, 64);
  memcpy(state, head4, sizeof state);
  rounds61(state, w, 3);
  w = w2;
  for (int i = 0; i < 8; i++) w[i] = state[i] + mid4[i];
  w[16] = SIGMA0(w[1]) + w[0];
  w[17] = SIGMA1(w[15]) + SIGMA0(w[2]) + w[1];
  for (int t = 18; t < 22; t++) w[t] = SIGMA1(w[t - 2]) + SIGMA0(w[t - 15]) + w[t - 16];
  extend(w, 22, 26);
  for (int t = 26; t < 30; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7];
  extend(w, 30, 62);
  memcpy(state, initial4, sizeof state);
  rounds61(state, w, 0);
  const u64x2 low = (u64x2)(swap_bytes(state[4] + initial4[7]) <= splat32(target[0]));
  return (low[0] | low[1]) != 0;
}

/* ---- the kernel */

int kernel_init(const uint8_t *params, size_t length, int vectors) {
  if (length != HEAD_BYTES) return length > HEAD_BYTES ? KERNEL_NOT_WRITTEN : KERNEL_BAD_PARAMS;
  if (load32(params) != 0) return KERNEL_NOT_WRITTEN;
  uint32_t header[20];
  by_lanes = vectors;
  nonce_start = load32(params + 4);
  nonces = load32(params + 12) | (uint64_t)load32(params + 16) << 32;
  for (int i = 0; i < 8; i++) target[i] = load32(params + 32 + 4 * i);
  for (int i = 0; i < 20; i++) header[i] = load32(params + 64 + 4 * i);
  compress(midstate, INITIAL, header);
  memcpy(tail_block, header + 16, 12);
  tail_block[4] = last_block[8] = 0x80000000u;
  tail_block[15] = 640;
  last_block[15] = 256;
  prepare_lanes();
  return KERNEL_READY;
}

void kernel_run(uint64_t lo, uint64_t hi) {
  const uint64_t last = hi * TASK_NONCES;
  first = cursor = nonce_start + lo * TASK_NONCES;
  end = nonce_start + (last < nonces ? last : nonces);
  shares = 0;
  if (by_lanes) {
    for (; end - cursor >= 4; cursor += 4) {
      if (!four_may_pass((uint32_t)cursor)) continue;
      for (uint32_t lane = 0; lane < 4; lane++) {
        try_nonce((uint32_t)cursor + lane);
        if (shares == SHARES_MAX) return;
      }
    }
  }
  for (; cursor < end; cursor++) {
    try_nonce((uint32_t)cursor);
    if (shares == SHARES_MAX) return;
  }
}

size_t kernel_partial(uint8_t *to) {
  const uint64_t searched = cursor - first;
  memcpy(to, &searched, 8);
  memcpy(to + 8, &shares, 4);
  memset(to + 12, 0, 4);
  for (uint32_t i = 0; i < shares; i++) {
    memset(to + 16 + 8 * i, 0, 4);
    memcpy(to + 20 + 8 * i, &found[i], 4);
  }
  return 16 + 8 * (size_t)shares;
}
