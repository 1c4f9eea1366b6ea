/** A workload for tests: task i is worth i, a grain's partial is the sum of its tasks, as 8 bytes. */
import * as z from "zod";
import { defineWorkload } from "../../kernels/contract.ts";

const payload = z.strictObject({
  tasks: z.number().int().min(1).max(1e6),
  grain: z.number().int().min(1).default(10),
  /** Makes the payload large. */
  ballast: z.string().default(""),
  /** Puts it into the output as well. */
  echo: z.boolean().default(false),
});
export type SumPayload = z.infer<typeof payload>;

export const sumOf = (lo: number, hi: number): number => ((hi - lo) * (lo + hi - 1)) / 2;

export function encodeSum(sum: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, sum, true);
  return bytes;
}

export default defineWorkload<SumPayload, number>({
  type: "sum",
  title: "Sum",
  summary: "Adds numbers up.",
  family: { id: "tests", title: "Tests", summary: "Only tests.", optIn: false },
  examples: [{ title: "A hundred", payload: { tasks: 100 } }],
  payload: payload as unknown as z.ZodType<SumPayload>,
  plan: ({ tasks, grain }) => ({
    tasks,
    grainTasks: grain,
    needs: { backends: ["wasm"], memoryBytes: 1, engines: [] },
    output: "reduce",
  }),
  task: (_payload, _round, index) => index,
  cost: (_payload, lo, hi) => ({ operations: hi - lo, bytes: 0 }),
  opsPerCoreSecond: 1000,
  belief: () => ({
    kind: "exact",
    certificate: "none",
    disagreement: (a, b) => (Buffer.from(a).equals(Buffer.from(b)) ? null : "the sums differ"),
  }),
  params: () => new Uint8Array(0),
  calibration: { tasks: 10, grain: 10, ballast: "", echo: false },
});
