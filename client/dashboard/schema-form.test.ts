import { describe, expect, test } from "vitest";
import * as z from "zod";
import { fieldKey, fieldsOf, readPath, switchVariant, variantOf, writePath } from "./schema-form.ts";

const schema = z.toJSONSchema(
  z.object({
    iterations: z.number().int().min(1).max(1e9).describe("How many paths."),
    target: z.string().max(64).optional(),
    greedy: z.boolean().default(false),
    mode: z.enum(["fast", "exact"]).default("fast"),
    tags: z.array(z.string()).optional(),
    model: z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("pi") }),
      z.object({ kind: z.literal("european"), spot: z.number().positive(), strike: z.number() }),
    ]),
    seed: z.union([z.number(), z.null()]),
  }),
  { io: "input" },
);

describe("fieldsOf", () => {
  const fields = new Map(fieldsOf(schema).map((field) => [field.path.join("."), field]));
  test("scalars carry limits, help and whether they are required", () => {
    expect(fields.get("iterations")).toMatchObject({
      kind: "number",
      integer: true,
      min: 1,
      max: 1e9,
      required: true,
      help: "How many paths.",
    });
    expect(fields.get("target")).toMatchObject({ kind: "text", maxLength: 64, required: false });
    expect(fields.get("greedy")).toMatchObject({ kind: "switch", default: false, required: false });
    expect(fields.get("mode")).toMatchObject({ kind: "choice", options: ["fast", "exact"] });
  });
  test("what a form cannot show well is JSON; a nullable value is its other type", () => {
    expect(fields.get("tags")?.kind).toBe("json");
    expect(fields.get("seed")?.kind).toBe("number");
  });
  test("a union of objects becomes variants told apart by their constants", () => {
    const model = fields.get("model");
    if (model?.kind !== "variants") throw new Error("expected variants");
    expect(model.variants.map((variant) => variant.label)).toEqual(["pi", "european"]);
    expect(variantOf(model.variants, { kind: "european", spot: 1 })).toBe(1);
    expect(switchVariant(model.variants[1]!, { kind: "pi", spot: 4, other: 1 })).toEqual({ kind: "european", spot: 4 });
  });
  test("references are followed", () => {
    const [field] = fieldsOf({
      type: "object",
      properties: { a: { $ref: "#/$defs/size" } },
      $defs: { size: { type: "integer", minimum: 2 } },
    });
    expect(field).toMatchObject({ kind: "number", min: 2, path: ["a"] });
  });
  test("an unknown schema is one JSON field", () => {
    expect(fieldsOf(null)).toMatchObject([{ kind: "json", path: [] }]);
  });
});

test("paths are written without touching the original", () => {
  const before = { a: { b: 1 }, c: 2 };
  expect(writePath(before, ["a", "b"], 5)).toEqual({ a: { b: 5 }, c: 2 });
  expect(writePath(before, ["a", "b"], undefined)).toEqual({ a: {}, c: 2 });
  expect(before).toEqual({ a: { b: 1 }, c: 2 });
  expect(readPath(before, ["a", "b"])).toBe(1);
  expect(readPath(before, ["x", "y"])).toBeUndefined();
});

test("problem fields name the same field however they are written", () => {
  for (const name of ["payload.model.spot", "/payload/model/spot", "model.spot", "body.payload.model.spot"]) {
    expect(fieldKey(name)).toBe("model.spot");
  }
  expect(fieldKey("payload.rows[2].x")).toBe("rows.2.x");
});
