import { describe, expect, it } from "vitest";
import * as z from "zod";
import { grainsOf, grainTasks } from "../../contract.ts";
import { gpuSuits } from "./belief.ts";
import { closedForm, expectedOf } from "./closed-form.ts";
import { decodeTally, encodeTally, type Tally } from "./layout.ts";
import { optionOf } from "./payload.ts";
import { compute, parse } from "./testing.ts";
import workload from "./workload.ts";

const black = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1 };
const european = { model: "european_option", iterations: 1_000_000, ...black };
const complaints = (payload: unknown) => {
  const parsed = workload.payload.safeParse(payload);
  return parsed.success ? [] : parsed.error.issues.map((issue) => [issue.path.join("."), issue.message]);
};

describe("the payload", () => {
  it("takes the user's document as it is written, and the examples", () => {
    expect(parse({ iterations: 10_000_000, samples: 1_000_000 })).toEqual({
      iterations: 10_000_000,
      samples: 1_000_000,
    });
    for (const { payload } of workload.examples) expect(complaints(payload)).toEqual([]);
    expect(complaints(workload.calibration)).toEqual([]);
  });

  it("parses what it parsed to the same", () => {
    const once = parse({ ...european, seed: "18446744073709551615" });
    expect(parse(JSON.parse(JSON.stringify(once)))).toEqual(once);
  });

  it.each([
    [{}, "iterations", "a whole number of paths"],
    [{ iterations: 0 }, "iterations", "at least 1 path"],
    [{ iterations: 1.5 }, "iterations", "a whole number of paths"],
    [{ iterations: 1e18 }, "iterations", "into jobs with different seeds"],
    [{ iterations: 5e9, samples: 2e9 }, "samples", "leave it out for a fitting one"],
    [
      { ...european, samples: 500_000_000, iterations: 1e9 },
      "samples",
      "at most 214748364 paths of this model in a batch",
    ],
    [{ iterations: 10, seed: -1 }, "seed", "from 0 to 18446744073709551615"],
    [{ iterations: 10, seed: "18446744073709551616" }, "seed", "from 0 to 18446744073709551615"],
    [{ iterations: 10, seed: "x" }, "seed", "write one above 9007199254740991 as a string"],
    [{ iterations: 10, model: "heston" }, "model", 'one of "pi", "european_option", "asian_option"'],
    [{ iterations: 10, strike: 3 }, "strike", 'add "model": "european_option"'],
    [{ iterations: 10, model: "asian_option", spot: 1, strike: 1, maturity: 1 }, "volatility", 'as "volatility": 0.2'],
    [{ ...european, steps: 4 }, "steps", "belongs to asian_option"],
    [{ ...european, volatility: 3 }, "volatility", "at most 2"],
    [{ ...european, rate: 5 }, "rate", "0.05 for 5% a year"],
    [{ ...european, maturity: -1 }, "maturity", "more than 0, in years"],
    [{ ...european, strike: 1000 }, "strike", "choose a nearer one"],
    [{ ...european, volatility: 2, iterations: 1e13 }, "iterations", "the 32 bits that each random number has"],
    [{ ...european, confidence: 1 }, "confidence", "less than 1"],
    [{ ...european, standard_error: 0 }, "standard_error", "leave it out to run all iterations"],
    [{ ...european, model: "asian_option", steps: 2000 }, "steps", "at most 1024 dates"],
  ])("refuses %j", (payload, field, message) => {
    const found = complaints(payload);
    expect(found.map(([path]) => path)).toContain(field);
    expect(found.find(([path]) => path === field)?.[1]).toContain(message);
  });

  it("refuses a field that it does not know, by its name", () => {
    expect(complaints({ iterations: 10, itterations: 3 })[0]?.[1]).toContain("itterations");
  });

  it("has a JSON schema for forms", () => {
    const schema = z.toJSONSchema(workload.payload, { io: "input", unrepresentable: "any" });
    expect(schema).toMatchObject({ type: "object", required: ["iterations"] });
  });
});

