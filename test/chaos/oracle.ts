/** What the jobs of these tests must come to, computed apart from the grid. */
import { createHash } from "node:crypto";
import { referenceTally } from "../../kernels/workloads/monte_carlo/reference.ts";
import { computeAll, parse } from "../../kernels/workloads/monte_carlo/testing.ts";
import type { JobBody } from "./client.ts";

export interface Expected {
  /** Fields of the output, exactly. */
  output: Record<string, unknown>;
  /** What is counted, summed over the grains; null for a search that ends at its hit. */
  counted: { paths: bigint; hits: bigint } | { searched: number; shares: number } | null;
}

const genesis =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d";
/** Bitcoin's block 0 was found with this nonce, and has this hash. */
const genesisNonce = 2_083_236_893;
const genesisHash = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f";

export const pi = (seed: number, iterations: number): JobBody => ({
  workload_type: "monte_carlo",
  payload: { iterations, seed },
});

/** Darts one by one in plain TypeScript: for jobs of up to some 10^5 darts. */
export const slowPi = (body: JobBody): Expected => expectedPi(body, referenceTally(parse(body.payload), 0, 2 ** 40));

/** The kernel in this process, from the first grain to the last without a break. */
export const fastPi = async (body: JobBody): Promise<Expected> =>
  expectedPi(body, await computeAll(parse(body.payload)));

function expectedPi(body: JobBody, { paths, hits }: { paths: bigint; hits: bigint }): Expected {
  const { iterations, seed } = body.payload as { iterations: number; seed: number };
  const output = { model: "pi", iterations, seed: String(seed), hits: Number(hits), stopped_early: false };
  return { output: { ...output, estimate: (4 * Number(hits)) / iterations }, counted: { paths, hits } };
}

/** A range with Bitcoin's first block in it. */
export const searchWithHit: JobBody = {
  workload_type: "crypto_mining",
  payload: { header: genesis, nonce_start: genesisNonce - 1_500_000, nonces: 2 ** 21 },
};

export const hit: Expected = {
  output: { found: true, nonce: genesisNonce, hash: genesisHash },
  counted: null,
};

export const searchWithoutHit = (first: number, nonces: number): JobBody => ({
  workload_type: "crypto_mining",
  payload: { header: genesis, nonce_start: first, nonces },
});

/** Hashes the whole range with the system's SHA-256; `shareTarget` as the job's result states it. */
export function noHit(body: JobBody, shareTarget: string): Expected {
  const { nonce_start: first, nonces } = body.payload as { nonce_start: number; nonces: number };
  const header = Buffer.alloc(80);
  header.write(genesis, "hex");
  let shares = 0;
  let best = { nonce: 0, hash: "g" };
  for (let nonce = first; nonce < first + nonces; nonce++) {
    header.writeUInt32LE(nonce, 76);
    const inner = createHash("sha256").update(header).digest();
    const digest = createHash("sha256").update(inner).digest();
    // Most have a last byte above zero, and are above every target here.
    if (digest[31] !== 0) continue;
    const hash = digest.reverse().toString("hex");
    if (hash <= shareTarget) shares++;
    if (hash < best.hash) best = { nonce, hash };
  }
  const output = { found: false, nonce: null, hashes: nonces, shares, best: { ...best, extranonce: null } };
  return { output, counted: { searched: nonces, shares } };
}
