/** All cases with all contenders. */
import { casesOf, fullSizes, quickSizes, type Sizes } from "./cases.ts";
import type { Absent, Contender } from "./contender.ts";
import { gpuContender } from "./gpu.ts";
import { type CaseResult, measureCase, type Plan } from "./measure.ts";
import { findCompiler, nativeBuilds, nativeContender } from "./native.ts";
import { nodeCryptoContender } from "./node-crypto.ts";
import { wasmContender } from "./wasm.ts";

export interface SuitePlan extends Plan {
  sizes: Sizes;
  gpu: boolean;
}

export const fullPlan: SuitePlan = { sizes: fullSizes, sets: 9, setsMin: 3, budgetMs: 20_000, warmUps: 1, gpu: true };
export const quickPlan: SuitePlan = { sizes: quickSizes, sets: 1, setsMin: 1, budgetMs: 0, warmUps: 0, gpu: true };

export async function measureAll(plan: SuitePlan, tell: (line: string) => void): Promise<CaseResult[]> {
  const cases = casesOf(plan.sizes);
  const compiler = findCompiler();
  const shared: (Contender | Absent)[] = [
    wasmContender(true),
    wasmContender(false),
    ...nativeBuilds.map((build) => nativeContender(build, compiler)),
    ...(plan.gpu ? [await gpuContender()] : []),
  ];
  try {
    const results: CaseResult[] = [];
    for (const one of cases) {
      tell(`${one.name}: up to ${plan.sets} sets of ${one.operations} ${one.unit} ...`);
      const hashing = one.workload.type === "crypto_mining" ? [nodeCryptoContender] : [];
      results.push(await measureCase(one, [...shared, ...hashing], plan));
    }
    return results;
  } finally {
    for (const contender of shared) if ("close" in contender) contender.close();
  }
}
