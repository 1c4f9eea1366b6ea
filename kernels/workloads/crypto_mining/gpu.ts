/** How the shader is cut into invocations, and its output put into canonical order. */
import type { GpuProgram } from "../../contract.ts";
import { encodePartial, paramsOf, SHARES_MAX } from "./layout.ts";
import { indexOf, type MiningPayload, rangeOf, TASK_NONCES } from "./payload.ts";

/** Nonces that one invocation tries. With a coinbase each first derives the merkle root, some 45 blocks. */
const NONCES_PLAIN = 64;
const NONCES_COINBASE = 512;

export const noncesPerInvocation = (payload: MiningPayload) => (payload.coinbase ? NONCES_COINBASE : NONCES_PLAIN);

export const gpu: GpuProgram<MiningPayload> = {
  workgroupSize: () => 64,
  params(payload) {
    const bytes = paramsOf(payload);
    // A word that only the shader reads.
    new DataView(bytes.buffer).setUint32(4 * 52, noncesPerInvocation(payload), true);
    return bytes;
  },
  /** A count, and as many shares as a partial has room for. */
  outputBytes: () => 4 + 8 * SHARES_MAX,
  invocations: (payload, tasks) => (tasks * TASK_NONCES) / noncesPerInvocation(payload),
  decode(payload, _round, lo, hi, output) {
    const view = new DataView(output.buffer, output.byteOffset, output.length);
    const count = view.getUint32(0, true);
    if (count > SHARES_MAX) throw new Error(`${count} shares in one grain, of which ${SHARES_MAX} fit its output`);
    const [first, end] = rangeOf(payload, lo, hi);
    // Threads report in any order.
    const shares = Array.from({ length: count }, (_, index) => ({
      extranonce: view.getUint32(4 + 8 * index, true),
      nonce: view.getUint32(8 + 8 * index, true),
    })).sort((a, b) => indexOf(payload, a.extranonce, a.nonce) - indexOf(payload, b.extranonce, b.nonce));
    return encodePartial({ searched: end - first, shares });
  },
};
