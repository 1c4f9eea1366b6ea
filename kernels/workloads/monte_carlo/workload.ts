/** Monte Carlo estimates from counter-based random streams: pi, European and Asian options. */
import { type Belief, defaultPlan, defineWorkload } from "../../contract.ts";
import { difference, disagreement, gpuSuits } from "./belief.ts";
import { estimateOf } from "./estimate.ts";
import { gpu } from "./gpu.ts";
import type { MonteCarloResult } from "./host.ts";
import { decodeTally, wasmParams } from "./layout.ts";
import {
  batchOf,
  type MonteCarloPayload,
  modelOf,
  operationsPerPath,
  pathsOf,
  payloadSchema,
  seedOf,
} from "./payload.ts";
import { dartsOf } from "./philox.ts";

/** Operations (darts) a second of one SIMD WASM thread: measured in Node 20 on an AMD EPYC core with AVX-512. */
const OPERATIONS_PER_CORE_SECOND = 250_000_000;
const GRAINS_MAX = 2 ** 20;
/** A short job is cut into this many grains all the same, so that several nodes can share it. */
const GRAINS_OF_SHORT_JOB = 16;
/** Drawn of each grain: more would be a blur. */
const DARTS_DRAWN = 256;

/** A task is a batch: paths first..end, each drawn from its own number in the stream of the job's seed. */
export interface Batch {
  first: number;
  end: number;
}

const tasksOf = (payload: MonteCarloPayload) => Math.ceil(payload.iterations / batchOf(payload));

/**
 * About a second of one core. Longer in jobs of more than 2^20 such grains, and then still below 2^31 paths: 2^49
 * paths over 2^20 grains are 2^29 a grain, rounded up by less than a batch (at most 2^30) and its last piece.
 */
function grainTasksOf(payload: MonteCarloPayload): number {
  const tasks = tasksOf(payload);
  const second = Math.round(OPERATIONS_PER_CORE_SECOND / (operationsPerPath(payload) * batchOf(payload)));
  const share = Math.ceil(tasks / GRAINS_OF_SHORT_JOB);
  return Math.max(1, Math.min(second, share), Math.ceil(tasks / GRAINS_MAX));
}

const exact: Belief = { kind: "exact", certificate: "none", disagreement: difference };

const black = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1 };

export default defineWorkload<MonteCarloPayload, Batch, MonteCarloResult>({
  type: "monte_carlo",
  title: "Monte Carlo",
  summary: "Estimates pi or the price of an option from independent random paths, with a stated standard error.",
  family: {
    id: "simulation",
    title: "Simulations",
    summary: "Random experiments, repeated many times, whose average answers a question.",
    optIn: false,
  },
  examples: [
    { title: "Pi, from ten million darts", payload: { iterations: 10_000_000, samples: 1_000_000 } },
    {
      title: "A European call, until the price is known to a tenth of a cent",
      payload: { model: "european_option", iterations: 1_000_000_000, standard_error: 0.001, ...black },
    },
    {
      title: "A put on a monthly average",
      payload: {
        model: "asian_option",
        kind: "put",
        average: "arithmetic",
        steps: 12,
        iterations: 50_000_000,
        ...black,
      },
    },
  ],
  payload: payloadSchema,
  plan: (payload) => ({
    tasks: tasksOf(payload),
    grainTasks: grainTasksOf(payload),
    needs: { backends: gpuSuits(payload) ? ["wasm", "webgpu"] : ["wasm"], memoryBytes: 2 ** 20, engines: [] },
    output: "reduce",
  }),
  task(payload, _round, index) {
    const [first, end] = pathsOf(payload, index, index + 1);
    return { first, end };
  },
  cost(payload, lo, hi) {
    const [first, end] = pathsOf(payload, lo, hi);
    return { operations: (end - first) * operationsPerPath(payload), bytes: 0 };
  },
  opsPerCoreSecond: OPERATIONS_PER_CORE_SECOND,
  belief(payload, a, b) {
    if (modelOf(payload) === "pi" || (a !== "webgpu" && b !== "webgpu")) return exact;
    return { kind: "tolerance", certificate: "none", disagreement: (x, y) => disagreement(payload, x, y) };
  },
  beliefPlan: { ...defaultPlan, methods: ["exact", "tolerance", "statistical"] },
  params: wasmParams,
  calibration: { iterations: 25_000_000, samples: 25_000_000 },
  gpu,
  describe(payload, partial) {
    const tally = decodeTally(payload, partial);
    const count = Number(tally.paths).toLocaleString("en-US");
    const { estimate } = estimateOf(payload, tally);
    if (modelOf(payload) === "pi") return `${count} darts: pi = ${estimate.toFixed(5)}`;
    const name = modelOf(payload) === "european_option" ? "European" : "Asian";
    return `${count} paths: ${name} ${payload.kind ?? "call"} = ${estimate.toPrecision(6)}`;
  },
  picture(payload, _round, lo, hi) {
    if (modelOf(payload) !== "pi") return null;
    const [first, end] = pathsOf(payload, lo, hi);
    return { kind: "darts", points: dartsOf(seedOf(payload), first, Math.min(DARTS_DRAWN, end - first)) };
  },
});
