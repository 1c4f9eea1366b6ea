/* The SIMD build of monte_carlo/kernel.as.ts, in C: darts eight and European paths sixteen at a time, in the same lanes,
   the same polynomials, the same order of roundings. Where a WASM instruction has no twin in SSE4.1 (conversions and
   shifts of 64-bit lanes), what C programmers write instead. Must be compiled without contraction to fused operations. */
#include "kernel.h"
#include <smmintrin.h>
#include <string.h>

enum { PI = 0, EUROPEAN = 1 };
#define PUT 1u
#define Q_MAX 4294967295.0

typedef __m128i v128;
typedef __m128d f64x2;

struct tallies { v128 events, sum, low, high; };
struct option { f64x2 start, drift, spread, scale; };

static inline uint64_t both(v128 x) { return (uint64_t)_mm_cvtsi128_si64(x) + (uint64_t)_mm_extract_epi64(x, 1); }
static inline f64x2 splat(double x) { return _mm_set1_pd(x); }
static inline f64x2 mul(f64x2 a, f64x2 b) { return _mm_mul_pd(a, b); }
static inline f64x2 add(f64x2 a, f64x2 b) { return _mm_add_pd(a, b); }
static inline f64x2 sub(f64x2 a, f64x2 b) { return _mm_sub_pd(a, b); }
/* a + x * b */
static inline f64x2 horner(double a, f64x2 x, f64x2 b) { return add(splat(a), mul(x, b)); }

/* ---- Philox4x32-10 */

static v128 keys[20];

static void setKey(uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++, k0 += 0x9e3779b9, k1 += 0xbb67ae85) {
    keys[2 * round] = _mm_set1_epi32((int)k0);
    keys[2 * round + 1] = _mm_set1_epi32((int)k1);
  }
}

static inline void product(v128 x, v128 m, v128 *high, v128 *low) {
  v128 even = _mm_mul_epu32(x, m), odd = _mm_mul_epu32(_mm_srli_epi64(x, 32), m);
  *low = _mm_blend_epi16(even, _mm_slli_epi64(odd, 32), 0xcc);
  *high = _mm_blend_epi16(_mm_srli_epi64(even, 32), odd, 0xcc);
}

/* The words of four blocks from `block` (a multiple of four) on. */
static inline void philox(uint64_t block, uint32_t model, v128 word[4]) {
  const v128 m0 = _mm_set1_epi32((int)0xd2511f53), m1 = _mm_set1_epi32((int)0xcd9e8d57);
  v128 c0 = _mm_add_epi32(_mm_set1_epi32((int)(uint32_t)block), _mm_setr_epi32(0, 1, 2, 3));
  v128 c1 = _mm_set1_epi32((int)(block >> 32)), c2 = _mm_setzero_si128(), c3 = _mm_set1_epi32((int)model);
  for (int round = 0; round < 10; round++) {
    v128 high0, low0, high1, low1;
    product(c0, m0, &high0, &low0);
    product(c2, m1, &high1, &low1);
    c0 = _mm_xor_si128(_mm_xor_si128(high1, c1), keys[2 * round]);
    c1 = low1;
    c2 = _mm_xor_si128(_mm_xor_si128(high0, c3), keys[2 * round + 1]);
    c3 = low0;
  }
  word[0] = c0; word[1] = c1; word[2] = c2; word[3] = c3;
}

/* ---- darts */

static inline v128 halfSum(v128 a, v128 b) {
  return _mm_add_epi64(_mm_add_epi64(_mm_srli_epi64(a, 1), _mm_srli_epi64(b, 1)), _mm_set1_epi64x(1));
}

/* Darts outside the circle, two in each 64-bit lane. */
static inline v128 outside(v128 x, v128 y) {
  v128 one = _mm_set1_epi32(1), a = _mm_or_si128(x, one), b = _mm_or_si128(y, one);
  v128 a1 = _mm_srli_epi64(a, 32), b1 = _mm_srli_epi64(b, 32);
  v128 even = halfSum(_mm_mul_epu32(a, a), _mm_mul_epu32(b, b));
  v128 odd = halfSum(_mm_mul_epu32(a1, a1), _mm_mul_epu32(b1, b1));
  return _mm_add_epi64(_mm_srli_epi64(even, 63), _mm_srli_epi64(odd, 63));
}

static uint64_t darts(uint64_t from, uint64_t to) {
  v128 outsides = _mm_setzero_si128(), word[4];
  for (uint64_t block = from >> 1; block < to >> 1; block += 4) {
    philox(block, PI, word);
    outsides = _mm_add_epi64(outsides, outside(word[0], word[1]));
    outsides = _mm_add_epi64(outsides, outside(word[2], word[3]));
  }
  return both(outsides);
}

