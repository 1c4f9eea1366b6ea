import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { toHex } from "./hex.ts";
import { compress, INITIAL, paddedTail, ROUND_CONSTANTS, wordsOf } from "./sha256.ts";

it("has the standard's constants", () => {
  expect(INITIAL[0]).toBe(0x6a09e667);
  expect([ROUND_CONSTANTS[0], ROUND_CONSTANTS[63]]).toEqual([0x428a2f98, 0xc67178f2]);
});

it.each([0, 1, 55, 56, 63, 64, 119, 120, 300])("hashes %i bytes as the system does", (length) => {
  const message = Uint8Array.from({ length }, (_, index) => index * 7);
  let state: readonly number[] = INITIAL;
  const whole = Math.floor(length / 64) * 64;
  const blocks = new Uint8Array([...message.subarray(0, whole), ...paddedTail(message, whole)]);
  for (let at = 0; at < blocks.length; at += 64) state = compress(state, wordsOf(blocks.slice(at, at + 64)));
  const digest = state.map((word) => word.toString(16).padStart(8, "0")).join("");
  expect(digest).toBe(createHash("sha256").update(message).digest("hex"));
  expect(toHex(message)).toBe(Buffer.from(message).toString("hex"));
});
