/** What shaders of several workloads are changed by, to stand for the compilers of foreign GPUs. */

export interface Variant {
  name: string;
  /** The changed shader. Throws when the shader no longer has the text that it changes. */
  transform(source: string): string;
  /** Whether this payload's results may differ: integers differ in no variant. */
  mayDiffer(payload: unknown): boolean;
}

/**
 * a * b + c, rounded once: WGSL's own fma() may round twice, so the product's and the sum's errors are computed exactly
 * (Dekker, 1971, and Knuth's two-sum) and added last. A compiler that reassociates would undo this; software adapters don't.
 */
export const FUSED = `
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

export function replace(source: string, text: string, by: string): string {
  if (source.split(text).length !== 2) throw new Error(`the shader must have this text once: ${text}`);
  return source.replace(text, () => by);
}
