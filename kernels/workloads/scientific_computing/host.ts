/** The coordinator's side: checks tiles by Freivalds and systems by HPL's residual, and puts a product together. */
import { defineHost } from "../../contract.ts";
import { itemsOf, joined, type Ordered, ordered } from "../../ordered.ts";
import { BLOCK } from "./factors.ts";
import { Freivalds } from "./freivalds.ts";
import { decodeSolution, decodeTile, type Solution, type Tile } from "./layout.ts";
import { type LuResult, luResult, nextColumn } from "./lu.ts";
import { npyOf } from "./npy.ts";
import {
  isSingle,
  type LinpackPayload,
  type MatmulPayload,
  orderOf,
  type SciencePayload,
  seedOf,
  sizesOf,
  systemOperations,
  TILE,
  tileAt,
  tilesOf,
} from "./payload.ts";
import { RESIDUAL_MAX, residualOf } from "./residual.ts";
import { roundsOf } from "./rounds.ts";

export interface MatmulResult {
  problem: "matmul";
  rows: number;
  inner: number;
  columns: number;
  precision: "f64" | "f32";
  seed: number | null;
  /** Row by row, where there are few; else null, and the file product.npy has them. */
  product: number[][] | null;
  frobenius_norm: number;
  operations: number;
}

export interface LinpackResult {
  problem: "linpack";
  n: number;
  runs: number;
  operations_per_run: number;
  /** Billions of operations a second of one thread, as the nodes timed themselves. */
  gflops: { median: number; best: number; worst: number };
  /** Largest of all runs, recomputed by the coordinator; at most `residual_max`. */
  residual: number;
  residual_max: number;
  /** Of the first run. */
  solution_begins: number[];
}

export type ScienceResult = MatmulResult | LinpackResult | LuResult;

/** What a run comes to, without its solution. */
interface Solved {
  run: number;
  ms: number;
  residual: number;
  begins: number[];
}

type Item = Tile | Solved;

/** Of a product that is printed with the result. */
const shownMax = 1_024;
/** Looked at while a job goes on. */
const previewRuns = 256;
/** Of a solution. */
const beginsMax = 8;

/** The secret numbers of a job's check, for as long as its payload is in use. */
const checks = new WeakMap<MatmulPayload, Freivalds>();

function checkOf(payload: MatmulPayload): Freivalds {
  let check = checks.get(payload);
  if (!check) {
    check = new Freivalds(payload);
    checks.set(payload, check);
  }
  return check;
}

export default defineHost<SciencePayload, Ordered<Item>, ScienceResult>({
  decode(payload, bytes) {
    if (payload.problem === "matmul") return ordered<Item>([decodeTile(bytes, isSingle(payload))]);
    if (payload.problem === "lu") return ordered<Item>([decodeTile(bytes, false)]);
    return ordered<Item>([solvedOf(payload, decodeSolution(bytes))]);
  },

  check(payload, _round, lo, _hi, partial) {
    const [item] = itemsOf(partial, 1) as [Item];
    if (payload.problem === "matmul") {
      const tile = item as Tile;
      return tile.tile === lo ? checkOf(payload).fault(tile) : `it is tile ${tile.tile}, not ${lo}`;
    }
    if (payload.problem === "lu") {
      const { tile, height, width } = item as Tile;
      const isRight = tile === lo && height === BLOCK && width === BLOCK;
      return isRight ? null : `it is block ${tile} of ${height} x ${width}, not ${lo}`;
    }
    const { run, ms, residual } = item as Solved;
    if (run !== lo) return `it is run ${run}, not ${lo}`;
    if (!(ms >= 0 && ms < 1e9)) return `it took ${ms} ms`;
    return residual <= RESIDUAL_MAX ? null : `the residual is ${residual}, above ${RESIDUAL_MAX}`;
  },

  merge: joined,

  next: (payload, _round, all, input) =>
    payload.problem === "lu" ? nextColumn(payload, itemsOf(all) as Tile[], input) : null,

  preview: (payload, all) =>
    payload.problem === "matmul"
      ? { tiles_done: all.count, of: tilesOf(sizesOf(payload)) }
      : payload.problem === "lu"
        ? { blocks_done: all.count, rounds: roundsOf(payload) }
        : {
            runs_done: all.count,
            of: payload.runs ?? 1,
            gflops: gflopsOf(payload, itemsOf(all, previewRuns) as Solved[]).median,
          },

  finish: (payload, all, input) =>
    payload.problem === "matmul"
      ? matmulResult(payload, all)
      : payload.problem === "lu"
        ? luResult(payload, itemsOf(all) as Tile[], input ?? null)
        : linpackResult(payload, itemsOf(all) as Solved[]),

  files(payload, all) {
    if (payload.problem !== "matmul") return [];
    const { rows, columns } = sizesOf(payload);
    const bytes = npyOf(rows, columns, productOf(payload, all));
    return [{ name: "product.npy", mediaType: "application/octet-stream", bytes }];
  },
});

