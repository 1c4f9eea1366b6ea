import { describe, expect, test } from "vitest";
import * as z from "zod";
import { fieldErrors } from "./field-errors.ts";

const schema = z.strictObject({
  inputs: z.union(
    [
      z.strictObject({ count: z.number().int().min(1, "at least 1") }),
      z.strictObject({ blob: z.string(), size: z.number().max(9, "at most 9") }),
    ],
    "one of {count} and {blob, size}",
  ),
  list: z.array(z.number("a number")).optional(),
});
const faults = (value: unknown, prefix = "payload.") =>
  fieldErrors(schema.safeParse(value).error as z.ZodError, prefix).map(({ field, message }) => `${field}: ${message}`);

describe("what is wrong, by field", () => {
  test("of a union: the form that was meant", () => {
    expect(faults({ inputs: { count: 0 } })).toEqual(["payload.inputs.count: at least 1"]);
    expect(faults({ inputs: { blob: "b", size: 10 } })).toEqual(["payload.inputs.size: at most 9"]);
  });

  test("of a union: what it may be, where none was", () => {
    const all = ["payload.inputs: one of {count} and {blob, size}"];
    expect(faults({ inputs: 5 })).toEqual(all);
    expect(faults({ inputs: { range: 5 } })).toEqual(all);
    expect(faults({ inputs: {} })).toEqual(all);
  });

  test("paths as people write them", () => {
    expect(faults({ inputs: { count: 1 }, list: [1, "2"] })).toEqual(["payload.list[1]: a number"]);
    expect(faults({ inputs: { count: 1 }, list: [1, "2"] }, "")).toEqual(["list[1]: a number"]);
    expect(faults(5, "")[0]).toMatch(/^body: /);
  });
});
