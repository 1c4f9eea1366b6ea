/*
 * The models pi and European option of kernels/workloads/monte_carlo in C: the same streams, the same polynomials, the
 * same operations in the same order, so that tallies are equal to the bit. Build with -ffp-contract=off, which keeps
 * products and sums apart. Asian options are not written: they are made of the same parts.
 */
#include <math.h>

#include "kernel.h"
#include "lanes.h"

#define Q_MAX 4294967295.0
#define LN2 0.6931471805599453
#define SHIFTER 6755399441055744.0
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcdLL
#define TWO_NEG32 2.3283064365386963e-10
#define ANGLE (1.5707963267948966 * 2.3283064365386963e-10)
#define EXPONENT_MAX 100.0

/* Polynomials by Horner's rule for one number and for two: `k` makes a constant of their type. */
#define LOG_POLYNOMIAL(z, k)                                                                        \
  ((z) * (k(6.666666666666735130e-1) + (z) * (k(3.999999999940941908e-1) + (z) * (k(2.857142874366239149e-1) + \
   (z) * (k(2.222219843214978396e-1) + (z) * (k(1.818357216161805012e-1) + (z) * (k(1.531383769920937332e-1) + \
   (z) * k(1.479819860511658591e-1))))))))
#define SINE_POLYNOMIAL(q, k)                                                                       \
  (k(-1.66666666666666324348e-1) + (q) * (k(8.33333333332248946124e-3) + (q) * (k(-1.98412698298579493134e-4) + \
   (q) * (k(2.75573137070700676789e-6) + (q) * (k(-2.50507602534068634195e-8) + (q) * k(1.58969099521155010221e-10))))))
#define COSINE_POLYNOMIAL(q, k)                                                                     \
  (k(4.16666666666666019037e-2) + (q) * (k(-1.38888888888741095749e-3) + (q) * (k(2.48015872894767294178e-5) + \
   (q) * (k(-2.75573143513906633035e-7) + (q) * (k(2.08757232129817482790e-9) + (q) * k(-1.13596475577881948265e-11))))))
#define EXP2_POLYNOMIAL(f, k)                                                                       \
  (k(1.0) + (f) * (k(0.6931471805599453) + (f) * (k(0.2402265069591007) + (f) * (k(0.05550410866482158) + \
   (f) * (k(0.009618129107628477) + (f) * (k(0.0013333558146428443) + (f) * (k(0.0001540353039338161) + \
   (f) * (k(0.000015252733804059841) + (f) * (k(0.0000013215486790144308) + (f) * (k(1.0178086009239699e-7) + \
   (f) * (k(7.054911620801122e-9) + (f) * k(4.445538271870812e-10))))))))))))
#define NUMBER(x) (x)

#define PHILOX_M0 0xd2511f53u
#define PHILOX_M1 0xcd9e8d57u
#define PHILOX_W0 0x9e3779b9u
#define PHILOX_W1 0xbb67ae85u
#define PHILOX_ROUNDS 10

enum { PI = 0, EUROPEAN = 1 };

static int by_lanes;
static uint32_t model, key0, key1;
static double iterations, samples, start, drift, spread, scale;
static uint64_t paths, events, sum, squares_low, squares_high;

INLINE uint64_t bits_of(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
INLINE double double_of(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }

/* ---- one path at a time */

/* Philox4x32-10: the counter becomes its four words. */
INLINE void philox(uint32_t c[4]) {
  uint32_t k0 = key0, k1 = key1;
  for (int round = 0; round < PHILOX_ROUNDS; round++) {
    const uint64_t product0 = (uint64_t)PHILOX_M0 * c[0], product1 = (uint64_t)PHILOX_M1 * c[2];
    c[0] = (uint32_t)(product1 >> 32) ^ c[1] ^ k0;
    c[1] = (uint32_t)product1;
    c[2] = (uint32_t)(product0 >> 32) ^ c[3] ^ k1;
    c[3] = (uint32_t)product0;
    k0 += PHILOX_W0;
    k1 += PHILOX_W1;
  }
}

INLINE uint64_t outside(uint32_t x, uint32_t y) {
  uint64_t a = x | 1, b = y | 1;
  return (((a * a) >> 1) + ((b * b) >> 1) + 1) >> 63;
}

static void darts_one_by_one(uint64_t from, uint64_t to) {
  while (from < to) {
    uint64_t block = from >> 1;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, PI};
    philox(c);
    if (!(from & 1)) {
      events += outside(c[0], c[1]);
      if (++from == to) break;
    }
    events += outside(c[2], c[3]);
    from++;
  }
}

