import { defineHost } from "../../../kernels/contract.ts";
import type { EchoPayload } from "./workload.ts";

/** Used for one-task jobs of output "reduce" only; their output is the task's result. */
export default defineHost<EchoPayload, Buffer, string>({
  decode: (_payload, partial) => Buffer.from(partial),
  merge: (a, b) => Buffer.concat([a, b]),
  finish: (_payload, merged) => merged.toString("base64"),
});
