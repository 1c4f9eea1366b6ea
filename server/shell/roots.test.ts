import { createHash } from "node:crypto";
import { afterEach, expect, it } from "vitest";
import { resultRoot } from "../../protocol/merkle.ts";
import { packPartials } from "../../protocol/partials.ts";
import { inlineGrainsMax, Roots } from "./roots.ts";

const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const roots = new Roots();
afterEach(() => roots.close());

function claim(grains: number, bytes = 8) {
  const partials = packPartials(Array.from({ length: grains }, (_, index) => new Uint8Array(bytes).fill(index)));
  return { lo: 7, hi: 7 + grains, partials, root: resultRoot(7, partials, sha256) };
}

it.each([
  { grains: 1, bytes: 8 },
  { grains: inlineGrainsMax, bytes: 8 },
  { grains: 10, bytes: 4_000 },
  { grains: 1_024, bytes: 8 },
])("holds $grains grains of $bytes bytes against the root", async ({ grains, bytes }) => {
  const right = claim(grains, bytes);
  expect(await roots.check(right)).toBe(true);
  expect(await roots.check({ ...right, lo: 8, hi: 8 + grains })).toBe(false);
  const changed = Uint8Array.from(right.partials);
  changed[changed.length - 1]! ^= 1;
  expect(await roots.check({ ...right, partials: changed })).toBe(false);
  expect(await roots.check({ ...right, partials: right.partials.subarray(1) })).toBe(false);
  expect(await roots.check({ ...right, root: new Uint8Array(0) })).toBe(false);
  expect(right.partials.length).toBeGreaterThan(0);
});

it("answers in any number, and after its thread has gone", async () => {
  const [right, other] = [claim(100), claim(101)];
  const answers = Array.from({ length: 50 }, (_, index) =>
    roots.check(index % 2 === 0 ? right : { ...right, root: other.root }),
  );
  roots.close();
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 50 }, (_, index) => index % 2 === 0));
  expect(await roots.check(other)).toBe(true);
});
