import { expect, test } from "vitest";
import { labelWords, titlesOf } from "./titles.ts";

test("workloads go by their title, and by their wire name where there is none", () => {
  const titleOf = titlesOf([{ type: "monte_carlo", title: "Monte Carlo simulation" }]);
  expect([titleOf("monte_carlo"), titleOf("image_processing"), titleOf("")]).toEqual([
    "Monte Carlo simulation",
    "Image processing",
    "",
  ]);
});

test("labels are explained", () => {
  expect(labelWords("demo")).toContain("gives way");
  expect(labelWords("x")).toContain("“x”");
});