INLINE void tally(double z) {
  double x = start + (drift + spread * z);
  if (x > EXPONENT_MAX) x = EXPONENT_MAX;
  if (x < -EXPONENT_MAX) x = -EXPONENT_MAX;
  double shifted = x + SHIFTER, f = x - (shifted - SHIFTER);
  double price = double_of(bits_of(EXP2_POLYNOMIAL(f, NUMBER)) + (bits_of(shifted) << 52));
  double payoff = (price - 1.0) * scale, rounded = (payoff > 0.0 ? payoff : 0.0) + 0.5;
  uint64_t q = (uint64_t)(int64_t)(rounded < Q_MAX ? rounded : Q_MAX), square = q * q;
  events += q != 0;
  sum += q;
  squares_low += square & 0xffffffff;
  squares_high += square >> 32;
}

INLINE void normals(uint32_t radius, uint32_t angle, double *cosine, double *sine) {
  double u = (radius + 0.5) * TWO_NEG32;
  int64_t bits = (int64_t)bits_of(u), e = (bits - SQRT_HALF_BITS) >> 52;
  double m = double_of((uint64_t)bits - ((uint64_t)e << 52)), s = (m - 1.0) / (m + 1.0), z = s * s;
  double ln = (double)e * LN2 + s * (2.0 + LOG_POLYNOMIAL(z, NUMBER));
  double r = sqrt(ln * -2.0);
  double t = (double)(int32_t)(angle << 2) * ANGLE, q = t * t;
  double sn = t + t * q * SINE_POLYNOMIAL(q, NUMBER), cs = 1.0 - 0.5 * q + q * q * COSINE_POLYNOMIAL(q, NUMBER);
  uint32_t quadrant = (angle + 0x20000000) >> 30;
  double c = quadrant & 1 ? sn : cs, d = quadrant & 1 ? cs : sn;
  *cosine = r * ((quadrant + 1) & 2 ? -c : c);
  *sine = r * (quadrant & 2 ? -d : d);
}

static void europeans_one_by_one(uint64_t from, uint64_t to) {
  while (from < to) {
    uint64_t block = from >> 2;
    uint32_t c[4] = {(uint32_t)block, (uint32_t)(block >> 32), 0, EUROPEAN};
    double z[4];
    philox(c);
    normals(c[0], c[1], z, z + 1);
    normals(c[2], c[3], z + 2, z + 3);
    do tally(z[from & 3]);
    while (++from < to && from & 3);
  }
}

/* ---- four words, or two numbers, side by side */

static u32x4 round_keys[2 * PHILOX_ROUNDS];
static u64x2 event_lanes, sum_lanes, low_lanes, high_lanes;

static void prepare_lanes(void) {
  for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
    round_keys[2 * round] = splat32(key0 + PHILOX_W0 * round);
    round_keys[2 * round + 1] = splat32(key1 + PHILOX_W1 * round);
  }
}

INLINE void philox_lanes(u32x4 c[4]) {
  for (int round = 0; round < PHILOX_ROUNDS; round++) {
    u32x4 high0, low0, high1, low1;
    multiply(c[0], splat32(PHILOX_M0), &high0, &low0);
    multiply(c[2], splat32(PHILOX_M1), &high1, &low1);
    c[0] = high1 ^ c[1] ^ round_keys[2 * round];
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ round_keys[2 * round + 1];
    c[3] = low0;
  }
}

INLINE void four_blocks(u32x4 c[4], uint64_t block, uint32_t stream) {
  c[0] = splat32((uint32_t)block) + (u32x4){0, 1, 2, 3};
  c[1] = splat32((uint32_t)(block >> 32));
  c[2] = splat32(0);
  c[3] = splat32(stream);
  philox_lanes(c);
}

INLINE u64x2 half_sum(u64x2 a, u64x2 b) {
  return (multiply_even(a, a) >> 1) + (multiply_even(b, b) >> 1) + splat64(1);
}

INLINE u64x2 outside_lanes(u32x4 x, u32x4 y) {
  const u64x2 a = (u64x2)(x | splat32(1)), b = (u64x2)(y | splat32(1));
  return (half_sum(a, b) >> 63) + (half_sum(a >> 32, b >> 32) >> 63);
}

static void darts_by_eight(uint64_t from, uint64_t to) {
  for (uint64_t block = from; block < to; block += 4) {
    u32x4 c[4];
    four_blocks(c, block, PI);
    event_lanes += outside_lanes(c[0], c[1]) + outside_lanes(c[2], c[3]);
  }
}

INLINE void tally_lanes(f64x2 z) {
  f64x2 x = splatf(start) + (splatf(drift) + splatf(spread) * z);
  x = larger(smaller(x, splatf(EXPONENT_MAX)), splatf(-EXPONENT_MAX));
  const f64x2 shifted = x + splatf(SHIFTER), f = x - (shifted - splatf(SHIFTER));
  const f64x2 price = (f64x2)((u64x2)EXP2_POLYNOMIAL(f, splatf) + ((u64x2)shifted << 52));
  const f64x2 payoff = (price - splatf(1.0)) * splatf(scale);
  const u64x2 q = truncated(smaller(larger(payoff, splatf(0.0)) + splatf(0.5), splatf(Q_MAX)));
  const u64x2 square = multiply_even(q, q);
  /* A lane that differs from zero is all ones, which is -1. */
  event_lanes -= (u64x2)(q != splat64(0));
  sum_lanes += q;
  low_lanes += square & splat64(0xffffffff);
  high_lanes += square >> 32;
}

