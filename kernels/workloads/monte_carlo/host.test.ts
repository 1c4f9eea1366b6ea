import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { closedForm } from "./closed-form.ts";
import { estimateOf, intervalOf, reached } from "./estimate.ts";
import host from "./host.ts";
import { decodeTally, encodeTally, Q_MAX, type Tally } from "./layout.ts";
import { normalCdf, twoSidedQuantile } from "./normal.ts";
import { ITERATIONS_MAX, optionOf } from "./payload.ts";
import prices from "./reference/arithmetic-asian.json";
import { compute, computeAll, parse } from "./testing.ts";

const black = { spot: 100, strike: 100, rate: 0.05, volatility: 0.2, maturity: 1 };
const option = parse({ model: "european_option", iterations: 1000, ...black });

/** Any tally that paths can have. */
const tallies = fc
  .array(fc.integer({ min: 0, max: Q_MAX }), { minLength: 1, maxLength: 20 })
  .map((qs) => ofUnits(qs.map(BigInt)));

function ofUnits(qs: bigint[]): Tally {
  const total = (values: bigint[]) => values.reduce((a, b) => a + b, 0n);
  return {
    paths: BigInt(qs.length),
    hits: BigInt(qs.filter((q) => q > 0n).length),
    sum: total(qs),
    squares: total(qs.map((q) => q * q)),
  };
}

describe("merging", () => {
  it("is associative and exact, and survives encoding", () => {
    fc.assert(
      fc.property(tallies, tallies, tallies, (a, b, c) => {
        expect(host.merge(host.merge(a, b), c)).toEqual(host.merge(a, host.merge(b, c)));
        const merged = host.merge(a, b);
        expect(decodeTally(option, encodeTally(option, merged))).toEqual(merged);
      }),
    );
  });

  it("obeys the law on real ranges: merge(run[a,b), run[b,c)) = run[a,c)", async () => {
    const payload = parse({ iterations: 50_000, samples: 100 });
    await fc.assert(
      fc.asyncProperty(fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 0, max: 500 }))), async (cuts) => {
        const [a, b, c] = [...cuts].sort((x, y) => x - y) as [number, number, number];
        fc.pre(a < b && b < c);
        const run = async (lo: number, hi: number) => host.decode(payload, await compute(payload, lo, hi));
        expect(host.merge(await run(a, b), await run(b, c))).toEqual(await run(a, c));
      }),
      { numRuns: 30 },
    );
  });

  it("holds the largest job: every path of 2^49 at the largest payoff fits its bytes", () => {
    const paths = BigInt(ITERATIONS_MAX);
    const q = BigInt(Q_MAX);
    const most = { paths, hits: paths, sum: paths * q, squares: paths * q * q };
    expect(decodeTally(option, encodeTally(option, most))).toEqual(most);
    expect(most.squares < 2n ** 113n).toBe(true);
    const { estimate, standard_error } = estimateOf(option, most);
    expect(estimate).toBeGreaterThan(0);
    expect(standard_error).toBe(0);
  });

  it("refuses bytes that are no partial", () => {
    expect(() => decodeTally(option, new Uint8Array(16))).toThrow("a partial of 48 bytes, not 16");
    const impossible = encodeTally(option, { paths: 1n, hits: 2n, sum: 0n, squares: 0n });
    expect(() => decodeTally(option, impossible)).toThrow("sums that no paths could have");
  });
});

