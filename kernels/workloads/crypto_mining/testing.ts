/** For tests: real headers, and the built kernels through the product's own runner. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { WasmRunner } from "../../run/wasm.ts";
import type { MiningPayload } from "./payload.ts";
import workload from "./workload.ts";

const built = fileURLToPath(new URL("../../../dist/kernels/", import.meta.url));
const load = async (sha256: string) => new Uint8Array(readFileSync(`${built}${sha256}.wasm`));
const runners = { simd: new WasmRunner(load, { simd: true }), scalar: new WasmRunner(load, { simd: false }) };
export type Build = keyof typeof runners;

/** The partial of tasks lo..hi. */
export async function compute(
  payload: MiningPayload,
  lo: number,
  hi: number,
  build: Build = "simd",
  using = workload,
): Promise<Uint8Array> {
  const { files } = JSON.parse(readFileSync(`${built}manifest.json`, "utf8")).crypto_mining;
  const grain = { workload: using as never, files, payload, round: 0, input: null, inputs: null, lo, hi };
  return (await runners[build].run(grain, new AbortController().signal)).partial;
}

export const parse = (payload: unknown): MiningPayload => workload.payload.parse(payload);

/** Headers of Bitcoin's chain as they are stored, with their known nonces and hashes. */
export const blocks = [
  {
    height: 0,
    header:
      "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
    nonce: 2083236893,
    hash: "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f",
  },
  {
    height: 1,
    header:
      "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
    nonce: 2573394689,
    hash: "00000000839a8e6886ab5951d76f411475428afc90947ee320161bbf18eb6048",
  },
  {
    height: 2,
    header:
      "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61",
    nonce: 1639830024,
    hash: "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd",
  },
  {
    height: 125552,
    header:
      "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
    nonce: 2504433986,
    hash: "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d",
  },
] as const;

/**
 * Block 170, the first with a payment: its header without merkle root and nonce, its coinbase transaction around four
 * bytes that serve as extranonce here, and the hash of its other transaction.
 */
export const block170 = {
  header: `0100000055bd840a78798ad0da853f68974f3d183e2bd1db6a842c1feecf222a00000000${"0".repeat(64)}51b96a49ffff001d`,
  nonce: 1889418792,
  extranonce: 0x001d0102,
  hash: "00000000d1145790a8694403d4063f323d499e655c83426834d4ce2f8dd4a2ee",
  coinbase: {
    prefix: "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0704ffff",
    suffix:
      "ffffffff0100f2052a01000000434104d46c4968bde02899d2aa0963367c7a6ce34eec332b32e42e5f3407e052d64ac625da6f0718e7b302140434bd725706957c092db53805b821a85b23a7ac61725bac00000000",
    extranonce_bytes: 4,
  },
  merkle_branch: ["169e1e83e930853391bc6f35f605c6754cfead57cf8387639d3b4096c54f18f4"],
} as const;
