/** Foreign GPUs, made from the shader's text: one fuses products and sums, the other sums in another order. */
interface Variant {
  name: string;
  transform(source: string): string;
  mayDiffer(payload: unknown): boolean;
}

function replace(source: string, text: string, by: string): string {
  if (source.split(text).length !== 2) throw new Error(`the shader must have this text once: ${text}`);
  return source.replace(text, () => by);
}

/** a * b + c rounded once, by exact error terms (Dekker, 1971; Knuth's two-sum). */
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

/** Sums of few products may come out alike. */
const mayDiffer = (payload: unknown): boolean => ((payload as { inner?: number }).inner ?? 0) > 16;

export const variants: readonly Variant[] = [
  { name: "fused", transform: (source) => replace(source, "return c + a * b;", FUSED), mayDiffer },
  {
    name: "reassociated",
    transform: (source) =>
      replace(
        replace(
          source,
          "for (var k = 0u; k < inner; k++) {",
          "for (var step = 0u; step < inner; step++) {\n    let k = inner - 1u - step;",
        ),
        "return c + a * b;",
        "return a * b + c;",
      ),
    mayDiffer,
  },
];