/* ---- European paths */

static inline f64x2 convertLowUnsigned(v128 x) {
  v128 exponent = _mm_set1_epi32(0x43300000);
  return sub(_mm_castsi128_pd(_mm_unpacklo_epi32(x, exponent)), splat(4503599627370496.0));
}

/* Box-Muller on the two low lanes. */
static inline void normals(v128 radius, v128 angle, f64x2 *cosine, f64x2 *sine) {
  f64x2 u = mul(add(convertLowUnsigned(radius), splat(0.5)), splat(2.3283064365386963e-10));
  v128 bits = _mm_castpd_si128(u), away = _mm_sub_epi64(bits, _mm_set1_epi64x(0x3fe6a09e667f3bcd));
  f64x2 m = _mm_castsi128_pd(_mm_sub_epi64(bits, _mm_and_si128(away, _mm_set1_epi64x((long long)0xfff0000000000000))));
  f64x2 exponent = _mm_cvtepi32_pd(_mm_srai_epi32(_mm_shuffle_epi32(away, _MM_SHUFFLE(3, 1, 3, 1)), 20));
  f64x2 s = _mm_div_pd(sub(m, splat(1.0)), add(m, splat(1.0)));
  f64x2 z = mul(s, s);
  f64x2 p = horner(1.531383769920937332e-1, z, splat(1.479819860511658591e-1));
  p = horner(1.818357216161805012e-1, z, p);
  p = horner(2.222219843214978396e-1, z, p);
  p = horner(2.857142874366239149e-1, z, p);
  p = horner(3.999999999940941908e-1, z, p);
  p = mul(z, horner(6.666666666666735130e-1, z, p));
  f64x2 ln = add(mul(exponent, splat(0.6931471805599453)), mul(s, add(splat(2.0), p)));
  f64x2 r = _mm_sqrt_pd(mul(ln, splat(-2.0)));

  f64x2 t = mul(_mm_cvtepi32_pd(_mm_slli_epi32(angle, 2)), splat(1.5707963267948966 * 2.3283064365386963e-10));
  f64x2 q = mul(t, t);
  p = horner(-2.50507602534068634195e-8, q, splat(1.58969099521155010221e-10));
  p = horner(2.75573137070700676789e-6, q, p);
  p = horner(-1.98412698298579493134e-4, q, p);
  p = horner(8.33333333332248946124e-3, q, p);
  p = horner(-1.66666666666666324348e-1, q, p);
  f64x2 sn = add(t, mul(mul(t, q), p));
  p = horner(2.08757232129817482790e-9, q, splat(-1.13596475577881948265e-11));
  p = horner(-2.75573143513906633035e-7, q, p);
  p = horner(2.48015872894767294178e-5, q, p);
  p = horner(-1.38888888888741095749e-3, q, p);
  p = horner(4.16666666666666019037e-2, q, p);
  f64x2 cs = add(sub(splat(1.0), mul(splat(0.5), q)), mul(mul(q, q), p));

  v128 quadrant = _mm_cvtepu32_epi64(_mm_srli_epi32(_mm_add_epi32(angle, _mm_set1_epi32(0x20000000)), 30));
  v128 one = _mm_set1_epi64x(1), two = _mm_set1_epi64x(2);
  f64x2 odd = _mm_castsi128_pd(_mm_sub_epi64(_mm_setzero_si128(), _mm_and_si128(quadrant, one)));
  f64x2 cosineSign = _mm_castsi128_pd(_mm_slli_epi64(_mm_and_si128(_mm_add_epi64(quadrant, one), two), 62));
  f64x2 sineSign = _mm_castsi128_pd(_mm_slli_epi64(_mm_and_si128(quadrant, two), 62));
  *cosine = mul(r, _mm_xor_pd(_mm_blendv_pd(cs, sn, odd), cosineSign));
  *sine = mul(r, _mm_xor_pd(_mm_blendv_pd(sn, cs, odd), sineSign));
}

