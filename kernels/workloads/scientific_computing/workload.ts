/** Matrix products across many nodes, and LINPACK's systems of equations on each. */
import { defaultPlan, defineWorkload } from "../../contract.ts";
import { exact, exactButTime, solved, within } from "./belief.ts";
import { gpu } from "./gpu.ts";
import type { ScienceResult } from "./host.ts";
import { decodeSolution, decodeTile, paramsOf } from "./layout.ts";
import {
  GROUP,
  isMixed,
  isSingle,
  orderOf,
  payloadSchema,
  type SciencePayload,
  sizesOf,
  systemOperations,
  TILE,
  tileAt,
  tileOperations,
  tilesOf,
} from "./payload.ts";
import { roundsOf } from "./rounds.ts";

/** Operations in f64 a second of one SIMD WASM thread: measured in Node 20 on an AMD EPYC core. */
const OPERATIONS_PER_CORE_SECOND = 16_000_000_000;
/** Of f32, whose vectors hold twice as many. */
const SINGLE_COST = 0.5;

/** A task is a tile of the product, or a system. */
export type ScienceTask =
  | { row: number; column: number; height: number; width: number }
  | { run: number }
  | { block: number };

function memoryOf(payload: SciencePayload): number {
  const slack = 2 ** 20;
  if (payload.problem === "linpack") {
    const padded = Math.ceil(orderOf(payload) / TILE) * TILE;
    return padded * padded * 8 + padded * TILE * 8 + slack;
  }
  if (payload.problem === "lu") {
    const padded = Math.ceil(orderOf(payload) / TILE) * TILE;
    return 3 * padded * padded * 8 + slack;
  }
  const { rows, inner, columns } = sizesOf(payload);
  const bytes = isSingle(payload) ? 4 : 8;
  const given = payload.a === undefined ? 0 : (rows * inner + inner * columns) * bytes;
  const strips = Math.min(GROUP, Math.ceil(columns / TILE));
  return inner * TILE * bytes * (1 + strips) + inner * 8 + given + slack;
}

/** Of the first round. */
function tasksOf(payload: SciencePayload): number {
  if (payload.problem === "matmul") return tilesOf(sizesOf(payload));
  return payload.problem === "linpack" ? (payload.runs ?? 1) : roundsOf(payload);
}

export default defineWorkload<SciencePayload, ScienceTask, ScienceResult>({
  type: "scientific_computing",
  title: "Linear algebra",
  summary:
    "Multiplies large matrices tile by tile over many nodes, or solves LINPACK's system on each and reports GFLOPS.",
  family: {
    id: "science",
    title: "Linear algebra",
    summary: "Products of matrices and systems of equations, the arithmetic beneath most of science.",
    optIn: false,
  },
  examples: [
    {
      title: "The product of two random matrices of 1024 x 1024",
      payload: { problem: "matmul", rows: 1024, inner: 1024, columns: 1024 },
    },
    {
      title: "A product of your own numbers",
      payload: {
        problem: "matmul",
        a: [
          [1, 2],
          [3, 4],
        ],
        b: [
          [5, 6],
          [7, 8],
        ],
      },
    },
    { title: "One system of 512 equations, solved together in eight rounds", payload: { problem: "lu", n: 512 } },
    { title: "LINPACK: sixteen systems of 1000 equations", payload: { problem: "linpack", n: 1000, runs: 16 } },
    {
      title: "LINPACK on GPUs: factorised in f32, refined to f64",
      payload: { problem: "linpack", n: 2048, runs: 8, precision: "mixed" },
    },
  ],
  payload: payloadSchema,
  plan: (payload) => ({
    tasks: tasksOf(payload),
    grainTasks: 1,
    needs: {
      backends: isMixed(payload)
        ? ["webgpu"]
        : payload.problem === "matmul" && isSingle(payload)
          ? ["wasm", "webgpu"]
          : ["wasm"],
      memoryBytes: memoryOf(payload),
      engines: [],
    },
    output: "rows",
  }),
  task(payload, _round, index) {
    if (payload.problem === "linpack") return { run: index };
    if (payload.problem === "lu") return { block: index };
    const { band, strip, height, width } = tileAt(sizesOf(payload), index);
    return { row: band * TILE, column: strip * TILE, height, width };
  },
  cost(payload, lo, hi) {
    if (payload.problem === "linpack") return { operations: (hi - lo) * systemOperations(orderOf(payload)), bytes: 0 };
    // The mean over all rounds: half of the columns before.
    if (payload.problem === "lu") return { operations: (hi - lo) * TILE * TILE * orderOf(payload), bytes: 0 };
    const sizes = sizesOf(payload);
    const all = tilesOf(sizes);
    const share = isSingle(payload) ? SINGLE_COST : 1;
    // Tiles at the edges are smaller; only short ranges are looked at one by one.
    if (lo === 0 && hi === all) return { operations: 2 * sizes.rows * sizes.inner * sizes.columns * share, bytes: 0 };
    let operations = 0;
    for (let tile = lo; tile < hi; tile++) operations += tileOperations(payload, tile);
    return { operations: operations * share, bytes: 0 };
  },
  opsPerCoreSecond: OPERATIONS_PER_CORE_SECOND,
  belief(payload, a, b) {
    if (isMixed(payload)) return solved;
    if (payload.problem === "linpack") return exactButTime;
    if (payload.problem === "lu") return exact;
    return a === "webgpu" || b === "webgpu" ? within(payload) : exact;
  },
  beliefPlan: { ...defaultPlan, methods: ["certificate", "exact", "tolerance"] },
  params: paramsOf,
  calibration: { problem: "matmul", rows: 64, inner: 8192, columns: 64, precision: "f32" },
  gpu,
  describe(payload, partial) {
    if (payload.problem === "matmul") {
      const { tile, height, width } = decodeTile(partial, isSingle(payload));
      return `tile ${tile + 1} of ${tilesOf(sizesOf(payload))}: ${height} x ${width} entries`;
    }
    if (payload.problem === "lu")
      return `block ${decodeTile(partial, false).tile + 1} of a system of ${orderOf(payload)} equations`;
    const { run, ms } = decodeSolution(partial);
    const rate = systemOperations(orderOf(payload)) / (Math.max(ms, 0.01) * 1e6);
    return `system ${run + 1}: ${orderOf(payload)} equations at ${rate.toFixed(2)} GFLOPS`;
  },
});
