/*
 * The search of kernels/workloads/crypto_mining/kernel.as.ts in C, for headers without a coinbase: the same midstate,
 * the same three rounds ahead, the same partly constant schedules, 61 rounds of the second hash. -DSIMD=1 hashes four
 * nonces side by side in 128-bit vectors; -DSIMD=0 one at a time.
 */
#include <string.h>

#include "kernel.h"

#define SHARES_MAX 510
#define ALWAYS static inline __attribute__((always_inline))

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const uint32_t INITIAL[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t extranonce, limit[8], midstate[8], tail_block[16], last_block[16];
static uint64_t nonce_start, nonces;

/* The same expressions for one word and for four: T is uint32_t or a vector of four. */
#define ROTATE(x, by) (((x) >> (by)) | ((x) << (32 - (by))))
#define SIGMA0(x) (ROTATE(x, 7) ^ ROTATE(x, 18) ^ ((x) >> 3))
#define SIGMA1(x) (ROTATE(x, 17) ^ ROTATE(x, 19) ^ ((x) >> 10))
#define MIX(e, f, g, h, kw) ((h) + (kw) + ((g) ^ ((e) & ((f) ^ (g)))) + (ROTATE(e, 6) ^ ROTATE(e, 11) ^ ROTATE(e, 25)))
#define FOLD(a, b, c) ((ROTATE(a, 2) ^ ROTATE(a, 13) ^ ROTATE(a, 22)) + ((b) ^ (((a) ^ (b)) & ((b) ^ (c)))))
#define ROUND(a, b, c, d, e, f, g, h, kw) \
  h = MIX(e, f, g, h, kw);                \
  d += h;                                 \
  h += FOLD(a, b, c)

static void compress(uint32_t *to, const uint32_t *from, const uint32_t *block) {
  uint32_t w[64];
  memcpy(w, block, 64);
  for (int t = 16; t < 64; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7] + SIGMA0(w[t - 15]) + w[t - 16];
  uint32_t a = from[0], b = from[1], c = from[2], d = from[3], e = from[4], f = from[5], g = from[6], h = from[7];
  for (int t = 0; t < 64; t += 8) {
    ROUND(a, b, c, d, e, f, g, h, K[t] + w[t]);
    ROUND(h, a, b, c, d, e, f, g, K[t + 1] + w[t + 1]);
    ROUND(g, h, a, b, c, d, e, f, K[t + 2] + w[t + 2]);
    ROUND(f, g, h, a, b, c, d, e, K[t + 3] + w[t + 3]);
    ROUND(e, f, g, h, a, b, c, d, K[t + 4] + w[t + 4]);
    ROUND(d, e, f, g, h, a, b, c, K[t + 5] + w[t + 5]);
    ROUND(c, d, e, f, g, h, a, b, K[t + 6] + w[t + 6]);
    ROUND(b, c, d, e, f, g, h, a, K[t + 7] + w[t + 7]);
  }
  const uint32_t end[8] = {a, b, c, d, e, f, g, h};
  for (int i = 0; i < 8; i++) to[i] = from[i] + end[i];
}

/* Whether the header with this nonce hashes to at most the share target. */
static int is_share(uint32_t nonce) {
  uint32_t digest[8];
  tail_block[3] = __builtin_bswap32(nonce);
  compress(digest, midstate, tail_block);
  memcpy(last_block, digest, 32);
  compress(digest, INITIAL, last_block);
  for (int word = 0; word < 8; word++) {
    uint32_t mine = __builtin_bswap32(digest[7 - word]);
    if (mine != limit[word]) return mine < limit[word];
  }
  return 1;
}

#if SIMD
#include <smmintrin.h>
typedef uint32_t lanes __attribute__((vector_size(16)));

static lanes head_state[8], mid_lanes[8], w1[64], w2[64], k_lanes[64];
static lanes part18, part19, part31;

ALWAYS lanes splat(uint32_t x) { return (lanes){x, x, x, x}; }

ALWAYS lanes swap_bytes(lanes x) {
  return (lanes)_mm_shuffle_epi8((__m128i)x, _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12));
}

static void prepare_lanes(void) {
  for (int t = 0; t < 64; t++) k_lanes[t] = splat(K[t]);
  for (int t = 0; t < 16; t++) w1[t] = splat(tail_block[t]), w2[t] = splat(last_block[t]);
  for (int i = 0; i < 8; i++) mid_lanes[i] = splat(midstate[i]);
  const uint32_t *w = tail_block;
  uint32_t word16 = SIGMA0(w[1]) + w[0], word17 = SIGMA1(640u) + SIGMA0(w[2]) + w[1];
  w1[16] = splat(word16), w1[17] = splat(word17);
  part18 = splat(SIGMA1(word16) + w[2]);
  part19 = splat(SIGMA1(word17) + SIGMA0(0x80000000u));
  part31 = splat(SIGMA0(word16) + 640);
  uint32_t s[8];
  memcpy(s, midstate, 32);
  for (int t = 0; t < 3; t++) {
    uint32_t mixed = MIX(s[4], s[5], s[6], s[7], K[t] + w[t]), folded = FOLD(s[0], s[1], s[2]), grown = s[3] + mixed;
    memmove(s + 1, s, 28);
    s[0] = mixed + folded, s[4] = grown;
  }
  for (int i = 0; i < 8; i++) head_state[i] = splat(s[i]);
}

