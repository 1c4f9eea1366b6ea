/** The benchmark compares what it says it does, and notices what is wrong; speeds are no matter here. */
import { describe, expect, it } from "vitest";
import { casesOf, quickSizes } from "./cases.ts";
import type { Contender } from "./contender.ts";
import { gpuContender } from "./gpu.ts";
import { measureCase, spreadOf } from "./measure.ts";
import { findCompiler, type NativeBuild, nativeBuilds, nativeContender } from "./native.ts";
import { nodeCryptoContender } from "./node-crypto.ts";
import { legend, report } from "./report.ts";
import { wasmContender } from "./wasm.ts";

const cases = casesOf(quickSizes);
const anyBuild: NativeBuild = { name: "C", form: "vectors", flags: [] };
const plan = { sets: 2, setsMin: 1, budgetMs: 60_000, warmUps: 0 };

/** A contender that does not do the work. */
function forger(change: (partial: Uint8Array) => void): Contender {
  const honest = wasmContender(true);
  return {
    ...honest,
    name: "forger",
    run: async (one) => {
      const timed = await honest.run(one);
      change(timed.partial);
      return timed;
    },
  };
}

it.each(cases.map((one) => [one.name, one] as const))(
  "%s: all agree and are measured",
  { timeout: 60_000 },
  async (_, one) => {
    const compiler = findCompiler();
    const native = nativeBuilds.map((build) => nativeContender(build, compiler));
    const hashing = one.workload.type === "crypto_mining" ? [nodeCryptoContender] : [];
    const all = [wasmContender(true), wasmContender(false), ...native, ...hashing];
    try {
      const result = await measureCase(one, all, plan);
      expect(result.rows.map(({ name }) => name)).toEqual(all.map(({ name }) => name));
      for (const row of result.rows) {
        if ("missing" in row) {
          expect(row.missing.length).toBeGreaterThan(10);
          continue;
        }
        expect(row.cpuMs.min).toBeGreaterThan(0);
        expect(row.wallMs.min).toBeGreaterThan(0);
        const share = row.name === "node:crypto" ? 1 / 8 : 1;
        expect(row.perSecond).toBeCloseTo((one.operations * share * 1000) / row.cpuMs.median, 3);
        expect(row.about).not.toBe("");
      }
      expect(result.rows[0]).toMatchObject({ ratio: { median: 1, min: 1, max: 1 } });
      const text = report([result]);
      for (const { name } of result.rows) expect(text).toContain(`| ${name}`);
      expect(legend([result])).toContain("WASM SIMD: V8");
    } finally {
      for (const contender of native) if ("close" in contender) contender.close();
    }
  },
);

describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
  it("is measured only where results are equal", async () => {
    const honest = wasmContender(true);
    const off = forger((partial) => {
      partial[0] = (partial[0] as number) ^ 1;
    });
    await expect(measureCase(one, [honest, off], plan)).rejects.toThrow(`${one.name}: forger differs from WASM SIMD`);
  });
});

it("finds shares, so that equality says something", async () => {
  const { partial } = await wasmContender(true).run(cases[0] as (typeof cases)[0]);
  expect(new DataView(partial.buffer).getUint32(8, true)).toBeGreaterThan(0);
});

it("reports what is missing instead of failing", async () => {
  const without = nativeContender(anyBuild, null);
  expect(without).toMatchObject({ missing: expect.stringContaining("no compiler") });
  const broken = nativeContender(anyBuild, { command: "false", version: "none" });
  expect(broken).toMatchObject({ missing: expect.stringContaining("false") });
  const result = await measureCase(cases[1] as (typeof cases)[0], [wasmContender(true), without], plan);
  expect(report([result])).toContain("no compiler");
});

it("runs the shader where Dawn is, and else names the remedy", { timeout: 60_000 }, async () => {
  const gpu = await gpuContender();
  if ("missing" in gpu) {
    expect(gpu.missing.length).toBeGreaterThan(10);
    return;
  }
  try {
    const { rows } = await measureCase(cases[1] as (typeof cases)[0], [wasmContender(true), gpu], plan);
    expect(rows[1]).toMatchObject({ name: gpu.name, about: expect.stringContaining("Dawn") });
    expect(rows[1]).toMatchObject({ perSecond: expect.any(Number), clock: gpu.name === "WGSL" ? "wall" : "cpu" });
  } finally {
    gpu.close();
  }
});

it("takes medians of odd and even numbers of sets", () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 });
});
