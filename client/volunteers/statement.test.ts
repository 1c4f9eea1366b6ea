import { ed25519 } from "@noble/curves/ed25519.js";
import { expect, it } from "vitest";
import { volunteerStatementSchema } from "../../protocol/ledger.ts";
import { makeSeed, publicKeyOf, sign } from "../donate/plain-crypto.ts";
import { signStatement } from "./statement.ts";

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from({ length: hex.length / 2 }, (_, at) => Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16));

it("signs the text that it sends, in the coordinator's form", async () => {
  const seed = makeSeed();
  const identity = { publicKey: publicKeyOf(seed), sign: async (bytes: Uint8Array) => sign(bytes, seed) };
  const saying = { action: "profile", team: "Bees", submitter: null } as const;
  const body = await signStatement(identity, "0123456789abcdef", saying, Date.UTC(2026, 0, 2));
  expect(volunteerStatementSchema.parse(JSON.parse(body.statement))).toEqual({
    ...saying,
    volunteer: "0123456789abcdef",
    issued_at: "2026-01-02T00:00:00.000Z",
  });
  const text = new TextEncoder().encode(`queztl.volunteer.v1\n${body.statement}`);
  expect(ed25519.verify(bytesOf(body.signature), text, bytesOf(body.public_key))).toBe(true);
});
