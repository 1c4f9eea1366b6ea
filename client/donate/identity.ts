/** A tab's identity: an Ed25519 key pair, kept in IndexedDB, whose private half no script can read. */
import { createIdentity, identityPort, type StoredIdentity } from "../../agent/identity.ts";
import type { IdentityPort } from "../../agent/ports.ts";
import { inTransaction } from "./idb.ts";

/** The lane's identity, made at its first use. */
export async function loadIdentity(database: IDBDatabase, lane: number): Promise<IdentityPort> {
  const stored = await inTransaction(
    database,
    "identities",
    "readonly",
    (store) => store.get(lane) as IDBRequest<StoredIdentity | undefined>,
  );
  if (stored) return identityPort(stored);
  const made = await createIdentity(false).catch((cause: unknown) => {
    const remedy = "Update it: Chrome or Edge 137, Firefox 129, Safari 17 or newer.";
    throw new Error(`This browser cannot make Ed25519 keys. ${remedy}`, { cause });
  });
  await inTransaction(database, "identities", "readwrite", (store) => store.put(made, lane));
  return identityPort(made);
}
