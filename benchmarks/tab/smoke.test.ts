/** The benchmark of the tab measures a real one, and says what is short; speeds are no matter here. */
import { expect, it } from "vitest";
import { report, told, verdictOf } from "./report.ts";
import { measureFirstVisit, quickPlan } from "./suite.ts";

it("measures a first visit: what was transferred, and how long the first slice took", { timeout: 90_000 }, async () => {
  const rows = await measureFirstVisit(quickPlan);
  const figure = (part: string): number => rows.find(({ what }) => what.includes(part))?.value ?? Number.NaN;
  expect(figure("from address")).toBeGreaterThan(figure("from click"));
  expect(figure("page")).toBeGreaterThan(20);
  expect(figure("kernels")).toBeGreaterThan(0);
  expect(report(rows).split("\n")).toHaveLength(rows.length + 2);
});

it("says by how much a figure is short, in either direction", () => {
  const row = { what: "", unit: "s" as const };
  expect(verdictOf({ ...row, value: 1, target: 1 })).toBe("met");
  expect(verdictOf({ ...row, value: 3, target: 1 })).toBe("short by 2 s");
  expect(verdictOf({ ...row, value: 0.9, unit: "share", target: 0.8, least: true })).toBe("met");
  expect(verdictOf({ ...row, value: 0.6, unit: "share", target: 0.8, least: true })).toBe("short by 20 %");
  expect(verdictOf({ ...row, value: 7, target: null })).toBe("");
  expect([told(0.012, "share"), told(123.456, "ms"), told(1.23456, "s")]).toEqual(["1.2 %", "123 ms", "1.23 s"]);
});
