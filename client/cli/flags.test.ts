import { describe, expect, it } from "vitest";
import { UsageError } from "./exits.ts";
import { commonFlags, integerFlag, nearest, parseFlags } from "./flags.ts";

const known = { ...commonFlags, priority: { value: "N", help: "" }, wait: { help: "" } };
const parse = (line: string, withFields = false) => parseFlags(line.split(" "), known, withFields);
const complaint = (call: () => unknown): string => {
  try {
    call();
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("it was taken");
};

describe("a command line", () => {
  it("has words and flags in any order, values after a space or =", () => {
    const { words, flags } = parse("sum --priority 8 {} --url=http://a?b=c --wait");
    expect(words).toEqual(["sum", "{}"]);
    expect([...flags]).toEqual([
      ["priority", "8"],
      ["url", "http://a?b=c"],
      ["wait", ""],
    ]);
  });

  it("has fields of the payload beside them, where those are taken", () => {
    const { words, flags, fields } = parse(
      "sum --rate -0.5 --echo --priority 8 --payload.url x --coinbase.prefix=--00 -",
      true,
    );
    expect(words).toEqual(["sum", "-"]);
    expect([...flags.keys()]).toEqual(["priority"]);
    expect(fields).toEqual([
      { name: "rate", text: "-0.5" },
      { name: "echo", text: null },
      { name: "url", text: "x" },
      { name: "coinbase.prefix", text: "--00" },
    ]);
  });

  it("is refused with the flag's name and a remedy", () => {
    expect(complaint(() => parse("--prioriti 8"))).toBe("There is no flag --prioriti. Did you mean --priority?");
    expect(complaint(() => parse("--nonsense 8"))).toContain("There are --url, --key-file");
    expect(complaint(() => parse("--priority"))).toBe("--priority needs a value. Write --priority N.");
    expect(complaint(() => parse("--priority --wait"))).toContain("--priority needs a value");
    expect(complaint(() => parse("--wait=yes"))).toContain("--wait takes no value");
    expect(complaint(() => parse("--wait --wait"))).toContain("given twice");
    expect(complaint(() => parse("--toString 1"))).toContain("no flag --toString");
    expect(complaint(() => parse(Array(1_001).fill("--a=1").join(" "), true))).toContain("more than 1000 fields");
  });

  it("has whole numbers within bounds", () => {
    const flags = new Map([
      ["ok", "7"],
      ["half", "7.5"],
      ["much", "11"],
      ["empty", " "],
    ]);
    expect(integerFlag(flags, "ok", 1, 10)).toBe(7);
    expect(integerFlag(flags, "none", 1, 10)).toBeUndefined();
    for (const name of ["half", "much", "empty"]) {
      expect(complaint(() => integerFlag(flags, name, 1, 10))).toContain("whole number from 1 to 10");
    }
  });
});

it("the nearest name is one that was probably meant", () => {
  expect(nearest("iterashuns", ["iterations", "samples"])).toBe("iterations");
  expect(nearest("Wach", ["watch", "cancel"])).toBe("watch");
  expect(nearest("xyz", ["watch", "cancel"])).toBeNull();
  expect(nearest("x".repeat(10_000), ["x".repeat(10_001)])).toBeNull();
});
