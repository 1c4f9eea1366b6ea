/** The computations that are compared, and how much of each. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { workloads } from "../../kernels/workloads.ts";
import type { KernelFiles } from "../../protocol/messages.ts";
import type { Case } from "./contender.ts";

const built = fileURLToPath(new URL("../../dist/kernels/", import.meta.url));

/** Bitcoin's first block without its nonce. */
const GENESIS =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d";

/** Tasks of a case, so that a slow contender can be given a part. */
const BATCHES = 8;

export interface Sizes {
  nonces: number;
  darts: number;
  paths: number;
}

/** Some 70 ms of one SIMD thread each. */
export const fullSizes: Sizes = { nonces: 2 ** 19, darts: 2 ** 24, paths: 2 ** 22 };
export const quickSizes: Sizes = { nonces: 2 ** 19, darts: 2 ** 18, paths: 2 ** 15 };

/** Throws where the kernels are not built. */
export function casesOf({ nonces, darts, paths }: Sizes): Case[] {
  const option = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1 };
  return [
    caseOf("SHA-256d header search", "hashes", "crypto_mining", { header: GENESIS, nonces }, nonces),
    caseOf("Monte Carlo pi", "darts", "monte_carlo", { iterations: darts, samples: darts / BATCHES, seed: 7 }, darts),
    caseOf(
      "European option",
      "paths",
      "monte_carlo",
      { model: "european_option", iterations: paths, samples: paths / BATCHES, seed: 7, ...option },
      paths,
    ),
  ];
}

function caseOf(name: string, unit: string, type: string, payload: object, operations: number): Case {
  const workload = workloads.get(type);
  const files = manifestOf()[type]?.files;
  if (!workload || !files) throw new Error(`The kernels of ${type} are not built: run npm run build.`);
  const parsed = workload.payload.parse(payload);
  return { name, unit, workload, files, payload: parsed, tasks: workload.plan(parsed).tasks, operations };
}

function manifestOf(): Record<string, { files: KernelFiles }> {
  return JSON.parse(readFileSync(`${built}manifest.json`, "utf8"));
}

/** Bytes of a kernel file of the build. */
export const readKernel = (sha256: string, extension: "wasm" | "wgsl"): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(`${built}${sha256}.${extension}`));
