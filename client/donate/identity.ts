/** A node's identity in a browser: an Ed25519 key pair whose private half no script can read. */
import type { IdentityPort } from "../../agent/ports.ts";
import { inTransaction } from "./idb.ts";

export async function loadIdentity(database: IDBDatabase, lane: number): Promise<IdentityPort> {
  const stored = await inTransaction(
    database,
    "identities",
    "readonly",
    (store) => store.get(lane) as IDBRequest<CryptoKeyPair | undefined>,
  );
  const pair = stored ?? (await createIdentity(database, lane));
  const publicKey = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  return {
    publicKey,
    sign: async (bytes) => new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, owned(bytes))),
    sha256Hex,
  };
}

async function createIdentity(database: IDBDatabase, lane: number): Promise<CryptoKeyPair> {
  let pair: CryptoKeyPair;
  try {
    pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
  } catch {
    throw new Error(
      "This browser cannot make Ed25519 keys. Update it: Chrome or Edge 137, Firefox 129, Safari 17 or newer.",
    );
  }
  await inTransaction(database, "identities", "readwrite", (store) => store.put(pair, lane));
  return pair;
}

export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", owned(bytes)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** WebCrypto refuses views of shared memory, which a kernel's memory may be. */
function owned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
}