describe("the plan", () => {
  it("cuts the user's job into its ten batches", () => {
    const payload = parse({ iterations: 10_000_000, samples: 1_000_000 });
    expect(workload.plan(payload)).toMatchObject({ tasks: 10, grainTasks: 1, needs: { backends: ["wasm", "webgpu"] } });
    expect(workload.task(payload, 0, 3)).toEqual({ first: 3_000_000, end: 4_000_000 });
    expect(workload.cost(payload, 0, 10).operations).toBe(10_000_000);
  });

  it("gives a grain about a second, at most 2^20 grains, and fewer than 2^31 paths", () => {
    for (const raw of [
      { iterations: 1e11 },
      { iterations: 2 ** 49 },
      { iterations: 2 ** 49, samples: 2 ** 30 },
      { iterations: 2 ** 49 - 1, samples: 1 },
      { ...european, iterations: 1e12 },
      { ...european, model: "asian_option", steps: 1024, iterations: 2 ** 37 },
      { ...european, iterations: 1e12, samples: 200_000_000 },
    ]) {
      const payload = parse(raw);
      const plan = workload.plan(payload);
      expect(grainsOf(plan)).toBeLessThanOrEqual(2 ** 20);
      expect(plan.tasks).toBeLessThan(2 ** 53);
      const [lo, hi] = grainTasks(plan, 0);
      const seconds = workload.cost(payload, lo, hi).operations / workload.opsPerCoreSecond;
      expect(seconds).toBeGreaterThan(0.5);
      expect(seconds).toBeLessThan(8);
      expect(workload.task(payload, 0, hi - 1).end - workload.task(payload, 0, lo).first).toBeLessThan(2 ** 31);
      expect(workload.task(payload, 0, plan.tasks - 1).end).toBe(payload.iterations);
      expect(workload.gpu!.invocations(payload, hi - lo)).toBeLessThan(2 ** 32);
    }
  });

  it("leaves jobs whose standard error f32 could blur to WASM", () => {
    expect(gpuSuits(parse({ iterations: 2 ** 49 }))).toBe(true);
    expect(gpuSuits(parse({ ...european, iterations: 1e8 }))).toBe(true);
    expect(gpuSuits(parse({ ...european, iterations: 1e12 }))).toBe(false);
    expect(gpuSuits(parse({ ...european, iterations: 1e12, standard_error: 0.001 }))).toBe(true);
    expect(gpuSuits(parse({ ...european, volatility: 0.0001, rate: 0, iterations: 1e4 }))).toBe(false);
    expect(workload.plan(parse({ ...european, iterations: 1e12 })).needs.backends).toEqual(["wasm"]);
  });

  it("expects what simulation then finds", async () => {
    for (const raw of [european, { ...european, kind: "put", strike: 90 }, { ...european, model: "asian_option" }]) {
      const payload = parse({ ...raw, iterations: 200_000, samples: 200_000 });
      const { paths, sum, squares } = decodeTally(payload, await compute(payload, 0, 1));
      const deviation = Math.sqrt(Number(squares) / Number(paths) - (Number(sum) / Number(paths)) ** 2);
      const expected = expectedOf(optionOf(payload)).payoffDeviation;
      const fraction = { call: 29, put: 32 }[payload.kind ?? "call"];
      expect(deviation / 2 ** fraction / expected).toBeCloseTo(1, 1);
    }
    expect(closedForm(optionOf(parse({ ...european, model: "asian_option" })))).toBeNull();
  });
});

