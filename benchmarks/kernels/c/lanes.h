/*
 * 128-bit vectors by the extensions that GCC and Clang share, so that the same source is SSE, AVX or NEON. Only what
 * those extensions cannot say is written for a processor; elsewhere the compiler finds the instruction, or does not.
 */
#ifndef LANES_H
#define LANES_H

#include <stdint.h>
#include <string.h>
#if defined(__SSE4_1__)
#include <smmintrin.h>
#endif

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));
typedef double f64x2 __attribute__((vector_size(16)));

/* Lanes of `a` (0 to 3) and of `b` (4 to 7). */
#if defined(__clang__) || __GNUC__ >= 12
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (i32x4){__VA_ARGS__})
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE u32x4 splat32(uint32_t x) { return (u32x4){x, x, x, x}; }
INLINE u64x2 splat64(uint64_t x) { return (u64x2){x, x}; }
INLINE f64x2 splatf(double x) { return (f64x2){x, x}; }

/* Little-endian words of a byte string, wherever it lies. */
INLINE uint32_t load32(const uint8_t *at) {
  uint32_t x;
  memcpy(&x, at, 4);
  return x;
}

/* Products of the low halves of the 64-bit lanes. */
INLINE u64x2 multiply_even(u64x2 a, u64x2 b) {
#if defined(__SSE4_1__)
  return (u64x2)_mm_mul_epu32((__m128i)a, (__m128i)b);
#else
  const u64x2 low = splat64(0xffffffff);
  return (a & low) * (b & low);
#endif
}

/* Products of four words with four words, parted into high and low words. */
INLINE void multiply(u32x4 a, u32x4 b, u32x4 *high, u32x4 *low) {
#if defined(__SSE4_1__)
  const __m128 first = (__m128)_mm_mul_epu32(_mm_unpacklo_epi32((__m128i)a, (__m128i)a), (__m128i)b);
  const __m128 second = (__m128)_mm_mul_epu32(_mm_unpackhi_epi32((__m128i)a, (__m128i)a), (__m128i)b);
  *high = (u32x4)_mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1));
  *low = (u32x4)_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0));
#else
  const u64x2 even = multiply_even((u64x2)a, (u64x2)b), odd = multiply_even((u64x2)a >> 32, (u64x2)b >> 32);
  const u64x2 words = splat64(0xffffffff);
  *high = (u32x4)(even >> 32 | (odd & ~words));
  *low = (u32x4)((even & words) | odd << 32);
#endif
}

/* The two lower, and the two upper words, each widened to 64 bits. */
INLINE u64x2 lower(u32x4 x) {
#if defined(__SSE4_1__)
  return (u64x2)_mm_unpacklo_epi32((__m128i)x, _mm_setzero_si128());
#else
  return (u64x2){x[0], x[1]};
#endif
}
INLINE u64x2 upper(u32x4 x) {
#if defined(__SSE4_1__)
  return (u64x2)_mm_unpackhi_epi32((__m128i)x, _mm_setzero_si128());
#else
  return (u64x2){x[2], x[3]};
#endif
}

/* Lanes of 0 to 2^32 - 1 as doubles. */
INLINE f64x2 doubles_of(u64x2 x) {
  return (f64x2)(x | (u64x2)splatf(4503599627370496.0)) - splatf(4503599627370496.0);
}

/* The low halves of the lanes as doubles, with their sign. */
INLINE f64x2 signed_doubles_of(u64x2 x) {
#if defined(__SSE4_1__)
  return (f64x2)_mm_cvtepi32_pd(_mm_shuffle_epi32((__m128i)x, _MM_SHUFFLE(2, 0, 2, 0)));
#else
  return (f64x2){(int32_t)(uint32_t)x[0], (int32_t)(uint32_t)x[1]};
#endif
}

/* x >> 52 with its sign, in the low halves of the lanes; the high halves are anything. */
INLINE i64x2 exponents(i64x2 x) {
#if defined(__SSE4_1__)
  return (i64x2)_mm_shuffle_epi32(_mm_srai_epi32((__m128i)x, 20), _MM_SHUFFLE(3, 3, 1, 1));
#else
  return x >> 52;
#endif
}

INLINE f64x2 square_root(f64x2 x) {
#if defined(__SSE4_1__)
  return (f64x2)_mm_sqrt_pd((__m128d)x);
#else
  return (f64x2){__builtin_sqrt(x[0]), __builtin_sqrt(x[1])};
#endif
}

/* Doubles of 0 to 2^32 - 1, without their fractions, as 64-bit lanes. */
INLINE u64x2 truncated(f64x2 x) {
#if defined(__SSE4_1__)
  const f64x2 whole = (f64x2)_mm_round_pd((__m128d)x, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  return (u64x2)(whole + splatf(4503599627370496.0)) & splat64(0xffffffff);
#else
  return (u64x2){(uint64_t)x[0], (uint64_t)x[1]};
#endif
}

INLINE f64x2 smaller(f64x2 a, f64x2 b) {
#if defined(__SSE4_1__)
  return (f64x2)_mm_min_pd((__m128d)a, (__m128d)b);
#else
  return (f64x2){a[0] < b[0] ? a[0] : b[0], a[1] < b[1] ? a[1] : b[1]};
#endif
}

INLINE f64x2 larger(f64x2 a, f64x2 b) {
#if defined(__SSE4_1__)
  return (f64x2)_mm_max_pd((__m128d)a, (__m128d)b);
#else
  return (f64x2){a[0] > b[0] ? a[0] : b[0], a[1] > b[1] ? a[1] : b[1]};
#endif
}

#endif
