/**
 * Writes vectors.json by hashing every nonce with the system's SHA-256, which shares no code with the kernels.
 *
 *   node --import tsx kernels/workloads/crypto_mining/reference/vectors.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { grainsOf, grainTasks } from "../../../contract.ts";
import { toHex } from "../hex.ts";
import { encodePartial } from "../layout.ts";
import type { MiningPayload } from "../payload.ts";
import workload from "../workload.ts";
import { searchRange } from "./search.ts";

/** Block 0 of Bitcoin without its nonce, 2083236893. */
const header =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d";
const bytes = (count: number, seed: number) =>
  toHex(Uint8Array.from({ length: count }, (_, index) => index * 37 + seed * 11));
/** Some 32 hits in a grain of 2^22 nonces. */
const target = `00007f${"f".repeat(58)}`;
/** Past three extranonces, to a short last grain. */
const far = { header, target, nonce_start: 5, nonces: 3 * 2 ** 32 + 300_000 };

/** `last`: the last grain instead of the first. */
const cases: { name: string; payload: MiningPayload; last?: true }[] = [
  { name: "part of a task", payload: { header, nonces: 30_001 } },
  { name: "the first block's own nonce", payload: { header, nonce_start: 2_083_200_000, nonces: 70_000 } },
  { name: "a handful of nonces, each a share", payload: { header, nonce_start: 4_294_967_289, nonces: 7 } },
  { name: "every nonce a hit", payload: { header, nonces: 50, target: "f".repeat(64) } },
  {
    name: "from one extranonce into the next, three hashes of branch",
    payload: {
      header,
      nonce_start: 2 ** 32 - 1000,
      nonces: 20_000,
      coinbase: { prefix: bytes(101, 1), suffix: bytes(150, 3), extranonce_bytes: 8 },
      merkle_branch: [bytes(32, 5), bytes(32, 9), bytes(32, 2)],
      extranonce_start: 77,
    },
  },
  {
    name: "extranonce across two blocks of the coinbase",
    last: true,
    payload: {
      ...far,
      coinbase: { prefix: bytes(62, 2), suffix: bytes(40, 4), extranonce_bytes: 4 },
      merkle_branch: [bytes(32, 6)],
    },
  },
  {
    name: "extranonce across two words, no branch",
    last: true,
    payload: {
      ...far,
      coinbase: { prefix: bytes(61, 7), suffix: "", extranonce_bytes: 5 },
      merkle_branch: [],
      extranonce_start: 2 ** 32 - 4,
    },
  },
];

const written = cases.map(({ name, payload: raw, last }) => {
  const payload = workload.payload.parse(raw);
  const plan = workload.plan(payload);
  const grain = last ? grainsOf(plan) - 1 : 0;
  const [lo, hi] = grainTasks(plan, grain);
  const partialHex = toHex(encodePartial(searchRange(payload, lo, hi)));
  return { name, payload: raw, grains: [{ grain, partialHex }] };
});

const file = fileURLToPath(new URL("../vectors.json", import.meta.url));
writeFileSync(file, `${JSON.stringify({ cases: written }, null, 2)}\n`);