function solvedOf(payload: LinpackPayload, { run, ms, x }: Solution): Solved {
  const n = orderOf(payload);
  if (x.length !== n) throw new RangeError(`a solution of ${x.length} numbers, not ${n}`);
  return { run, ms, residual: residualOf(payload, run, x), begins: [...x.subarray(0, beginsMax)] };
}

/** Both the result and the file are made of it. */
const products = new WeakMap<Ordered<Item>, Float64Array | Float32Array>();

function productOf(payload: MatmulPayload, all: Ordered<Item>): Float64Array | Float32Array {
  let product = products.get(all);
  if (!product) {
    product = assembled(payload, itemsOf(all) as Tile[]);
    products.set(all, product);
  }
  return product;
}

function assembled(payload: MatmulPayload, tiles: readonly Tile[]): Float64Array | Float32Array {
  const sizes = sizesOf(payload);
  const entries = sizes.rows * sizes.columns;
  const product = isSingle(payload) ? new Float32Array(entries) : new Float64Array(entries);
  for (const { tile, height, width, entries: part } of tiles) {
    const { band, strip } = tileAt(sizes, tile);
    for (let i = 0; i < height; i++) {
      product.set(part.subarray(i * width, (i + 1) * width), (band * TILE + i) * sizes.columns + strip * TILE);
    }
  }
  return product;
}

function matmulResult(payload: MatmulPayload, all: Ordered<Item>): MatmulResult {
  const { rows, inner, columns } = sizesOf(payload);
  const product = productOf(payload, all);
  let squares = 0;
  for (const value of product) squares += value * value;
  const row = (at: number): number[] => [...product.subarray(at * columns, (at + 1) * columns)];
  return {
    problem: "matmul",
    rows,
    inner,
    columns,
    precision: isSingle(payload) ? "f32" : "f64",
    seed: payload.a === undefined ? seedOf(payload) : null,
    product: product.length <= shownMax ? Array.from({ length: rows }, (_, at) => row(at)) : null,
    frobenius_norm: Math.sqrt(squares),
    operations: 2 * rows * inner * columns,
  };
}

function gflopsOf(payload: LinpackPayload, runs: readonly Solved[]): LinpackResult["gflops"] {
  const operations = systemOperations(orderOf(payload));
  // A thread that took no time at all has a clock that is too coarse.
  const rates = runs.map(({ ms }) => operations / (Math.max(ms, 0.01) * 1e6)).sort((a, b) => a - b);
  const at = (share: number): number =>
    Number((rates[Math.floor(share * (rates.length - 1))] as number).toPrecision(4));
  return { median: at(0.5), best: at(1), worst: at(0) };
}

function linpackResult(payload: LinpackPayload, runs: readonly Solved[]): LinpackResult {
  const n = orderOf(payload);
  return {
    problem: "linpack",
    n,
    runs: runs.length,
    operations_per_run: systemOperations(n),
    gflops: gflopsOf(payload, runs),
    residual: Math.max(...runs.map(({ residual }) => residual)),
    residual_max: RESIDUAL_MAX,
    solution_begins: (runs[0] as Solved).begins,
  };
}
