/** A node's identity: an Ed25519 key pair in WebCrypto, in Node and in secure browser contexts. */
import type { IdentityPort } from "./ports.ts";

export interface StoredIdentity {
  publicKey: Uint8Array;
  privateKey: CryptoKey;
}

/** Makes a key pair. `extractable` is for the native worker, which keeps it in a file. */
export async function createIdentity(extractable: boolean): Promise<StoredIdentity> {
  const pair = (await crypto.subtle.generateKey({ name: "Ed25519" }, extractable, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
    privateKey: pair.privateKey,
  };
}

export function identityPort({ publicKey, privateKey }: StoredIdentity): IdentityPort {
  return {
    publicKey,
    sign: async (bytes) =>
      new Uint8Array(await crypto.subtle.sign({ name: "Ed25519" }, privateKey, bytes as Uint8Array<ArrayBuffer>)),
  };
}

/** As JSON Web Key, which holds both halves. */
export async function exportIdentity(identity: StoredIdentity): Promise<JsonWebKey> {
  return crypto.subtle.exportKey("jwk", identity.privateKey);
}

/** Throws when the text is no Ed25519 private key. */
export async function importIdentity(jwk: JsonWebKey, extractable = true): Promise<StoredIdentity> {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519" || !jwk.x || !jwk.d)
    throw new Error("This is no Ed25519 private key.");
  const privateKey = await crypto.subtle.importKey("jwk", jwk, { name: "Ed25519" }, extractable, ["sign"]);
  const text = atob(jwk.x.replaceAll("-", "+").replaceAll("_", "/"));
  return { publicKey: Uint8Array.from(text, (character) => character.charCodeAt(0)), privateKey };
}

/** SHA-256 in hex, by WebCrypto. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
