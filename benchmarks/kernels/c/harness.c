/*
 * Drives one kernel: parameters as hexadecimal digits in argv[1], then a line "lo hi" of tasks on stdin for each run.
 * Answers a line "nanoseconds partial-as-hexadecimal" each. Ends with stdin. Exit status 2: parameters refused.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

static uint8_t params[16384];
static uint8_t partial[4096];

static double now_ns(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1e9 + at.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc != 2 || strlen(argv[1]) % 2 != 0 || strlen(argv[1]) > 2 * sizeof params) return 2;
  size_t length = strlen(argv[1]) / 2;
  for (size_t i = 0; i < length; i++) {
    unsigned byte;
    if (sscanf(argv[1] + 2 * i, "%2x", &byte) != 1) return 2;
    params[i] = (uint8_t)byte;
  }
  if (kernel_init(params, length) != 0) return 2;
  double lo, hi;
  while (scanf("%lf %lf", &lo, &hi) == 2) {
    double started = now_ns();
    size_t bytes = kernel_run(lo, hi, partial);
    double took = now_ns() - started;
    printf("%.0f ", took);
    for (size_t i = 0; i < bytes; i++) printf("%02x", partial[i]);
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
