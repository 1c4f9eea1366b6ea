import { describe, expect, it } from "vitest";
import { startMs } from "./fixtures.ts";
import { freshSurvival, survival, watchVolunteers } from "./survival.ts";

const minute = 60_000;
const hour = 60 * minute;

describe("how probable it is that a volunteer stays", () => {
  it("falls with the time ahead, and is certain for none", () => {
    const state = freshSurvival();
    watchVolunteers(state, ["a"], startMs);
    const at = (ms: number) => survival(state, "a", ms, startMs);
    expect(at(0)).toBe(1);
    expect(at(minute)).toBeGreaterThan(at(hour));
    expect(at(hour)).toBeGreaterThan(0);
  });

  it("is learnt for each by itself: who always stayed is believed to stay, who always left is not", () => {
    const state = freshSurvival();
    for (let n = 0; n < 24 * 60; n++) {
      const here = n % 10 < 5 ? ["steady", "fickle"] : ["steady"];
      watchVolunteers(state, here, startMs + n * minute);
    }
    const now = startMs + 24 * hour;
    expect(survival(state, "steady", 10 * minute, now)).toBeGreaterThan(0.95);
    expect(survival(state, "fickle", 10 * minute, now)).toBeLessThan(0.3);
  });

  it("of strangers, it is what all do at this hour of the day", () => {
    const state = freshSurvival();
    for (let day = 0; day < 7; day++) {
      for (let n = 0; n < 24 * 60; n++) {
        // At noon everybody leaves every few minutes; at other times they stay.
        const noon = Math.floor(n / 60) === 12;
        const here = Array.from({ length: 20 }, (_, id) => `v${id}`).filter((_, id) => !noon || (n + id) % 4 !== 0);
        watchVolunteers(state, here, startMs - 12 * hour + (day * 24 * 60 + n) * minute);
      }
    }
    const at = (hourOfDay: number) => survival(state, "new", 10 * minute, startMs + (hourOfDay - 12) * hour);
    expect(at(12)).toBeLessThan(at(3) * 0.7);
  });
});
