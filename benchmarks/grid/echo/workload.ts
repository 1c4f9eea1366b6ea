/**
 * A workload that costs nothing to compute, so that what is measured is the grid: every task has 100 bytes of input,
 * carried in the payload, and 100 bytes of result. One task is one grain.
 */
import { z } from "zod";
import { defineWorkload } from "../../../kernels/contract.ts";
import { taskBytes } from "./data.ts";

export interface EchoPayload {
  /** Base64 of the inputs of all tasks, one after the other. */
  inputs: string;
  /** "rows": nothing is judged, and partials are the output. "reduce": the judge makes an output of the partials. */
  output: "rows" | "reduce";
}

const payload = z.object({
  inputs: z.string().min(4),
  output: z.enum(["rows", "reduce"]).default("rows"),
}) as unknown as z.ZodType<EchoPayload>;

/** Decoded once for each job, not once for each slice. */
const decoded = new WeakMap<EchoPayload, Buffer>();

function bytesOf(of: EchoPayload): Buffer {
  let bytes = decoded.get(of);
  if (!bytes) {
    bytes = Buffer.from(of.inputs, "base64");
    decoded.set(of, bytes);
  }
  return bytes;
}

/** A grain counts as 10 microseconds of a core: every slice is as large as the benchmark's limit lets it be. */
const opsPerCoreSecond = 100_000;

export default defineWorkload<EchoPayload, number>({
  type: "benchmark_echo",
  title: "Echo",
  summary: "Returns the complement of each task's 100 bytes.",
  family: { id: "benchmark", title: "Benchmark", summary: "Measures the grid itself.", optIn: false },
  examples: [],
  payload,
  plan: (of) => ({
    tasks: Math.floor(bytesOf(of).length / taskBytes),
    grainTasks: 1,
    needs: { backends: ["wasm"], memoryBytes: 1 << 20, engines: [] },
    output: of.output,
  }),
  task: (_of, _round, index) => index,
  cost: (_of, lo, hi) => ({ operations: hi - lo, bytes: (hi - lo) * taskBytes }),
  opsPerCoreSecond,
  belief: () => ({
    kind: "exact",
    certificate: "none",
    disagreement: (a, b) => (Buffer.compare(a, b) === 0 ? null : "other bytes"),
  }),
  params: () => new Uint8Array(0),
  calibration: { inputs: Buffer.alloc(taskBytes).toString("base64"), output: "rows" },
  inputs: (of, _round, lo, hi) => bytesOf(of).subarray(lo * taskBytes, hi * taskBytes),
});
