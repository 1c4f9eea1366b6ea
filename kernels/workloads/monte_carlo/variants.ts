/**
 * Foreign GPUs, made from the shader's text. WGSL lets a compiler fuse a multiplication with an addition and sum in
 * another order; software adapters do neither. Each variant is such a compiler's reading of kernel.wgsl, for the
 * conformance test: its option tallies must differ somewhere, and still lie within the declared bounds.
 */

import { FUSED, replace, type Variant } from "../../conformance/foreign.ts";

const PLAIN = "return a * b + c;";

const HORNER = "return madd(x, madd(x, madd(x, d, c), b), a);";
const ESTRIN = "return madd(x * x, madd(x, d, c), madd(x, b, a));";
const LOG =
  "return madd(bitcast<f32>(params[SPREAD]), noise, madd(bitcast<f32>(params[DRIFT]), time, bitcast<f32>(params[START])));";
const LOG_REASSOCIATED =
  "return madd(bitcast<f32>(params[DRIFT]), time, madd(bitcast<f32>(params[SPREAD]), noise, bitcast<f32>(params[START])));";

const mayDiffer = (payload: unknown) => ((payload as { model?: string }).model ?? "pi") !== "pi";

export const variants: readonly Variant[] = [
  { name: "fused", transform: (source) => replace(source, PLAIN, FUSED), mayDiffer },
  {
    name: "reassociated",
    transform: (source) => replace(replace(source, HORNER, ESTRIN), LOG, LOG_REASSOCIATED),
    mayDiffer,
  },
];