static inline f64x2 exp2Lanes(f64x2 x) {
  x = _mm_max_pd(_mm_min_pd(x, splat(100.0)), splat(-100.0));
  f64x2 shifted = add(x, splat(6755399441055744.0));
  f64x2 f = sub(x, sub(shifted, splat(6755399441055744.0)));
  f64x2 p = horner(7.054911620801122e-9, f, splat(4.445538271870812e-10));
  p = horner(1.0178086009239699e-7, f, p);
  p = horner(0.0000013215486790144308, f, p);
  p = horner(0.000015252733804059841, f, p);
  p = horner(0.0001540353039338161, f, p);
  p = horner(0.0013333558146428443, f, p);
  p = horner(0.009618129107628477, f, p);
  p = horner(0.05550410866482158, f, p);
  p = horner(0.2402265069591007, f, p);
  p = horner(0.6931471805599453, f, p);
  p = horner(1.0, f, p);
  return _mm_castsi128_pd(_mm_add_epi64(_mm_castpd_si128(p), _mm_slli_epi64(_mm_castpd_si128(shifted), 52)));
}

static inline void tally(struct tallies *all, const struct option *o, f64x2 z) {
  f64x2 price = exp2Lanes(add(o->start, add(o->drift, mul(o->spread, z))));
  f64x2 payoff = mul(sub(price, splat(1.0)), o->scale);
  f64x2 rounded = _mm_min_pd(add(_mm_max_pd(payoff, splat(0.0)), splat(0.5)), splat(Q_MAX));
  /* Below 2^52 the low bits of x + 2^52 are the integer x. */
  f64x2 shift = splat(4503599627370496.0);
  v128 q = _mm_castpd_si128(_mm_xor_pd(add(_mm_floor_pd(rounded), shift), shift));
  v128 square = _mm_mul_epu32(q, q);
  v128 zero = _mm_cmpeq_epi64(q, _mm_setzero_si128());
  all->events = _mm_add_epi64(all->events, _mm_add_epi64(zero, _mm_set1_epi64x(1)));
  all->sum = _mm_add_epi64(all->sum, q);
  all->low = _mm_add_epi64(all->low, _mm_and_si128(square, _mm_set1_epi64x(0xffffffff)));
  all->high = _mm_add_epi64(all->high, _mm_srli_epi64(square, 32));
}

static inline void fourPaths(struct tallies *all, const struct option *o, v128 radius, v128 angle) {
  f64x2 cosine, sine;
  normals(radius, angle, &cosine, &sine);
  tally(all, o, cosine);
  tally(all, o, sine);
}

#define UPPER(x) _mm_shuffle_epi32(x, _MM_SHUFFLE(3, 2, 3, 2))

static void europeans(uint64_t from, uint64_t to, const struct option *option, struct tallies *all) {
  struct tallies mine = *all;
  v128 word[4];
  for (uint64_t block = from >> 2; block < to >> 2; block += 4) {
    philox(block, EUROPEAN, word);
    fourPaths(&mine, option, word[0], word[1]);
    fourPaths(&mine, option, UPPER(word[0]), UPPER(word[1]));
    fourPaths(&mine, option, word[2], word[3]);
    fourPaths(&mine, option, UPPER(word[2]), UPPER(word[3]));
  }
  *all = mine;
}

/* ---- the range */

static void writeOption(uint8_t *partial, uint64_t paths, const struct tallies *all) {
  unsigned __int128 squares = ((unsigned __int128)both(all->high) << 32) + both(all->low);
  uint64_t words[6] = {paths, both(all->events), both(all->sum), 0, (uint64_t)squares, (uint64_t)(squares >> 64)};
  memcpy(partial, words, sizeof words);
}

size_t run(const uint8_t *params, size_t length, double lo, double hi, uint8_t *partial) {
  uint32_t head[6];
  double iterations, samples, form[3];
  if (length != 64) return 0;
  memcpy(head, params, sizeof head);
  memcpy(&iterations, params + 24, 8);
  memcpy(&samples, params + 32, 8);
  memcpy(form, params + 40, sizeof form);
  setKey(head[4], head[5]);
  double last = hi * samples;
  uint64_t from = (uint64_t)(lo * samples), to = (uint64_t)(last < iterations ? last : iterations);
  /* Ragged ends are not what is measured here. */
  if (head[0] > EUROPEAN || from % 16 != 0 || to % 16 != 0) return 0;
  if (head[0] == PI) {
    uint64_t words[2] = {to - from, to - from - darts(from, to)};
    memcpy(partial, words, sizeof words);
    return sizeof words;
  }
  int32_t fraction;
  memcpy(&fraction, head + 3, 4);
  uint64_t unit = (uint64_t)(1023 + fraction) << 52;
  double scale;
  memcpy(&scale, &unit, 8);
  struct option option = {splat(form[0]), splat(form[1]), splat(form[2]), splat(head[1] & PUT ? -scale : scale)};
  struct tallies all = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
  europeans(from, to, &option, &all);
  writeOption(partial, to - from, &all);
  return 48;
}
