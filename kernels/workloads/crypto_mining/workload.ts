/** SHA-256d block-header search, as proof-of-work mining does it. */
import { type Belief, defaultPlan, defineWorkload } from "../../contract.ts";
import { gpu } from "./gpu.ts";
import type { SearchResult } from "./host.ts";
import { decodePartial, paramsOf } from "./layout.ts";
import {
  grainTasksOf,
  type MiningPayload,
  payloadSchema,
  placeOf,
  rangeOf,
  sharesExpected,
  tasksOf,
} from "./payload.ts";

/** SHA-256d hashes a second of one SIMD WASM thread: measured in Node 20 on an AMD EPYC core. */
const HASHES_PER_CORE_SECOND = 6_200_000;
/** Where hits are so frequent that a grain may have more than fit its partial, the order of finding matters: no GPU. */
const GPU_SHARES_MAX = 64;

/** Bitcoin's first block. */
const GENESIS =
  "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d";

export interface NonceRange {
  /** Place of the first nonce. */
  extranonce: number;
  nonce: number;
  /** Nonces to try from there on; past 2^32 - 1 the next extranonce begins. */
  nonces: number;
}

const belief: Belief = {
  kind: "exact",
  certificate: "evidence",
  disagreement(a, b) {
    if (a.length === b.length && a.every((byte, index) => byte === b[index])) return null;
    const [mine, theirs] = [decodePartial(a), decodePartial(b)];
    return `shares differ: ${mine.shares.length} of ${mine.searched} nonces against ${theirs.shares.length} of ${theirs.searched}`;
  },
};

export default defineWorkload<MiningPayload, NonceRange, SearchResult>({
  type: "crypto_mining",
  title: "SHA-256 search",
  summary: "Searches the nonces of a block header for a double SHA-256 hash below a target, as Bitcoin mining does.",
  family: {
    id: "hashing",
    title: "SHA-256 search",
    summary:
      "Searching for block headers with small hashes, the computation behind Bitcoin. It earns no coins for you.",
    optIn: true,
  },
  examples: [
    {
      title: "Find the nonce of Bitcoin's first block, near where it is",
      payload: { header: GENESIS, nonce_start: 2_080_000_000, nonces: 16_777_216 },
    },
    {
      title: "A hash with 24 leading zero bits",
      payload: { header: GENESIS, nonces: 268_435_456, target: `000000${"f".repeat(58)}` },
    },
  ],
  payload: payloadSchema,
  plan: (payload) => ({
    tasks: tasksOf(payload),
    grainTasks: grainTasksOf(payload),
    needs: {
      backends: sharesExpected(payload) > GPU_SHARES_MAX ? ["wasm"] : ["wasm", "webgpu"],
      memoryBytes: 2 ** 20,
      engines: [],
    },
    output: "reduce",
  }),
  task(payload, _round, index) {
    const [first, end] = rangeOf(payload, index, index + 1);
    return { ...placeOf(payload, first), nonces: end - first };
  },
  cost(payload, lo, hi) {
    const [first, end] = rangeOf(payload, lo, hi);
    return { operations: end - first, bytes: 0 };
  },
  opsPerCoreSecond: HASHES_PER_CORE_SECOND,
  belief: () => belief,
  beliefPlan: { ...defaultPlan, methods: ["certificate", "exact"] },
  params: paramsOf,
  calibration: { header: GENESIS, nonces: 2 ** 17 },
  gpu,
  describe(_payload, partial) {
    const { searched, shares } = decodePartial(partial);
    return `${searched.toLocaleString("en-US")} hashes, ${shares.length} below the share target`;
  },
});
