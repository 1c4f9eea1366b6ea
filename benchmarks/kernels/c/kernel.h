/*
 * What a kernel in C offers: the ABI of WASM kernels (kernels/contract.ts) without its steps. It reads the very
 * parameters that the WASM kernel reads, and its partials must equal the WASM kernel's.
 *
 * `main.c` runs and times whichever kernel it is linked with.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum {
  KERNEL_READY = 0,
  KERNEL_BAD_PARAMS = 1,
  /* These parameters are right, but this form of the computation is not written in C. */
  KERNEL_NOT_WRITTEN = 2,
};

#define PARTIAL_BYTES_MAX 4096

/* `vectors`: four 32-bit lanes (or two 64-bit ones), else one number at a time. */
int kernel_init(const uint8_t *params, size_t length, int vectors);

/* Computes tasks lo..hi, as one grain. */
void kernel_run(uint64_t lo, uint64_t hi);

/* Writes the partial of the last run, at most PARTIAL_BYTES_MAX bytes, and answers its length. */
size_t kernel_partial(uint8_t *to);

#endif
