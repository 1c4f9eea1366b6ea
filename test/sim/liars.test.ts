import { describe, expect, it } from "vitest";
import { World } from "./world.ts";

/**
 * Volunteers that lie in a few grains of a result may pass an audit of one grain: this form of belief takes that
 * into account, and this measures how much of it gets through when a tenth of the nodes lie in 5% of their grains.
 */
describe("liars that lie now and then", () => {
  it("are caught sometimes, and what escapes is measured", () => {
    let wrong = 0;
    let all = 0;
    let rejected = 0;
    let told = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const world = new World({ seed, partly: 0.05, costs: [0.01, 1] });
      world.runUnjudged();
      const escaped = world.client.escaped();
      wrong += escaped.wrong;
      all += escaped.all;
      rejected += world.kinds.get("result rejected") ?? 0;
      told += world.kinds.get("wrong partial") ?? 0;
    }
    console.log(`${told} wrong grains told, ${rejected} results rejected, ${wrong} of ${all} accepted grains wrong`);
    expect(told).toBeGreaterThan(0);
    expect(rejected).toBeGreaterThan(0);
    expect(wrong).toBeLessThan(told);
  });
});
