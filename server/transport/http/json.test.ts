import fc from "fast-check";
import { expect, test } from "vitest";
import { jsonErrorAt, parseJson } from "./json.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("what JSON.parse takes has no fault; what it refuses has one, at or before its end", () => {
  const edited = fc.tuple(
    fc.json(),
    fc.nat(),
    fc.constantFrom("", ",", "{", "]", '"', "\\", "0", "-", "\u0001", "e"),
    fc.boolean(),
  );
  fc.assert(
    fc.property(edited, ([text, at, piece, cut]) => {
      const place = at % (text.length + 1);
      const broken = text.slice(0, place) + piece + (cut ? "" : text.slice(place));
      let takes = true;
      try {
        JSON.parse(broken);
      } catch {
        takes = false;
      }
      // A valid text ends where its value ends: the scanner stops at its length, as it does for a text that ends too early.
      const found = jsonErrorAt(broken);
      if (takes) expect(found).toBe(broken.length);
      else expect(found).toBeLessThanOrEqual(broken.length);
    }),
    { numRuns: 3_000 },
  );
});

test.each([
  ["{,}", 1],
  ['{"a" 1}', 5],
  ["[1,]", 3],
  ["[1 2]", 3],
  ["01", 1],
  ["[}", 1],
  ['["\u0001"]', 2],
  ["nul", 0],
])("the fault of %s is at %i", (text, at) => {
  expect(jsonErrorAt(text)).toBe(at);
});

test("a fault far into a large body is not searched for long", () => {
  const start = performance.now();
  expect(jsonErrorAt("[".repeat(4 << 20))).toBeNull();
  expect(performance.now() - start).toBeLessThan(2_000);
  expect(() => parseJson(bytes("[".repeat(1 << 20)))).toThrow(/far into|too early/);
});
