import { defineHost } from "../../kernels/contract.ts";
import type { SumPayload } from "./workload.ts";

export default defineHost<SumPayload, number, { sum: number; ballast?: string }>({
  decode: (_payload, bytes) => {
    if (bytes.length !== 8) throw new Error("a sum has 8 bytes");
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  },
  merge: (a, b) => a + b,
  preview: (_payload, sum) => ({ sum_so_far: sum }),
  finish: ({ ballast, echo }, sum) => ({ sum, ...(echo ? { ballast } : {}) }),
});
