import { describe, expect, test } from "vitest";
import {
  formatAge,
  formatCount,
  formatDuration,
  formatFigure,
  formatId,
  formatNumber,
  formatPercent,
  formatSi,
  plural,
  shellQuote,
} from "./format.ts";

describe("format", () => {
  test("counts are grouped and never rounded", () => {
    expect(formatCount(999)).toBe("999");
    expect(formatCount(1234567)).toBe("1\u202f234\u202f567");
    expect(plural(1, "slice")).toBe("1 slice");
    expect(plural(2, "slice")).toBe("2 slices");
  });
  test("long identifiers lose their middle", () => {
    expect(formatId("node-1", 10)).toBe("node-1");
    expect(formatId("queztl-c562fd084bba-1-74d746ac835aa444-3", 16)).toBe("queztl-c…aa444-3");
    expect(formatId("0123456789", 9)).toBe("0123…6789");
  });
  test("numbers keep three digits", () => {
    expect(formatNumber(0)).toBe("0");
    expect(formatNumber(Math.PI)).toBe("3.14");
    expect(formatNumber(-1999.6)).toBe("-2\u202f000");
    expect(formatNumber(Number.NaN)).toBe("–");
    expect(formatNumber(1e-9)).toBe("1.00e-9");
  });
  test("figures of results keep seven digits, and whole numbers all of theirs", () => {
    expect([Math.PI, 0.00010395534268086241, 249561088, -12345, 1e-9 / 3, "x", true].map(formatFigure)).toEqual([
      "3.141593",
      "0.0001039553",
      "249\u202f561\u202f088",
      "-12\u202f345",
      "3.333333e-10",
      "x",
      "true",
    ]);
  });
  test("SI prefixes carry over at the edge", () => {
    expect(formatSi(5_170_000, "H/s")).toBe("5.17 MH/s");
    expect(formatSi(999.6, "H/s")).toBe("1 kH/s");
    expect(formatSi(12, "H/s")).toBe("12 H/s");
  });
  test("100% means all of it", () => {
    expect(formatPercent(1)).toBe("100%");
    expect(formatPercent(0.99999)).toBe("99.9%");
    expect(formatPercent(0.0123)).toBe("1.2%");
    expect(formatPercent(0.5)).toBe("50%");
  });
  test("durations name two units", () => {
    expect(formatDuration(3725)).toBe("1 h 2 min");
    expect(formatDuration(60)).toBe("1 min");
    expect(formatDuration(0.25)).toBe("0.3 s");
    expect(formatDuration(-1)).toBe("–");
    expect(formatAge(0, 4000)).toBe("just now");
    expect(formatAge(0, 61_000)).toBe("1 min 1 s ago");
  });
  test("shell quoting survives quotes", () => {
    expect(shellQuote(`{"a":"it's"}`)).toBe(`'{"a":"it'\\''s"}'`);
  });
});
