import { describe, expect, it } from "vitest";
import * as z from "zod";
import { workloads } from "../../kernels/workloads.ts";
import { UsageError } from "./exits.ts";
import { fieldsOf, fieldValue, withFields } from "./schema.ts";

const schema = z.toJSONSchema(
  z.strictObject({
    iterations: z.number().int().describe("Paths."),
    seed: z.union([z.number(), z.string()]).optional(),
    model: z.enum(["pi", "option"]).optional(),
    level: z.literal([1, 2]).optional(),
    exact: z.boolean().default(false),
    sizes: z.array(z.number()).optional(),
    names: z.array(z.string()).optional(),
    coinbase: z.strictObject({ prefix: z.string(), bytes: z.number().int() }).optional(),
    anything: z.unknown().optional(),
    shape: z
      .union([z.object({ kind: z.literal("a"), r: z.number() }), z.object({ kind: z.literal("b"), s: z.string() })])
      .optional(),
  }),
  { io: "input" },
);
const fields = fieldsOf(schema);
const payloadOf = (...pairs: [string, string | null][]) =>
  withFields(
    {},
    pairs.map(([name, text]) => ({ name, text })),
    fields,
  );
const complaint = (...pairs: [string, string | null][]): string => {
  try {
    payloadOf(...pairs);
  } catch (error) {
    if (error instanceof UsageError) return error.message;
    throw error;
  }
  throw new Error("it was taken");
};

describe("fields", () => {
  it("are those of the schema, with what is within objects", () => {
    const names = ["iterations", "seed", "model", "level", "exact", "sizes", "names", "coinbase", "coinbase.prefix"];
    expect(fields.map(({ name }) => name)).toEqual([
      ...names,
      ...["coinbase.bytes", "anything", "shape", "shape.kind", "shape.r", "shape.s"],
    ]);
    expect(fields.find(({ name }) => name === "iterations")).toMatchObject({ required: true, help: "Paths." });
    expect(fields.find(({ name }) => name === "exact")?.required).toBe(false);
  });
  it("take what their kind takes", () => {
    expect(
      payloadOf(
        ["iterations", "1e7"],
        ["model", "pi"],
        ["level", "2"],
        ["exact", null],
        ["sizes", "[1, 2]"],
        ["coinbase.prefix", "00"],
        ["coinbase.bytes", "4"],
        ["anything", "[true]"],
        ["shape.kind", "a"],
        ["shape.r", "-0.5"],
      ),
    ).toEqual({
      iterations: 10_000_000,
      model: "pi",
      level: 2,
      exact: true,
      sizes: [1, 2],
      coinbase: { prefix: "00", bytes: 4 },
      anything: [true],
      shape: { kind: "a", r: -0.5 },
    });
    expect(payloadOf(["exact", "false"])).toEqual({ exact: false });
    expect(payloadOf(["anything", "not JSON"])).toEqual({ anything: "not JSON" });
  });
  it("keep whole numbers that a double cannot", () => {
    expect(payloadOf(["seed", "18446744073709551615"])).toEqual({ seed: "18446744073709551615" });
    expect(payloadOf(["seed", "7"])).toEqual({ seed: 7 });
    expect(payloadOf(["seed", "seven"])).toEqual({ seed: "seven" });
  });
  it("gather lists, one element at a time", () => {
    expect(payloadOf(["names", "a"], ["names", "b"], ["names", '["c"]'])).toEqual({ names: ["a", "b", "c"] });
  });
  it("go over a payload that is there, and leave it as it was", () => {
    const before = { iterations: 1, coinbase: { prefix: "00" } };
    const texts = [{ name: "coinbase.bytes", text: "4" }];
    expect(withFields(before, texts, fields)).toEqual({ iterations: 1, coinbase: { prefix: "00", bytes: 4 } });
    expect(before).toEqual({ iterations: 1, coinbase: { prefix: "00" } });
    expect(() => withFields([1], texts, fields)).toThrow("an object");
  });
  it("are refused by name, with what they take", () => {
    expect(complaint(["itterations", "1"])).toContain("Did you mean --iterations?");
    expect(complaint(["xyz", "1"])).toContain("There are --iterations, --seed");
    expect(complaint(["iterations", "ten"])).toBe('--iterations: "ten" is none. Give a whole number.');
    expect(complaint(["iterations", "1.5"])).toContain("a whole number");
    expect(complaint(["iterations", null])).toContain("It has no value. Give a whole number.");
    expect(complaint(["model", "pie"])).toContain("Give pi or option.");
    expect(complaint(["iterations", "1"], ["iterations", "2"])).toContain("given twice");
    expect(complaint(["__proto__.x", "1"])).toContain("no field");
  });
});

describe("every workload of the registry", () => {
  for (const workload of workloads.values()) {
    it(`${workload.type}: its examples can be written as fields`, () => {
      const known = fieldsOf(z.toJSONSchema(workload.payload, { io: "input", unrepresentable: "any" }));
      for (const { payload } of workload.examples) {
        const texts = leaves(payload as Record<string, unknown>);
        expect(withFields({}, texts, known)).toEqual(payload);
      }
    });
  }
});

function leaves(value: Record<string, unknown>, prefix = ""): { name: string; text: string }[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? leaves(inner as Record<string, unknown>, `${prefix}${key}.`)
      : [{ name: prefix + key, text: typeof inner === "string" ? inner : JSON.stringify(inner) }],
  );
}

it("a switch without text is no value of what is none", () => {
  const field = { name: "x", kinds: ["string"], options: null, required: false, help: "" } as const;
  expect(() => fieldValue(field, null)).toThrow("Give a text.");
});
