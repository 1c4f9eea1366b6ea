/**
 * The bytes that kernels read and write, little-endian.
 *
 * Parameters: u32 problem (0 matmul, 1 linpack, 2 lu), flags (1 single precision, 2 matrices are given), rows, columns, inner,
 * low and high half of the seed, 0; then A and B, where they are given, row by row in the precision of the job. Of linpack
 * and lu `rows` is the number of equations.
 *
 * Partial of a tile: u32 number of the tile, u16 height, u16 width, then its entries row by row. Partial of a system: f64
 * milliseconds that it took, u32 number of the run, u32 n, then the n numbers of the solution.
 */
import { entriesOf, isSingle, type MatmulPayload, orderOf, type SciencePayload, seedOf, sizesOf } from "./payload.ts";

const HEADER = 32;
const MATMUL = 0;
const LINPACK = 1;
const LU = 2;
const SINGLE = 1;
const GIVEN = 2;

/** The same bytes for the same payload: given matrices are large. */
const made = new WeakMap<SciencePayload, Uint8Array>();

export function paramsOf(payload: SciencePayload): Uint8Array {
  let params = made.get(payload);
  if (!params) {
    params = makeParams(payload);
    made.set(payload, params);
  }
  return params;
}

function makeParams(payload: SciencePayload): Uint8Array {
  const words = new Uint32Array(HEADER / 4);
  const seed = seedOf(payload);
  words[5] = seed % 2 ** 32;
  words[6] = Math.floor(seed / 2 ** 32);
  if (payload.problem === "linpack") {
    words[0] = LINPACK;
    words[2] = orderOf(payload);
    return new Uint8Array(words.buffer);
  }
  if (payload.problem === "lu") {
    words[0] = LU;
    words[1] = payload.a === undefined ? 0 : GIVEN;
    words[2] = orderOf(payload);
    return joined(words, payload.a === undefined ? [] : [entriesOf(payload.a)]);
  }
  const { rows, columns, inner } = sizesOf(payload);
  const matrices = givenOf(payload);
  words[0] = MATMUL;
  words[1] = (isSingle(payload) ? SINGLE : 0) | (matrices ? GIVEN : 0);
  [words[2], words[3], words[4]] = [rows, columns, inner];
  return joined(words, matrices ?? []);
}

function joined(words: Uint32Array, matrices: readonly Entries[]): Uint8Array {
  const parts = [new Uint8Array(words.buffer as ArrayBuffer), ...matrices.map(bytesOf)];
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

type Entries = Float64Array | Float32Array;

function givenOf(payload: MatmulPayload): Entries[] | null {
  const { a, b } = payload;
  if (a === undefined || b === undefined) return null;
  return [a, b].map((given) => (isSingle(payload) ? Float32Array.from(entriesOf(given)) : entriesOf(given)));
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Entries): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

export interface Tile {
  tile: number;
  height: number;
  width: number;
  /** Row by row. */
  entries: Entries;
}

const TILE_HEADER = 8;

export function encodeTile({ tile, height, width, entries }: Tile): Uint8Array {
  const bytes = new Uint8Array(TILE_HEADER + entries.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, tile, true);
  view.setUint16(4, height, true);
  view.setUint16(6, width, true);
  bytes.set(bytesOf(entries), TILE_HEADER);
  return bytes;
}

/** Throws RangeError where the bytes are no tile. */
export function decodeTile(bytes: Uint8Array, single: boolean): Tile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [tile, height, width] = [view.getUint32(0, true), view.getUint16(4, true), view.getUint16(6, true)];
  const due = TILE_HEADER + height * width * (single ? 4 : 8);
  if (bytes.length !== due) throw new RangeError(`a tile of ${height} x ${width} in ${bytes.length} bytes, not ${due}`);
  // A copy, since entries must be aligned.
  const { buffer } = bytes.slice(TILE_HEADER);
  return { tile, height, width, entries: single ? new Float32Array(buffer) : new Float64Array(buffer) };
}

export interface Solution {
  /** As the node says; nobody can check it. */
  ms: number;
  run: number;
  x: Float64Array;
}

/** Bytes of the time. */
export const CLAIMED = 8;
const SOLUTION_HEADER = 16;

export function encodeSolution({ ms, run, x }: Solution): Uint8Array {
  const bytes = new Uint8Array(SOLUTION_HEADER + x.byteLength);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, ms, true);
  view.setUint32(8, run, true);
  view.setUint32(12, x.length, true);
  bytes.set(bytesOf(x), SOLUTION_HEADER);
  return bytes;
}

/** Throws RangeError where the bytes are no solution. */
export function decodeSolution(bytes: Uint8Array): Solution {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [ms, run, n] = [view.getFloat64(0, true), view.getUint32(8, true), view.getUint32(12, true)];
  const due = SOLUTION_HEADER + 8 * n;
  if (bytes.length !== due) throw new RangeError(`a solution of ${n} numbers in ${bytes.length} bytes, not ${due}`);
  return { ms, run, x: new Float64Array(bytes.slice(SOLUTION_HEADER).buffer) };
}
