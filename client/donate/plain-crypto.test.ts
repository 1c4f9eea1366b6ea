/** Plain script against WebCrypto: what one signs the other verifies, so that the coordinator cannot tell them apart. */
import { afterEach, expect, test, vi } from "vitest";
import { sha256Hex as byWebCrypto } from "../../agent/identity.ts";
import { hasWebCrypto, randomId, sha256Hex } from "./hash.ts";
import { identityOfSeed, portOf } from "./identity.ts";
import { makeSeed, publicKeyOf } from "./plain-crypto.ts";

const { subtle } = crypto;
afterEach(() => vi.unstubAllGlobals());

/** As a page over plain http sees `crypto`. */
const withoutWebCrypto = (): void => {
  vi.stubGlobal("crypto", { getRandomValues: crypto.getRandomValues.bind(crypto) });
};
const verified = async (publicKey: Uint8Array, signature: Uint8Array, bytes: Uint8Array): Promise<boolean> => {
  const key = await subtle.importKey("raw", publicKey as Uint8Array<ArrayBuffer>, { name: "Ed25519" }, true, [
    "verify",
  ]);
  return subtle.verify(
    { name: "Ed25519" },
    key,
    signature as Uint8Array<ArrayBuffer>,
    bytes as Uint8Array<ArrayBuffer>,
  );
};

test("an identity without WebCrypto signs what WebCrypto verifies", async () => {
  const bytes = new TextEncoder().encode("queztl.hello.v1");
  withoutWebCrypto();
  expect(hasWebCrypto()).toBe(false);
  const seed = makeSeed();
  const identity = await identityOfSeed(seed);
  expect("seed" in identity).toBe(true);
  const signature = await portOf(identity).sign(bytes);
  expect(await verified(identity.publicKey, signature, bytes)).toBe(true);
  signature[0]! ^= 1;
  expect(await verified(identity.publicKey, signature, bytes)).toBe(false);
});

test("one seed is one identity, with WebCrypto and without, and WebCrypto does not give it away", async () => {
  const seed = makeSeed();
  const identity = await identityOfSeed(seed);
  if ("seed" in identity) throw new Error("WebCrypto was there");
  expect(identity.publicKey).toEqual(publicKeyOf(seed));
  const bytes = Uint8Array.of(1, 2, 3);
  expect(await verified(identity.publicKey, await portOf(identity).sign(bytes), bytes)).toBe(true);
  await expect(subtle.exportKey("jwk", identity.privateKey)).rejects.toThrow();
});

test("hashes are the same with WebCrypto and without, at the edges of blocks too", async () => {
  for (const length of [0, 1, 55, 56, 63, 64, 65, 4096]) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) & 255);
    const expected = await byWebCrypto(bytes);
    withoutWebCrypto();
    expect(await sha256Hex(bytes)).toBe(expected);
    vi.unstubAllGlobals();
  }
});

test("ids differ, without randomUUID", () => {
  withoutWebCrypto();
  const ids = new Set(Array.from({ length: 100 }, randomId));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
});
