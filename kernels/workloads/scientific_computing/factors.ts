/**
 * What a distributed LU knows between rounds, and how a column is added to it.
 *
 * A round's input, little-endian: u32 columns of blocks that are done (k), u32 zero, u32 row of A that stands in each place
 * (of `padded` rows), then L and U so far as f64: `padded` rows of 64 k numbers, U on and above the diagonal, L below.
 */
export const BLOCK = 64;

export const paddedOf = (n: number): number => Math.ceil(n / BLOCK) * BLOCK;

export interface Factors {
  /** Columns of blocks that are done. */
  done: number;
  order: Uint32Array;
  /** Row by row, `done` blocks wide. */
  values: Float64Array;
}

export const noFactors = (n: number): Factors => ({
  done: 0,
  order: Uint32Array.from({ length: paddedOf(n) }, (_, at) => at),
  values: new Float64Array(0),
});

export function encodeFactors({ done, order, values }: Factors): Uint8Array {
  const bytes = new Uint8Array(8 + order.byteLength + values.byteLength);
  new DataView(bytes.buffer).setUint32(0, done, true);
  bytes.set(new Uint8Array(order.buffer, order.byteOffset, order.byteLength), 8);
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), 8 + order.byteLength);
  return bytes;
}

export function decodeFactors(bytes: Uint8Array, n: number): Factors {
  const copy = bytes.slice().buffer;
  const rows = paddedOf(n);
  return {
    done: new DataView(copy).getUint32(0, true),
    order: new Uint32Array(copy.slice(8, 8 + 4 * rows)),
    values: new Float64Array(copy.slice(8 + 4 * rows)),
  };
}

/**
 * Adds a column of blocks: `above` are A's entries of the rows before, in order (64 k rows of 64), `below` what the round
 * gave for the others. Throws RangeError where no pivot is left.
 */
export function withColumn({ done, order, values }: Factors, above: Float64Array, below: Float64Array): Factors {
  const rows = order.length;
  const before = done * BLOCK;
  const width = before + BLOCK;
  const all = new Float64Array(rows * width);
  for (let i = 0; i < rows; i++) {
    all.set(values.subarray(i * before, (i + 1) * before), i * width);
    const from = i < before ? above : below;
    const at = (i < before ? i : i - before) * BLOCK;
    all.set(from.subarray(at, at + BLOCK), i * width + before);
  }
  const places = order.slice();
  // U of the rows before: forward substitution with L.
  for (let i = 1; i < before; i++)
    for (let j = 0; j < i; j++) subtractRow(all, width, i, j, all[i * width + j] as number, before, width);
  for (let column = before; column < width; column++) {
    const pivot = largestBelow(all, width, rows, column);
    if (!(Math.abs(all[pivot * width + column] as number) > 0))
      throw new RangeError(`the matrix is singular: column ${column} has no pivot`);
    if (pivot !== column) {
      swapRows(all, width, column, pivot);
      [places[column], places[pivot]] = [places[pivot] as number, places[column] as number];
    }
    const inverse = 1 / (all[column * width + column] as number);
    for (let i = column + 1; i < rows; i++) {
      const multiplier = (all[i * width + column] as number) * inverse;
      all[i * width + column] = multiplier;
      subtractRow(all, width, i, column, multiplier, column + 1, width);
    }
  }
  return { done: done + 1, order: places, values: all };
}

/** Row i -= factor * row j, in columns from..to. */
function subtractRow(
  all: Float64Array,
  width: number,
  i: number,
  j: number,
  factor: number,
  from: number,
  to: number,
): void {
  for (let at = from; at < to; at++)
    all[i * width + at] = (all[i * width + at] as number) - factor * (all[j * width + at] as number);
}

function largestBelow(all: Float64Array, width: number, rows: number, column: number): number {
  let found = column;
  for (let i = column + 1; i < rows; i++)
    if (Math.abs(all[i * width + column] as number) > Math.abs(all[found * width + column] as number)) found = i;
  return found;
}

function swapRows(all: Float64Array, width: number, a: number, b: number): void {
  const kept = all.slice(a * width, (a + 1) * width);
  all.copyWithin(a * width, b * width, (b + 1) * width);
  all.set(kept, b * width);
}

/** x of A x = b, once all columns are done. */
export function solve({ order, values }: Factors, b: Float64Array, n: number): Float64Array {
  const rows = order.length;
  const y = Float64Array.from(order, (source) => b[source] ?? 0);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < i; j++) y[i] = (y[i] as number) - (values[i * rows + j] as number) * (y[j] as number);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = i + 1; j < rows; j++) y[i] = (y[i] as number) - (values[i * rows + j] as number) * (y[j] as number);
    y[i] = (y[i] as number) / (values[i * rows + i] as number);
  }
  return y.slice(0, n);
}
