/** The random matrices as `kernels/assembly/entries.ts` defines them, for whoever checks results. */
import { mix } from "../../mix.ts";

export const MATRIX_A = 0;
export const MATRIX_B = 0x9e3779b9;
const COLUMNS = 0x7f4a7c15;

/** Of rows first..first+count. */
export function rowKeys(matrix: number, seed: number, first: number, count: number): Int32Array {
  const base = mix((seed % 2 ** 32) ^ matrix);
  return Int32Array.from({ length: count }, (_, at) => mix((base + first + at) | 0));
}

export function columnKeys(matrix: number, seed: number, first: number, count: number): Int32Array {
  const base = mix(Math.floor(seed / 2 ** 32) ^ ((matrix + COLUMNS) | 0));
  return Int32Array.from({ length: count }, (_, at) => mix((base + first + at) | 0));
}

export const entry64 = (rowKey: number, columnKey: number): number => mix(rowKey ^ columnKey) / 2 ** 32;
export const entry32 = (rowKey: number, columnKey: number): number => (mix(rowKey ^ columnKey) >> 8) / 2 ** 24;

/** A part of a matrix, row by row. */
export function random(
  matrix: number,
  seed: number,
  single: boolean,
  row: number,
  column: number,
  rows: number,
  columns: number,
): Float64Array {
  const [down, across] = [rowKeys(matrix, seed, row, rows), columnKeys(matrix, seed, column, columns)];
  const part = new Float64Array(rows * columns);
  for (let i = 0, at = 0; i < rows; i++) {
    const key = down[i] as number;
    for (let j = 0; j < columns; j++, at++)
      part[at] = single ? entry32(key, across[j] as number) : entry64(key, across[j] as number);
  }
  return part;
}
