/**
 * A browser's identity: an Ed25519 key pair, kept in IndexedDB. By WebCrypto, no script can read its private half. In
 * plain script (over http, and in browsers without Ed25519) it is 32 bytes that scripts of this site can read.
 */
import { createIdentity, identityPort, importIdentity, type StoredIdentity } from "../../agent/identity.ts";
import type { IdentityPort } from "../../agent/ports.ts";
import { inTransaction } from "./idb.ts";

export interface SeedIdentity {
  publicKey: Uint8Array;
  seed: Uint8Array;
}
export type KeptIdentity = (StoredIdentity | SeedIdentity) & {
  /** The private half, as a file that the owner saved or brought holds it: only of portable identities. */
  portable?: Uint8Array;
};

/** The one identity of this browser at this address. */
const key = 0;

export async function loadIdentity(database: IDBDatabase): Promise<IdentityPort> {
  const kept = await keptIdentity(database);
  if (kept) return portOf(kept);
  const made = await makeIdentity();
  await keepIdentity(database, made);
  return portOf(made);
}

export const keptIdentity = (database: IDBDatabase): Promise<KeptIdentity | undefined> =>
  inTransaction(database, "identities", "readonly", (store) => store.get(key) as IDBRequest<KeptIdentity | undefined>);

export async function keepIdentity(database: IDBDatabase, identity: KeptIdentity): Promise<void> {
  await inTransaction(database, "identities", "readwrite", (store) => store.put(identity, key));
}

async function makeIdentity(): Promise<KeptIdentity> {
  try {
    return await createIdentity(false);
  } catch {
    const plain = await import("./plain-crypto.ts");
    const seed = plain.makeSeed();
    return { publicKey: plain.publicKeyOf(seed), seed };
  }
}

/** The identity whose private half is `seed`; by WebCrypto where it can, and not to be read from there again. */
export async function identityOfSeed(seed: Uint8Array): Promise<KeptIdentity> {
  const plain = await import("./plain-crypto.ts");
  const publicKey = plain.publicKeyOf(seed);
  try {
    const jwk = { kty: "OKP", crv: "Ed25519", x: base64url(publicKey), d: base64url(seed) };
    return { ...(await importIdentity(jwk, false)), portable: seed };
  } catch {
    return { publicKey, seed, portable: seed };
  }
}

export function portOf(identity: KeptIdentity): IdentityPort {
  if (!("seed" in identity)) return identityPort(identity);
  const { publicKey, seed } = identity;
  return { publicKey, sign: async (bytes) => (await import("./plain-crypto.ts")).sign(bytes, seed) };
}

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replace(/=+$/, "");
