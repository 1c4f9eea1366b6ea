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
