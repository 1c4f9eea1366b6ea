/*
 * Runs grains of the kernel that it is linked with, and times them.
 *
 *   kernel vectors|scalar FIRST_TASK TASKS_OF_A_GRAIN GRAINS PARAMS_AS_HEX
 *
 * prints the nanoseconds of CPU and of wall clock that all grains took, then a line for each grain's partial in hex.
 * Exit status 3: this form of the computation is not written in C.
 */
#define _POSIX_C_SOURCE 199309L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

#define PARAM_BYTES_MAX 16384
#define GRAINS_MAX 1024

static uint64_t now(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static long read_hex(const char *text, uint8_t *to, size_t most) {
  const size_t length = strlen(text) / 2;
  if (length > most || strlen(text) % 2 != 0) return -1;
  for (size_t i = 0; i < length; i++) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return -1;
    to[i] = (uint8_t)(high << 4 | low);
  }
  return (long)length;
}

int main(int count, char **arguments) {
  static uint8_t params[PARAM_BYTES_MAX];
  static uint8_t partials[GRAINS_MAX][PARTIAL_BYTES_MAX];
  static size_t lengths[GRAINS_MAX];
  const long length = count == 6 ? read_hex(arguments[5], params, sizeof params) : -1;
  const uint64_t first = count == 6 ? strtoull(arguments[2], NULL, 10) : 0;
  const uint64_t tasks = count == 6 ? strtoull(arguments[3], NULL, 10) : 0;
  const uint64_t grains = count == 6 ? strtoull(arguments[4], NULL, 10) : 0;
  if (length < 0 || tasks == 0 || grains == 0 || grains > GRAINS_MAX) {
    fprintf(stderr, "Usage: %s vectors|scalar FIRST_TASK TASKS_OF_A_GRAIN GRAINS PARAMS_AS_HEX\n", arguments[0]);
    return 2;
  }
  const int ready = kernel_init(params, (size_t)length, strcmp(arguments[1], "vectors") == 0);
  if (ready == KERNEL_NOT_WRITTEN) return 3;
  if (ready != KERNEL_READY) {
    fprintf(stderr, "The kernel refused its parameters.\n");
    return 1;
  }
  const uint64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID);
  const uint64_t wall = now(CLOCK_MONOTONIC);
  for (uint64_t grain = 0; grain < grains; grain++) {
    kernel_run(first + grain * tasks, first + (grain + 1) * tasks);
    lengths[grain] = kernel_partial(partials[grain]);
  }
  const uint64_t cpu_taken = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  printf("%" PRIu64 " %" PRIu64 "\n", cpu_taken, now(CLOCK_MONOTONIC) - wall);
  for (uint64_t grain = 0; grain < grains; grain++) {
    for (size_t i = 0; i < lengths[grain]; i++) printf("%02x", partials[grain][i]);
    printf("\n");
  }
  return 0;
}
