/**
 * HPL's proof that a system is solved: |A x - b| / (e (|A| |x| + |b|) n) in maximum norms, with e = 2^-53, is at most 16
 * (Petitet, Whaley, Dongarra and Cleary, "HPL - a portable implementation of the high-performance Linpack benchmark").
 */
import { MATRIX_A, MATRIX_B, random } from "./entries.ts";
import { type LinpackPayload, orderOf, seedOf } from "./payload.ts";

export const RESIDUAL_MAX = 16;
const EPSILON = 2 ** -53;
/** Rows of A that are in memory at a time. */
const ROWS = 64;

/** Of run `run`: its low half is further on by as much. */
export const seedOfRun = (payload: LinpackPayload, run: number): number => {
  const seed = seedOf(payload);
  const low = seed % 2 ** 32;
  return seed - low + ((low + run) % 2 ** 32);
};

/** NaN where the solution has no numbers. */
export function residualOf(payload: LinpackPayload, run: number, x: Float64Array): number {
  const n = orderOf(payload);
  const seed = seedOfRun(payload, run);
  return residual((first, rows) => random(MATRIX_A, seed, false, first, 0, rows, n), rightSideOf(payload, run), x);
}

export const rightSideOf = (payload: LinpackPayload, run: number): Float64Array =>
  random(MATRIX_B, seedOfRun(payload, run), false, 0, 0, orderOf(payload), 1);

/** `rowsOfA(first, count)`: rows of A, one after the other. */
export function residual(
  rowsOfA: (first: number, count: number) => Float64Array,
  b: Float64Array,
  x: Float64Array,
): number {
  const n = x.length;
  let [off, normA, normB, normX] = [0, 0, 0, 0];
  for (const value of x) normX = Math.max(normX, Math.abs(value));
  for (let first = 0; first < n; first += ROWS) {
    const rows = Math.min(ROWS, n - first);
    const a = rowsOfA(first, rows);
    for (let i = 0, at = 0; i < rows; i++) {
      let sum = 0;
      let size = 0;
      for (let j = 0; j < n; j++, at++) {
        sum += (a[at] as number) * (x[j] as number);
        size += Math.abs(a[at] as number);
      }
      const right = b[first + i] as number;
      off = Math.max(off, Math.abs(sum - right));
      normA = Math.max(normA, size);
      normB = Math.max(normB, Math.abs(right));
    }
  }
  return off / (EPSILON * (normA * normX + normB) * n);
}
