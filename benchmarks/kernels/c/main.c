/*
 * Serves the kernel that it is linked with over pipes, so that the start of a process is not in its figures.
 *
 *   kernel vectors|scalar
 *
 * A request is a line "FIRST_TASK END_TASK PARAMS_AS_HEX", an answer a line "CPU WALL PARTIAL_AS_HEX", times in
 * nanoseconds. Ends with its input. Exit status 1: parameters refused; 2: no request; 3: not written in C.
 */
#define _POSIX_C_SOURCE 199309L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernel.h"

#define PARAM_BYTES_MAX 16384

static uint64_t now(clockid_t clock) {
  struct timespec at;
  clock_gettime(clock, &at);
  return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

/* Pairs of digits up to the end of the line: how many, or -1. */
static long read_hex(const char *text, uint8_t *to) {
  const size_t length = strspn(text, "0123456789abcdef");
  if (length % 2 != 0 || length > 2 * PARAM_BYTES_MAX || text[length] != '\n') return -1;
  for (size_t i = 0; i < length / 2; i++) {
    const char pair[3] = {text[2 * i], text[2 * i + 1], 0};
    to[i] = (uint8_t)strtoul(pair, NULL, 16);
  }
  return (long)(length / 2);
}

static int serve(const char *line, int vectors) {
  static uint8_t params[PARAM_BYTES_MAX], partial[PARTIAL_BYTES_MAX];
  char *rest;
  const uint64_t lo = strtoull(line, &rest, 10), hi = strtoull(rest, &rest, 10);
  const long length = *rest == ' ' ? read_hex(rest + 1, params) : -1;
  if (length < 0 || hi <= lo) return 2;
  const int ready = kernel_init(params, (size_t)length, vectors);
  if (ready != KERNEL_READY) return ready == KERNEL_NOT_WRITTEN ? 3 : 1;
  const uint64_t cpu = now(CLOCK_PROCESS_CPUTIME_ID), wall = now(CLOCK_MONOTONIC);
  kernel_run(lo, hi);
  const uint64_t cpu_end = now(CLOCK_PROCESS_CPUTIME_ID), wall_end = now(CLOCK_MONOTONIC);
  printf("%" PRIu64 " %" PRIu64 " ", cpu_end - cpu, wall_end - wall);
  const size_t written = kernel_partial(partial);
  for (size_t i = 0; i < written; i++) printf("%02x", partial[i]);
  printf("\n");
  return fflush(stdout) == 0 ? 0 : 2;
}

int main(int count, char **arguments) {
  static char line[2 * PARAM_BYTES_MAX + 64];
  const int vectors = count == 2 && strcmp(arguments[1], "vectors") == 0;
  if (!vectors && (count != 2 || strcmp(arguments[1], "scalar") != 0)) {
    fprintf(stderr, "Usage: %s vectors|scalar\n", arguments[0]);
    return 2;
  }
  while (fgets(line, sizeof line, stdin)) {
    const int status = serve(line, vectors);
    if (status != 0) return status;
  }
  return 0;
}
