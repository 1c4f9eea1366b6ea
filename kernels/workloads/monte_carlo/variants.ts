/**
 * Foreign GPUs, made from the shader's text. WGSL lets a compiler fuse a multiplication with an addition and sum in
 * another order; software adapters do neither. Each variant is such a compiler's reading of kernel.wgsl, for the
 * conformance test: its option tallies must differ somewhere, and still lie within the declared bounds.
 */

export interface Variant {
  name: string;
  /** The changed shader. Throws when kernel.wgsl no longer has the text that it changes. */
  transform(source: string): string;
  /** Whether this payload's tallies may differ: pi is integer arithmetic, and differs in no variant. */
  mayDiffer(payload: unknown): boolean;
}

const PLAIN = "return a * b + c;";

/**
 * a * b + c, rounded once: WGSL's own fma() may round twice, so the product's and the sum's errors are computed exactly
 * (Dekker, 1971, and Knuth's two-sum) and added last. A compiler that reassociates would undo this; software adapters don't.
 */
const FUSED = `
  let wide = 4097.0;
  let ca = wide * a;
  let ah = ca - (ca - a);
  let al = a - ah;
  let cb = wide * b;
  let bh = cb - (cb - b);
  let bl = b - bh;
  let product = a * b;
  let lost = ((ah * bh - product) + ah * bl + al * bh) + al * bl;
  let total = product + c;
  let back = total - product;
  let slip = (product - (total - back)) + (c - back);
  return total + (lost + slip);`;

const HORNER = "return madd(x, madd(x, madd(x, d, c), b), a);";
const ESTRIN = "return madd(x * x, madd(x, d, c), madd(x, b, a));";
const LOG =
  "return madd(bitcast<f32>(params[SPREAD]), noise, madd(bitcast<f32>(params[DRIFT]), time, bitcast<f32>(params[START])));";
const LOG_REASSOCIATED =
  "return madd(bitcast<f32>(params[DRIFT]), time, madd(bitcast<f32>(params[SPREAD]), noise, bitcast<f32>(params[START])));";

function replace(source: string, text: string, by: string): string {
  if (source.split(text).length !== 2) throw new Error(`the shader must have this text once: ${text}`);
  return source.replace(text, () => by);
}

const mayDiffer = (payload: unknown) => ((payload as { model?: string }).model ?? "pi") !== "pi";

export const variants: readonly Variant[] = [
  { name: "fused", transform: (source) => replace(source, PLAIN, FUSED), mayDiffer },
  {
    name: "reassociated",
    transform: (source) => replace(replace(source, HORNER, ESTRIN), LOG, LOG_REASSOCIATED),
    mayDiffer,
  },
];
