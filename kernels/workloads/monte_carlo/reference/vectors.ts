/**
 * Writes vectors.json from the plain TypeScript reference, which shares no code with the kernels.
 *
 *   node --import tsx kernels/workloads/monte_carlo/reference/vectors.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { grainsOf, grainTasks } from "../../../contract.ts";
import { encodeTally } from "../layout.ts";
import type { MonteCarloPayload } from "../payload.ts";
import { referenceTally } from "../reference.ts";
import workload from "../workload.ts";

const GRAINS_MAX = 3;
const PATHS_MAX = 10_000;
const option = { spot: 100, strike: 105, rate: 0.05, volatility: 0.25, maturity: 0.5 };

/** Long jobs whose last, short grain lies beyond 2^32 Philox blocks: path numbers need their high words. */
const farPi = 40 * 250_000_000 + 3001;
const farEuropean = 400 * 50_000_000 + 1777;

const cases: { name: string; payload: unknown; last?: true }[] = [
  { name: "pi, odd batches", payload: { iterations: 30_000, samples: 999 } },
  { name: "pi, one dart", payload: { iterations: 1, seed: 7 } },
  {
    name: "pi, 64-bit seed, beyond 2^32 blocks",
    last: true,
    payload: { iterations: farPi, samples: 1000, seed: "18446744073709551615" },
  },
  { name: "European call", payload: { model: "european_option", iterations: 20_000, samples: 333, ...option } },
  {
    name: "European put, wide",
    payload: {
      model: "european_option",
      kind: "put",
      iterations: 5001,
      samples: 5001,
      seed: 3,
      ...option,
      volatility: 1.5,
    },
  },
  {
    name: "European call, beyond 2^32 blocks",
    last: true,
    payload: { model: "european_option", iterations: farEuropean, samples: 1000, ...option },
  },
  {
    name: "Asian call, geometric, 12 dates",
    payload: { model: "asian_option", average: "geometric", iterations: 3000, samples: 101, ...option },
  },
  {
    name: "Asian call, arithmetic, 1 date",
    payload: { model: "asian_option", steps: 1, iterations: 3000, samples: 100, ...option },
  },
  {
    name: "Asian put, arithmetic, 7 dates",
    payload: { model: "asian_option", kind: "put", steps: 7, iterations: 3001, samples: 77, seed: "42", ...option },
  },
  {
    name: "Asian call, arithmetic, 250 dates",
    payload: { model: "asian_option", steps: 250, iterations: 200, samples: 13, ...option },
  },
];

const written = cases.map(({ name, payload: raw, last }) => {
  const payload: MonteCarloPayload = workload.payload.parse(raw);
  const plan = workload.plan(payload);
  const count = grainsOf(plan);
  const chosen = last
    ? [count - 1]
    : [...new Set([0, 1, count - 1])].filter((grain) => grain < count).slice(0, GRAINS_MAX);
  const grains = chosen.map((grain) => {
    const [lo, hi] = grainTasks(plan, grain);
    const tally = referenceTally(payload, lo, hi);
    if (tally.paths > PATHS_MAX) throw new Error(`${name}: a grain of ${tally.paths} paths is too long for a vector`);
    return { grain, partialHex: Buffer.from(encodeTally(payload, tally)).toString("hex") };
  });
  return { name, payload: raw, grains };
});
writeFileSync(
  fileURLToPath(new URL("../vectors.json", import.meta.url)),
  `${JSON.stringify({ cases: written }, null, 2)}\n`,
);
