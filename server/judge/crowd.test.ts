import { describe, expect, it } from "vitest";
import { Crowd, chiSquare } from "./crowd.ts";

describe("chi-square of a node against the pool", () => {
  it("is Pearson's", () => {
    // 30 of 100 against 60 of 300: the table's statistic is N(ad - bc)^2 over the product of its margins.
    const statistic = chiSquare({ trials: 100, successes: 30 }, { trials: 400, successes: 90 });
    expect(statistic).toBeCloseTo((400 * (30 * 240 - 70 * 60) ** 2) / (100 * 300 * 90 * 310), 9);
  });

  it("says nothing of few observations, of a node that is alone, or of none", () => {
    expect(chiSquare({ trials: 10, successes: 9 }, { trials: 1_000, successes: 500 })).toBeNull();
    expect(chiSquare({ trials: 1_000, successes: 500 }, { trials: 1_000, successes: 500 })).toBeNull();
    expect(chiSquare({ trials: 0, successes: 0 }, { trials: 0, successes: 0 })).toBeNull();
  });

  it("finds who reports half a per cent too many, and nobody else, and says so once", () => {
    const crowd = new Crowd();
    const next = uniform(1);
    const found: string[] = [];
    for (let round = 0; round < 40; round++) {
      for (let node = 0; node < 20; node++) {
        const trials = 100_000;
        let successes = 0;
        // The normal approximation of the binomial: the sum of twelve uniforms.
        for (let draw = 0; draw < 12; draw++) successes += next() - 0.5;
        const rate = node === 7 ? 0.785 * 1.005 : 0.785;
        successes = Math.round(trials * rate + successes * Math.sqrt(trials * rate * (1 - rate)));
        crowd.add(`n${node}`, { trials, successes }, 1);
        if (crowd.standsOut(`n${node}`)) found.push(`n${node}`);
      }
    }
    expect(found).toEqual(["n7"]);
  });

  it("forgets what is taken back", () => {
    const crowd = new Crowd();
    crowd.add(null, { trials: 1e6, successes: 5e5 }, 1);
    const wrong = { trials: 1e5, successes: 6e4 };
    crowd.add("liar", wrong, 1);
    crowd.add("liar", wrong, -1);
    expect(crowd.standsOut("liar")).toBe(false);
    crowd.add("liar", wrong, 1);
    expect(crowd.standsOut("liar")).toBe(true);
  });
});

/** Park and Miller's generator: good enough for noise, and the same each time. */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}