describe("estimates lie within their interval (fixed seeds: the same in every run)", () => {
  it("pi", async () => {
    const output = host.finish(
      parse({ iterations: 10_000_000, samples: 1_000_000 }),
      await computeAll(parse({ iterations: 10_000_000, samples: 1_000_000 })),
    );
    expect(output).toMatchObject({ model: "pi", iterations: 10_000_000, samples: 1_000_000, stopped_early: false });
    expect(output.interval![0]).toBeLessThan(Math.PI);
    expect(output.interval![1]).toBeGreaterThan(Math.PI);
    expect(output.standard_error).toBeCloseTo(Math.sqrt((Math.PI * (4 - Math.PI)) / 1e7), 6);
  });

  const cases = [
    { model: "european_option", ...black },
    { model: "european_option", kind: "put", ...black, strike: 110 },
    { model: "european_option", ...black, volatility: 1.2 },
    { model: "asian_option", average: "geometric", ...black, steps: 12 },
    { model: "asian_option", average: "geometric", kind: "put", ...black, strike: 104, steps: 7 },
  ];
  for (const raw of cases) {
    it(`closed form: ${JSON.stringify(raw)}`, async () => {
      const payload = parse({ ...raw, iterations: 2_000_000, seed: 2 });
      const output = host.finish(payload, await computeAll(payload));
      expect(output.exact?.value).toBe(closedForm(optionOf(payload))?.value);
      expect(output.interval![0]).toBeLessThan(output.exact!.value);
      expect(output.interval![1]).toBeGreaterThan(output.exact!.value);
      expect(output.standard_error!).toBeLessThan(0.004 * Math.max(1, output.estimate));
    });
  }

  for (const { price, error, ...terms } of prices.prices) {
    it(`integrated arithmetic price: ${JSON.stringify(terms)}`, async () => {
      const payload = parse({
        model: "asian_option",
        ...terms,
        iterations: terms.steps > 12 ? 300_000 : 1_000_000,
        seed: 4,
      });
      const output = host.finish(payload, await computeAll(payload));
      expect(output).not.toHaveProperty("exact");
      expect(output.interval![0]).toBeLessThan(price - error);
      expect(output.interval![1]).toBeGreaterThan(price + error);
    });
  }

  it("the integrated price of one date is the Black-Scholes price", () => {
    const [first] = prices.prices;
    const payload = parse({ model: "european_option", iterations: 1000, ...black });
    expect(first!.price).toBeCloseTo(closedForm(optionOf(payload))!.value, 9);
  });

  it("many seeds: the 95% interval misses pi about one time in twenty", async () => {
    let missed = 0;
    for (let seed = 0; seed < 200; seed++) {
      const payload = parse({ iterations: 20_000, samples: 20_000, seed });
      const interval = intervalOf(payload, host.decode(payload, await compute(payload, 0, 1)))!;
      if (interval[0] > Math.PI || interval[1] < Math.PI) missed++;
    }
    // Binomial(200, 0.05): 10 expected; 2 to 20 is 3 standard deviations either way.
    expect(missed).toBeGreaterThanOrEqual(2);
    expect(missed).toBeLessThanOrEqual(20);
  });
});

describe("stopping early", () => {
  const payload = parse({ iterations: 1_000_000_000, standard_error: 0.01 });
  const tally = (paths: number, hits: number): Tally => ({
    paths: BigInt(paths),
    hits: BigInt(hits),
    sum: 0n,
    squares: 0n,
  });
  it("waits for the standard error", () => {
    expect(reached(payload, tally(20_000, 15_708))).toBe(false);
    expect(reached(payload, tally(27_000, 21_206))).toBe(true);
    expect(reached({ ...payload, standard_error: undefined }, tally(27_000, 21_206))).toBe(false);
  });
  it("does not stop on luck: too few paths, or too few that paid", () => {
    expect(reached({ ...payload, standard_error: 1 }, tally(9_999, 7_853))).toBe(false);
    const same: Tally = { paths: 20_000n, hits: 0n, sum: 0n, squares: 0n };
    expect(reached({ ...option, standard_error: 1 }, same)).toBe(false);
  });
  it("is reported, as is a price that rests on few paths", () => {
    expect(host.finish(payload, tally(27_000, 21_206))).toMatchObject({ stopped_early: true, iterations: 27_000 });
    expect(host.finish(option, ofUnits([0n, 0n, 5n])).warning).toContain("Only 1 of 3 paths paid");
  });
  it("one path has an estimate, and no standard error that is not known", () => {
    expect(estimateOf(option, ofUnits([3n])).standard_error).toBeNull();
    expect(host.preview?.(option, ofUnits([3n]))).toMatchObject({ iterations: 1, standard_error: null });
    expect(intervalOf(parse({ iterations: 1 }), tally(1, 1))![0]).toBeLessThan(Math.PI);
  });
});

describe("the normal distribution", () => {
  it("has its tabulated values", () => {
    expect(normalCdf(0)).toBe(0.5);
    expect(normalCdf(1.959963984540054)).toBeCloseTo(0.975, 14);
    expect(normalCdf(-3)).toBeCloseTo(0.0013498980316300933, 15);
    expect(twoSidedQuantile(0.95)).toBeCloseTo(1.959963984540054, 12);
    expect(twoSidedQuantile(0.99)).toBeCloseTo(2.5758293035489004, 11);
  });
  it("prices Hull's example: S 42, K 40, r 10%, v 20%, half a year: 4.76 and 0.81", () => {
    const hull = {
      model: "european_option",
      iterations: 1,
      spot: 42,
      strike: 40,
      rate: 0.1,
      volatility: 0.2,
      maturity: 0.5,
    };
    expect(closedForm(optionOf(parse(hull)))!.value).toBeCloseTo(4.7594, 4);
    expect(closedForm(optionOf(parse({ ...hull, kind: "put" })))!.value).toBeCloseTo(0.8086, 4);
  });
});
