/** For tests: runs the built kernels through the product's own runner. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { grainsOf, grainTasks } from "../../contract.ts";
import { WasmRunner } from "../../run/wasm.ts";
import host from "./host.ts";
import type { Tally } from "./layout.ts";
import type { MonteCarloPayload } from "./payload.ts";
import workload from "./workload.ts";

const built = fileURLToPath(new URL("../../../dist/kernels/", import.meta.url));
const manifest = JSON.parse(readFileSync(`${built}manifest.json`, "utf8"));
const load = async (sha256: string) => new Uint8Array(readFileSync(`${built}${sha256}.wasm`));
const runners = {
  simd: new WasmRunner(load, { simd: true }),
  scalar: new WasmRunner(load, { simd: false }),
};

/** The partial of tasks lo..hi. */
export async function compute(
  payload: MonteCarloPayload,
  lo: number,
  hi: number,
  build: keyof typeof runners = "simd",
): Promise<Uint8Array> {
  const { files } = manifest.monte_carlo;
  const grain = { workload: workload as never, files, payload, round: 0, input: null, inputs: null, lo, hi };
  return (await runners[build].run(grain, new AbortController().signal)).partial;
}

/** The merged partial of a whole job, grain by grain as the grid does it. */
export async function computeAll(payload: MonteCarloPayload): Promise<Tally> {
  const plan = workload.plan(payload);
  let merged: Tally | null = null;
  for (let grain = 0; grain < grainsOf(plan); grain++) {
    const tally = host.decode(payload, await compute(payload, ...grainTasks(plan, grain)));
    merged = merged ? host.merge(merged, tally) : tally;
  }
  if (!merged) throw new Error("a job has at least one grain");
  return merged;
}

export const parse = (payload: unknown): MonteCarloPayload => workload.payload.parse(payload);
