/** Tiles and systems by plain loops, which share no arithmetic with the kernels. */
import { MATRIX_A, MATRIX_B, random } from "./entries.ts";
import type { Solution, Tile } from "./layout.ts";
import {
  entriesOf,
  isSingle,
  type LinpackPayload,
  type LuPayload,
  type MatmulPayload,
  orderOf,
  seedOf,
  sizesOf,
  TILE,
  tileAt,
} from "./payload.ts";

const rounded = (single: boolean): ((value: number) => number) => (single ? Math.fround : (value) => value);

export function referenceTile(payload: MatmulPayload, tile: number): Tile {
  const sizes = sizesOf(payload);
  const single = isSingle(payload);
  const round = rounded(single);
  const { band, strip, height, width } = tileAt(sizes, tile);
  const a = payload.a
    ? entriesOf(payload.a).map(round)
    : random(MATRIX_A, seedOf(payload), single, 0, 0, sizes.rows, sizes.inner);
  const b = payload.b
    ? entriesOf(payload.b).map(round)
    : random(MATRIX_B, seedOf(payload), single, 0, 0, sizes.inner, sizes.columns);
  const entries = single ? new Float32Array(height * width) : new Float64Array(height * width);
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) {
      let sum = 0;
      for (let k = 0; k < sizes.inner; k++) {
        const left = a[(band * TILE + i) * sizes.inner + k] as number;
        const right = b[k * sizes.columns + strip * TILE + j] as number;
        sum = round(sum + round(left * right));
      }
      entries[i * width + j] = sum;
    }
  return { tile, height, width, entries };
}

/** What the first round of a distributed LU is given to: a block of A's own entries. */
export function referenceBlock(payload: LuPayload, tile: number): Tile {
  const n = orderOf(payload);
  const a = payload.a ? entriesOf(payload.a) : random(MATRIX_A, seedOf(payload), false, 0, 0, n, n);
  const entries = new Float64Array(TILE * TILE);
  for (let i = 0; i < TILE; i++)
    for (let j = 0; j < TILE; j++) {
      const row = tile * TILE + i;
      entries[i * TILE + j] = row < n && j < n ? (a[row * n + j] as number) : row === j ? 1 : 0;
    }
  return { tile, height: TILE, width: TILE, entries };
}

/** Gaussian elimination with partial pivoting, a row at a time. */
export function referenceSolution(payload: LinpackPayload, run: number): Solution {
  const n = orderOf(payload);
  const seed = seedOf(payload) + run;
  const a = random(MATRIX_A, seed, false, 0, 0, n, n);
  const x = random(MATRIX_B, seed, false, 0, 0, n, 1);
  const at = (row: number, column: number): number => a[row * n + column] as number;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(at(i, k)) > Math.abs(at(pivot, k))) pivot = i;
    for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [at(pivot, j), at(k, j)];
    [x[k], x[pivot]] = [x[pivot] as number, x[k] as number];
    for (let i = k + 1; i < n; i++) {
      const factor = at(i, k) * (1 / at(k, k));
      for (let j = k; j < n; j++) a[i * n + j] = at(i, j) - factor * at(k, j);
      x[i] = (x[i] as number) - factor * (x[k] as number);
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = x[i] as number;
    for (let j = i + 1; j < n; j++) sum -= at(i, j) * (x[j] as number);
    x[i] = sum / at(i, i);
  }
  return { ms: 0, run, x };
}
