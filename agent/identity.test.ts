import { createPublicKey, verify } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createIdentity, exportIdentity, identityPort, importIdentity, sha256Hex } from "./identity.ts";

const bytes = new TextEncoder().encode("what is signed");

describe("identity", () => {
  it("signs so that others can verify it, also after export and import", async () => {
    const made = await createIdentity(true);
    const again = await importIdentity(JSON.parse(JSON.stringify(await exportIdentity(made))));
    expect(again.publicKey).toEqual(made.publicKey);
    expect(made.publicKey).toHaveLength(32);
    const x = Buffer.from(made.publicKey).toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    for (const identity of [made, again]) {
      const signature = await identityPort(identity).sign(bytes);
      expect(signature).toHaveLength(64);
      expect(verify(null, bytes, key, signature)).toBe(true);
      expect(verify(null, bytes.subarray(1), key, signature)).toBe(false);
    }
  });
  it("does not let a key go that is not extractable", async () => {
    await expect(exportIdentity(await createIdentity(false))).rejects.toThrow();
  });
  it.each([
    {},
    { kty: "RSA" },
    { kty: "OKP", crv: "X25519", x: "AA", d: "AA" },
    { kty: "OKP", crv: "Ed25519", x: "AA" },
  ])("refuses what is no key: %j", async (jwk) => {
    await expect(importIdentity(jwk)).rejects.toThrow("This is no Ed25519 private key.");
  });
  it("hashes as others do", async () => {
    expect(await sha256Hex(new TextEncoder().encode("abc"))).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});
