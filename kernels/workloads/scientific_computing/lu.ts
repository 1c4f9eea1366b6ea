/** The coordinator's part of a distributed LU: a column of blocks after each round, and the solution at the end. */
import type { Round } from "../../contract.ts";
import { MATRIX_A, MATRIX_B, random } from "./entries.ts";
import { BLOCK, decodeFactors, encodeFactors, type Factors, noFactors, solve, withColumn } from "./factors.ts";
import type { Tile } from "./layout.ts";
import { entriesOf, type LuPayload, orderOf, seedOf } from "./payload.ts";
import { RESIDUAL_MAX, residual } from "./residual.ts";
import { roundsOf } from "./rounds.ts";

export interface LuResult {
  problem: "lu";
  n: number;
  rounds: number;
  solution: number[];
  /** HPL's, recomputed by the coordinator; at most `residual_max`. */
  residual: number;
  residual_max: number;
  operations: number;
}

/** Null after the last column. */
export function nextColumn(payload: LuPayload, tiles: readonly Tile[], input: Uint8Array | null): Round | null {
  // The last column is added where the solution is made.
  if ((input ? decodeFactors(input, orderOf(payload)).done : 0) + 1 === roundsOf(payload)) return null;
  const factors = added(payload, tiles, input);
  return { tasks: roundsOf(payload) - factors.done, grainTasks: 1, input: encodeFactors(factors) };
}

/** Throws RangeError where the matrix is singular, or the solution is none: a part of it was wrong. */
export function luResult(payload: LuPayload, tiles: readonly Tile[], input: Uint8Array | null): LuResult {
  const n = orderOf(payload);
  const b = payload.b ? Float64Array.from(payload.b) : random(MATRIX_B, seedOf(payload), false, 0, 0, n, 1);
  const x = solve(added(payload, tiles, input), b, n);
  const found = residual((first, count) => rowsOf(payload, first, count), b, x);
  if (!(found <= RESIDUAL_MAX)) throw new RangeError(`the residual is ${found}, above ${RESIDUAL_MAX}`);
  return {
    problem: "lu",
    n,
    rounds: roundsOf(payload),
    solution: [...x],
    residual: found,
    residual_max: RESIDUAL_MAX,
    operations: (2 / 3) * n ** 3 + 1.5 * n ** 2,
  };
}

function added(payload: LuPayload, tiles: readonly Tile[], input: Uint8Array | null): Factors {
  const n = orderOf(payload);
  const factors = input ? decodeFactors(input, n) : noFactors(n);
  const below = new Float64Array(tiles.length * BLOCK * BLOCK);
  for (const { tile, entries } of tiles) below.set(entries, tile * BLOCK * BLOCK);
  return withColumn(factors, above(payload, factors), below);
}

/** A's entries of the column, in the rows whose order is settled. */
function above(payload: LuPayload, { done, order }: Factors): Float64Array {
  const n = orderOf(payload);
  const first = done * BLOCK;
  const entries = new Float64Array(first * BLOCK);
  for (let place = 0; place < first; place++) {
    const source = order[place] as number;
    const row = source < n ? rowsOf(payload, source, 1) : null;
    for (let j = 0; j < BLOCK; j++)
      entries[place * BLOCK + j] = row ? (row[first + j] ?? 0) : source === first + j ? 1 : 0;
  }
  return entries;
}

function rowsOf(payload: LuPayload, first: number, count: number): Float64Array {
  const n = orderOf(payload);
  if (payload.a !== undefined) return entriesOf(payload.a).subarray(first * n, (first + count) * n);
  return random(MATRIX_A, seedOf(payload), false, first, 0, count, n);
}
