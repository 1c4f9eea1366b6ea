import { describe, expect, it } from "vitest";
import { World } from "../testing/world.ts";
import { History, historyStepMs } from "./history.ts";

const hour = 3_600_000;

describe("the history of arrivals", () => {
  it("has what came in each step, on record over restarts", async () => {
    const history = new History();
    const world = new World({ arrivals: history });
    await world.start();
    world.submit(3_000);
    await world.pass(historyStepMs);
    world.submit(600);
    world.submit(900, { supply: "volunteers" });
    await world.pass(2 * historyStepMs);
    const arrived = history.points().map((point) => Math.round(point.arrived * (historyStepMs / 1000)));
    expect(arrived.slice(0, 2)).toEqual([3_000, 600]);
    expect(history.points()[0]?.needed_rate).toBeGreaterThan(1);
    const again = new History();
    await again.load(world.records);
    expect(again.points()).toEqual(history.points());
  });

  it("a forecast is heard under every policy, and gone by under the predictive one", async () => {
    for (const policy of ["reactive", "predictive"] as const) {
      const history = new History(() => ({ rate: 5, source: "forecast" }));
      const world = new World({ arrivals: history, policy });
      await world.start();
      await world.pass(hour);
      expect(history.points().at(-1)?.expected).toBe(5);
      expect(world.cloud.running().length > 0).toBe(policy === "predictive");
      expect(world.scaler.last?.holds.map(({ code }) => code)).not.toContain("no_forecast");
    }
  });

  it("without one, the predictive policy says that it is reactive", async () => {
    const world = new World({ arrivals: new History(), policy: "predictive" });
    await world.start();
    await world.pass(60_000);
    expect(world.scaler.last?.holds.map(({ code }) => code)).toContain("no_forecast");
  });
});
