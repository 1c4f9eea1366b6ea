import { describe, expect, it } from "vitest";
import { policies, runCell } from "./scenario.ts";

/** Short cells; the figures of long ones are in the README, from `npm run sim -- --scenario sabotage`. */
const short = { seed: 1, saboteurs: 0.2, volunteers: 200, grains: 2_000_000 };

describe("the real core among saboteurs", () => {
  it.each(["always lie", "whitewash", "lie 10%", "colluding", "5% of grains in 10% of slices"] as const)(
    "lets little through of '%s', and bans no honest machine",
    (strategy) => {
      const found = runCell({ ...short, strategy, verification: policies.default });
      expect(found.accepted).toBeGreaterThanOrEqual(short.grains);
      expect(found.finalWrong / found.accepted).toBeLessThan(1e-3);
      expect(found.finalWrong).toBeLessThanOrEqual(found.firstWrong);
      expect(found.honestBanned).toBe(0);
      expect(found.saboteursBanned).toBeGreaterThan(0);
      expect(found.overhead).toBeLessThan(1.25);
    },
  );

  it("lets nothing through where a complete certificate is checked", () => {
    const found = runCell({ ...short, strategy: "lie 5%", verification: policies.default, certified: true });
    expect(found).toMatchObject({ firstWrong: 0, finalWrong: 0, honestBanned: 0 });
    expect(found.saboteursBanned).toBeGreaterThan(0);
    expect(found.audits).toBe(0);
  });

  it("is the same for the same seed", () => {
    const cell = { ...short, grains: 300_000, strategy: "lie 10%", verification: policies.default } as const;
    expect(runCell(cell)).toEqual(runCell(cell));
  });
});