ALWAYS void extend(lanes *w, int from, int to) {
  for (int t = from; t < to; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7] + SIGMA0(w[t - 15]) + w[t - 16];
}

/* 61 rounds from word `t` on; the answer is written back in the order of the names after them. */
ALWAYS void rounds61(lanes *s, const lanes *w, int t) {
  lanes a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
#define FIVE_ROUNDS                                      \
  ROUND(a, b, c, d, e, f, g, h, k_lanes[t] + w[t]);         \
  ROUND(h, a, b, c, d, e, f, g, k_lanes[t + 1] + w[t + 1]); \
  ROUND(g, h, a, b, c, d, e, f, k_lanes[t + 2] + w[t + 2]); \
  ROUND(f, g, h, a, b, c, d, e, k_lanes[t + 3] + w[t + 3]); \
  ROUND(e, f, g, h, a, b, c, d, k_lanes[t + 4] + w[t + 4])
  for (int last = t + 56; t < last; t += 8) {
    FIVE_ROUNDS;
    ROUND(d, e, f, g, h, a, b, c, k_lanes[t + 5] + w[t + 5]);
    ROUND(c, d, e, f, g, h, a, b, k_lanes[t + 6] + w[t + 6]);
    ROUND(b, c, d, e, f, g, h, a, k_lanes[t + 7] + w[t + 7]);
  }
  FIVE_ROUNDS;
  s[0] = d, s[1] = e, s[2] = f, s[3] = g, s[4] = h, s[5] = a, s[6] = b, s[7] = c;
}

/* Whether the most significant word of one of the four hashes is at most the target's. */
static int four_may_pass(uint32_t nonce) {
  lanes s[8];
  lanes *w = w1;
  w[3] = swap_bytes(splat(nonce) + (lanes){0, 1, 2, 3});
  w[18] = part18 + SIGMA0(w[3]);
  w[19] = part19 + w[3];
  w[20] = SIGMA1(w[18]) + w[4];
  w[21] = SIGMA1(w[19]);
  for (int t = 22; t < 30; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7];
  w[30] = SIGMA1(w[28]) + w[23] + SIGMA0(w[15]);
  w[31] = SIGMA1(w[29]) + w[24] + part31;
  extend(w, 32, 64);
  memcpy(s, head_state, sizeof s);
  rounds61(s, w, 3);
  w = w2;
  for (int i = 0; i < 8; i++) w[i] = s[i] + mid_lanes[i];
  w[16] = SIGMA0(w[1]) + w[0];
  w[17] = SIGMA1(w[15]) + SIGMA0(w[2]) + w[1];
  for (int t = 18; t < 22; t++) w[t] = SIGMA1(w[t - 2]) + SIGMA0(w[t - 15]) + w[t - 16];
  extend(w, 22, 26);
  for (int t = 26; t < 30; t++) w[t] = SIGMA1(w[t - 2]) + w[t - 7];
  extend(w, 30, 62);
  for (int i = 0; i < 8; i++) s[i] = splat(INITIAL[i]);
  rounds61(s, w, 0);
  lanes most = swap_bytes(s[4] + splat(INITIAL[7]));
  return _mm_movemask_epi8((__m128i)(most <= splat(limit[0]))) != 0;
}
#endif

int kernel_init(const uint8_t *params, size_t length) {
  uint32_t word[56];
  if (length != sizeof word) return 1;
  memcpy(word, params, sizeof word);
  if (word[0] != 0) return 2;
  nonce_start = word[1];
  extranonce = word[2];
  nonces = word[3] | (uint64_t)word[4] << 32;
  memcpy(limit, word + 8, 32);
  compress(midstate, INITIAL, word + 16);
  memcpy(tail_block, word + 32, 12);
  tail_block[4] = 0x80000000, tail_block[15] = 640;
  last_block[8] = 0x80000000, last_block[15] = 256;
#if SIMD
  prepare_lanes();
#endif
  return 0;
}

size_t kernel_run(double lo, double hi, uint8_t *partial) {
  uint64_t first = nonce_start + (uint64_t)lo * 65536, end = (uint64_t)hi * 65536, at = first;
  uint32_t shares = 0;
  end = nonce_start + (end < nonces ? end : nonces);
  while (at < end && shares < SHARES_MAX) {
    uint64_t next = at + 1;
#if SIMD
    if (end - at >= 4) {
      next = at + 4;
      if (!four_may_pass((uint32_t)at)) at = next;
    }
#endif
    for (; at < next && shares < SHARES_MAX; at++) {
      if (!is_share((uint32_t)at)) continue;
      const uint32_t share[2] = {extranonce, (uint32_t)at};
      memcpy(partial + 16 + 8 * shares++, share, 8);
    }
  }
  const uint64_t searched = at - first;
  const uint32_t tail[2] = {shares, 0};
  memcpy(partial, &searched, 8);
  memcpy(partial + 8, tail, 8);
  return 16 + 8 * shares;
}
