/** Foreign GPUs, made from the shader's text: one fuses products and sums, the other sums in another order. */
import { FUSED, replace, type Variant } from "../../conformance/foreign.ts";

/** Sums of few products may come out alike. */
const mayDiffer = (payload: unknown): boolean => {
  const { problem, inner = 0 } = payload as { problem: string; inner?: number };
  // Times differ from run to run.
  return problem === "linpack" || inner > 16;
};

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