describe("belief", () => {
  const payload = parse({ ...european, samples: 50_000 });
  const nudge = (bytes: Uint8Array, change: (tally: Tally) => Partial<Tally>) => {
    const tally = decodeTally(payload, bytes);
    return encodeTally(payload, { ...tally, ...change(tally) });
  };

  it("is exact for pi on all backends, and between WASM builds", () => {
    expect(workload.belief(parse({ iterations: 5 }), "wasm", "webgpu").kind).toBe("exact");
    expect(workload.belief(payload, "wasm", "native").kind).toBe("exact");
    expect(workload.belief(payload, "webgpu", "wasm").kind).toBe("tolerance");
    expect(workload.belief(payload, "wasm", "wasm").disagreement(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toContain(
      "byte 1",
    );
    expect(workload.belief(payload, "wasm", "wasm").disagreement(Uint8Array.of(1), Uint8Array.of(1))).toBeNull();
  });

  it("allows roundings of f32, and no more", async () => {
    const partial = await compute(payload, 0, 1);
    const { disagreement } = workload.belief(payload, "wasm", "webgpu");
    expect(disagreement(partial, partial)).toBeNull();
    const tally = decodeTally(payload, partial);
    expect(
      disagreement(
        partial,
        nudge(partial, ({ sum }) => ({ sum: sum + sum / 10_000_000n })),
      ),
    ).toBeNull();
    // A thousandth of the standard error of the grain: sqrt(n) q is the scale of the sum's own chance.
    const scale = BigInt(Math.round(Math.sqrt(Number(tally.squares))));
    expect(
      disagreement(
        partial,
        nudge(partial, ({ sum }) => ({ sum: sum + scale / 20n })),
      ),
    ).toContain("sums differ");
    expect(
      disagreement(
        partial,
        nudge(partial, ({ hits }) => ({ hits: hits - 60n })),
      ),
    ).toContain("paths that paid");
    expect(
      disagreement(
        partial,
        nudge(partial, ({ squares }) => ({ squares: squares + squares / 1000n })),
      ),
    ).toContain("squares");
    expect(
      disagreement(
        partial,
        nudge(partial, ({ paths }) => ({ paths: paths + 1n })),
      ),
    ).toContain("paths and");
    expect(disagreement(partial, new Uint8Array(3))).toContain("a partial of 48 bytes");
  });

  it("catches every wrong grain among many", async () => {
    const { disagreement } = workload.belief(payload, "wasm", "webgpu");
    const partials = await Promise.all(Array.from({ length: 20 }, (_, task) => compute(payload, task, task + 1)));
    for (const [i, a] of partials.entries())
      for (const [j, b] of partials.entries()) if (i !== j) expect(disagreement(a, b)).not.toBeNull();
  });
});

it("tells a volunteer what a partial says", async () => {
  const payload = parse({ iterations: 1_048_576, samples: 1_048_576 });
  expect(workload.describe?.(payload, await compute(payload, 0, 1))).toMatch(/^1,048,576 darts: pi = 3\.1[34]\d{3}$/);
  const priced = parse({ ...european, samples: 1_000_000 });
  expect(workload.describe?.(priced, await compute(priced, 0, 1))).toMatch(
    /^1,000,000 paths: European call = 10\.4\d+$/,
  );
});

describe("the picture", () => {
  it("is of the grain's own first darts, and as many of them are inside as its kernel counts", async () => {
    const payload = parse({ iterations: 2_000, samples: 100, seed: 7 });
    const picture = workload.picture?.(payload, 0, 3, 5);
    expect(picture?.kind).toBe("darts");
    const points = [...(picture?.points ?? [])];
    expect(points).toHaveLength(2 * 200);
    const inside = points.filter((x, at) => at % 2 === 0 && x * x + (points[at + 1] as number) ** 2 < 1).length;
    const tally = decodeTally(payload, await compute(payload, 3, 5));
    expect([BigInt(inside), 200n]).toEqual([tally.hits, tally.paths]);
    expect(workload.picture?.(parse({ iterations: 1e9 }), 0, 0, 1)?.points).toHaveLength(2 * 256);
  });

  it("is none of an option", () => {
    expect(workload.picture?.(parse(european), 0, 0, 1)).toBeNull();
  });
});
