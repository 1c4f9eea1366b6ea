import { expect, test } from "vitest";
import { identityOfSeed, portOf } from "./identity.ts";
import { hex, identityOfText, identityText } from "./identity-file.ts";
import { makeSeed } from "./plain-crypto.ts";

test("a portable identity comes out of its file as it went in", async () => {
  const identity = await identityOfSeed(makeSeed());
  const brought = await identityOfText(identityText(identity));
  expect(brought.publicKey).toEqual(identity.publicKey);
  const bytes = Uint8Array.of(1, 2, 3);
  // Ed25519 signatures are deterministic.
  expect(await portOf(brought).sign(bytes)).toEqual(await portOf(identity).sign(bytes));
});

test("an identity that is not portable cannot be saved", async () => {
  const { portable: _, ...fixed } = await identityOfSeed(makeSeed());
  expect(() => identityText(fixed)).toThrow("not portable");
});

test("what is no such file, or a damaged one, is refused with a reason", async () => {
  const text = identityText(await identityOfSeed(makeSeed()));
  const file = JSON.parse(text);
  const other = await identityOfSeed(makeSeed());
  const refused: [string, RegExp][] = [
    ["", /no identity/],
    ["{", /no identity/],
    ["null", /no identity/],
    [" ".repeat(5_000) + text, /no identity/],
    [JSON.stringify({ ...file, kind: "else" }), /no identity/],
    [JSON.stringify({ ...file, version: 2 }), /newer/],
    [JSON.stringify({ ...file, privateKey: "00" }), /private key is damaged/],
    [JSON.stringify({ ...file, publicKey: hex(other.publicKey) }), /do not belong together/],
  ];
  for (const [broken, reason] of refused) await expect(identityOfText(broken)).rejects.toThrow(reason);
});
