import { describe, expect, it } from "vitest";
import { grainTasks } from "../../contract.ts";
import { decodeTally } from "./layout.ts";
import { referenceTally } from "./reference.ts";
import { compute, parse } from "./testing.ts";
import { variants } from "./variants.ts";
import vectors from "./vectors.json";
import workload from "./workload.ts";

const option = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1, iterations: 100_000 };
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const relative = (a: bigint, b: bigint) => Math.abs(Number(a - b)) / Number(b);

describe("the WASM kernels", () => {
  for (const { name, payload: raw, grains } of vectors.cases) {
    it(`give the vector: ${name}`, async () => {
      const payload = parse(raw);
      for (const { grain, partialHex } of grains) {
        const [lo, hi] = grainTasks(workload.plan(payload), grain);
        const simd = await compute(payload, lo, hi, "simd");
        expect(hex(await compute(payload, lo, hi, "scalar"))).toBe(hex(simd));
        if (payload.model === undefined) {
          expect(hex(simd)).toBe(partialHex);
          continue;
        }
        const vector = decodeTally(payload, Buffer.from(partialHex, "hex"));
        const tally = decodeTally(payload, simd);
        expect([tally.paths, tally.hits]).toEqual([vector.paths, vector.hits]);
        expect(relative(tally.sum, vector.sum)).toBeLessThan(1e-9);
        expect(relative(tally.squares, vector.squares)).toBeLessThan(1e-9);
      }
    });
  }

  it("count pi's darts as the reference does, from every offset and for every length", async () => {
    const payload = parse({ iterations: 2 ** 41, samples: 1, seed: "11400714819323198485" });
    for (const lo of [0, 1, 2 ** 33 - 11, 2 ** 40 + 5]) {
      for (let length = 1; length < 40; length += 3) {
        const { paths, hits } = referenceTally(payload, lo, lo + length);
        const tally = decodeTally(payload, await compute(payload, lo, lo + length));
        expect([lo, length, tally.paths, tally.hits]).toEqual([lo, length, paths, hits]);
      }
    }
  });

  it("agree bit for bit, scalar and SIMD, at ragged ranges of options", async () => {
    for (const model of [
      { model: "european_option" },
      { model: "asian_option", steps: 5 },
      { model: "asian_option", steps: 6, average: "geometric", kind: "put" },
    ]) {
      const payload = parse({ ...option, ...model, samples: 1 });
      for (const [lo, hi] of [
        [0, 1],
        [3, 17],
        [5, 64],
        [16, 32],
        [13, 5000],
      ] as const) {
        const simd = await compute(payload, lo, hi, "simd");
        expect(hex(await compute(payload, lo, hi, "scalar"))).toBe(hex(simd));
        const tally = decodeTally(payload, simd);
        const plain = referenceTally(payload, lo, hi);
        expect(tally.hits).toBe(plain.hits);
        if (plain.sum > 0n) expect(relative(tally.sum, plain.sum)).toBeLessThan(1e-9);
      }
    }
  });

  it("give the same whatever way a range is cut", async () => {
    const payload = parse({ ...option, model: "asian_option", steps: 4, samples: 7 });
    const whole = decodeTally(payload, await compute(payload, 10, 400));
    const left = decodeTally(payload, await compute(payload, 10, 123));
    const right = decodeTally(payload, await compute(payload, 123, 400));
    expect(left.sum + right.sum).toBe(whole.sum);
    expect(left.squares + right.squares).toBe(whole.squares);
  });

  it("cut the payoff at 2^32 - 1 units, where squares still add up exactly", async () => {
    // A strike so low that every path pays about as much as is kept: the sums are as large as they get.
    const payload = parse({
      ...option,
      model: "european_option",
      spot: 1e5,
      strike: 1,
      volatility: 2,
      rate: 0.5,
      samples: 1000,
    });
    const tally = decodeTally(payload, await compute(payload, 0, 40));
    const plain = referenceTally(payload, 0, 40);
    expect(tally.paths).toBe(40_000n);
    expect(relative(tally.squares, plain.squares)).toBeLessThan(1e-9);
    expect(tally.squares * tally.paths).toBeGreaterThanOrEqual(tally.sum * tally.sum);
  });
});

describe("shader variants", () => {
  it("change the shader's text, and refuse a shader that they do not know", async () => {
    const { readFileSync } = await import("node:fs");
    const source = readFileSync(new URL("kernel.wgsl", import.meta.url), "utf8");
    for (const variant of variants) {
      expect(variant.transform(source)).not.toBe(source);
      expect(() => variant.transform("fn main() {}")).toThrow("the shader must have this text once");
    }
  });
});
