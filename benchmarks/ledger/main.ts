/**
 * What signing a Merkle root costs: the node's half, and the coordinator's, for results of 1, 100 and 1,024 grains of 16
 * bytes. Medians of several rounds, in microseconds a result. `node --import tsx benchmarks/ledger/main.ts [--json]`
 */
import { createHash, generateKeyPairSync, sign, verify } from "node:crypto";
import { performance } from "node:perf_hooks";
import { ed25519 } from "@noble/curves/ed25519.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { resultRoot } from "../../protocol/merkle.ts";
import { packPartials } from "../../protocol/partials.ts";
import { resultBytes } from "../../protocol/sign.ts";
import { Roots, rootHolds } from "../../server/shell/roots.ts";

const partialBytes = 16;
const rounds = 9;
const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const roots = new Roots();

function aResult(grains: number) {
  const partials = packPartials(
    Array.from({ length: grains }, (_, grain) => new Uint8Array(partialBytes).fill(grain & 0xff)),
  );
  const named = { lease: "1.2b", job: "0b7d1c1e-8f6a-4d35-9d6c-2f1f4f0f7a11", round: 0, lo: 0, hi: grains };
  const root = Uint8Array.from(resultRoot(0, partials, sha256));
  const result = { ...named, backend: "wasm" as const, kernel: "a".repeat(64), build: "b".repeat(64), partials, root };
  return { ...result, signature: sign(null, resultBytes(result), privateKey) };
}

/** Median of rounds of some milliseconds each, in microseconds a call. */
async function microseconds(run: () => unknown): Promise<number> {
  const measure = async (calls: number): Promise<number> => {
    const start = performance.now();
    for (let call = 0; call < calls; call++) {
      const answer = run();
      if (answer instanceof Promise) await answer;
    }
    return ((performance.now() - start) * 1_000) / calls;
  };
  const first = await measure(20);
  const calls = Math.max(20, Math.ceil(30_000 / first));
  await measure(calls);
  const measured: number[] = [];
  for (let round = 0; round < rounds; round++) measured.push(await measure(calls));
  return measured.sort((a, b) => a - b)[Math.floor(rounds / 2)] as number;
}

/** Time that the event loop was busy for a result whose root a thread checks, with 64 of them under way. */
async function loopMicroseconds(check: () => Promise<boolean>): Promise<number> {
  const batch = (): Promise<boolean[]> => Promise.all(Array.from({ length: 64 }, check));
  for (let warm = 0; warm < 5; warm++) await batch();
  const before = performance.eventLoopUtilization();
  for (let turn = 0; turn < 20; turn++) await batch();
  const { active } = performance.eventLoopUtilization(before);
  return (active * 1_000) / (20 * 64);
}

const rows: Record<string, Record<string, number>> = {};
for (const grains of [1, 100, 1_024]) {
  const result = aResult(grains);
  const { partials } = result;
  const check = async (): Promise<boolean> => {
    if (!(await roots.check(result))) throw new Error("the root does not hold");
    return true;
  };
  rows[`${grains} grains`] = {
    "one hash of all, as protocol 1": await microseconds(() => createHash("sha256").update(partials).digest()),
    "node: root": await microseconds(() => resultRoot(0, partials, sha256)),
    "coordinator: root": await microseconds(() => rootHolds(result)),
    "coordinator: event loop": await loopMicroseconds(check),
  };
}
const seed = ed25519.utils.randomSecretKey();
const one = aResult(1);
const bytes = resultBytes(one);
rows.signature = {
  "node: sign, OpenSSL": await microseconds(() => sign(null, bytes, privateKey)),
  "node: sign, plain script": await microseconds(() => ed25519.sign(bytes, seed)),
  "coordinator: verify": await microseconds(() => verify(null, bytes, publicKey, one.signature)),
};
roots.close();

if (process.argv.includes("--json")) console.log(JSON.stringify(rows));
else {
  for (const [name, row] of Object.entries(rows)) {
    console.log(name);
    for (const [what, us] of Object.entries(row)) console.log(`  ${what.padEnd(32)} ${us.toFixed(us < 10 ? 2 : 0)} us`);
  }
}