/* Four paths from the words in the low halves of the lanes; the high halves are zero. */
INLINE void four_europeans(u64x2 radius, u64x2 angle) {
  const f64x2 u = (doubles_of(radius) + splatf(0.5)) * splatf(TWO_NEG32);
  const i64x2 e = exponents((i64x2)u - (i64x2)splat64(SQRT_HALF_BITS));
  const f64x2 m = (f64x2)((i64x2)u - (e << 52));
  const f64x2 exponent = signed_doubles_of((u64x2)e);
  const f64x2 s = (m - splatf(1.0)) / (m + splatf(1.0)), z = s * s;
  const f64x2 ln = exponent * splatf(LN2) + s * (splatf(2.0) + LOG_POLYNOMIAL(z, splatf));
  const f64x2 r = square_root(ln * splatf(-2.0));
  const f64x2 t = signed_doubles_of(angle << 2) * splatf(ANGLE), q = t * t;
  const f64x2 sn = t + t * q * SINE_POLYNOMIAL(q, splatf);
  const f64x2 cs = splatf(1.0) - splatf(0.5) * q + q * q * COSINE_POLYNOMIAL(q, splatf);
  const u64x2 quadrant = (angle + splat64(0x20000000) & splat64(0xffffffff)) >> 30;
  const u64x2 odd = -(quadrant & splat64(1)), two = splat64(2);
  const u64x2 c = ((u64x2)sn & odd) | ((u64x2)cs & ~odd), d = ((u64x2)cs & odd) | ((u64x2)sn & ~odd);
  tally_lanes(r * (f64x2)(c ^ (quadrant + splat64(1) & two) << 62));
  tally_lanes(r * (f64x2)(d ^ (quadrant & two) << 62));
}

static void europeans_by_sixteen(uint64_t from, uint64_t to) {
  for (uint64_t block = from; block < to; block += 4) {
    u32x4 c[4];
    four_blocks(c, block, EUROPEAN);
    four_europeans(lower(c[0]), lower(c[1]));
    four_europeans(upper(c[0]), upper(c[1]));
    four_europeans(lower(c[2]), lower(c[3]));
    four_europeans(upper(c[2]), upper(c[3]));
  }
}

/* ---- the kernel */

int kernel_init(const uint8_t *params, size_t length, int vectors) {
  double numbers[5];
  if (length != 64) return KERNEL_BAD_PARAMS;
  model = load32(params);
  if (model > EUROPEAN) return KERNEL_NOT_WRITTEN;
  by_lanes = vectors;
  key0 = load32(params + 16);
  key1 = load32(params + 20);
  memcpy(numbers, params + 24, sizeof numbers);
  iterations = numbers[0], samples = numbers[1];
  start = numbers[2], drift = numbers[3], spread = numbers[4];
  const double unit = double_of((uint64_t)(1023 + (int32_t)load32(params + 12)) << 52);
  scale = load32(params + 4) & 1 ? -unit : unit;
  prepare_lanes();
  return KERNEL_READY;
}

/* Ragged ends one by one, as the WASM kernel does them. */
static void run_lanes(uint64_t from, uint64_t to) {
  void (*const one_by_one)(uint64_t, uint64_t) = model == PI ? darts_one_by_one : europeans_one_by_one;
  const uint64_t block = model == PI ? 8 : 16;
  uint64_t middle = (from + block - 1) & ~(block - 1);
  if (middle > to) middle = to;
  const uint64_t tail = middle + ((to - middle) & ~(block - 1));
  event_lanes = sum_lanes = low_lanes = high_lanes = splat64(0);
  one_by_one(from, middle);
  if (model == PI) darts_by_eight(middle >> 1, tail >> 1);
  else europeans_by_sixteen(middle >> 2, tail >> 2);
  one_by_one(tail, to);
  events += event_lanes[0] + event_lanes[1];
  sum += sum_lanes[0] + sum_lanes[1];
  squares_low += low_lanes[0] + low_lanes[1];
  squares_high += high_lanes[0] + high_lanes[1];
}

void kernel_run(uint64_t lo, uint64_t hi) {
  const double last = (double)hi * samples;
  const uint64_t from = (uint64_t)((double)lo * samples), to = (uint64_t)(last < iterations ? last : iterations);
  paths = to - from;
  events = sum = squares_low = squares_high = 0;
  if (by_lanes) run_lanes(from, to);
  else if (model == PI) darts_one_by_one(from, to);
  else europeans_one_by_one(from, to);
}

size_t kernel_partial(uint8_t *to) {
  const uint64_t shifted = squares_high << 32, low = squares_low + shifted;
  const uint64_t words[6] = {paths, model == PI ? paths - events : events, sum, 0, low, (squares_high >> 32) + (low < shifted)};
  const size_t length = model == PI ? 16 : 48;
  memcpy(to, words, length);
  return length;
}
