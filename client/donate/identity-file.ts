/**
 * A portable identity as a file, or on its way to another device by a code. An identity is made non-extractable, so nobody (its owner included) can take it elsewhere;
 * only one that its owner asked to be portable keeps its private half, and can be saved and brought to another browser.
 */
import type { IdentityPort } from "../../agent/ports.ts";
import { callApi } from "../shared/api.ts";
import { sha256Hex } from "./hash.ts";
import { inTransaction, openDatabase } from "./idb.ts";
import { identityOfSeed, type KeptIdentity, keepIdentity, keptIdentity, portOf } from "./identity.ts";
import { linkKeys, makeCode, openSeed, sealSeed } from "./link-code.ts";

const kind = "queztl identity";
const seedBytes = 32;
const textMax = 4_096;

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function identityText(identity: KeptIdentity): string {
  if (!identity.portable) throw new Error("This identity is not portable.");
  const note = "Whoever has this file can compute in your name. Use it in one browser at a time.";
  const { publicKey, portable } = identity;
  return `${JSON.stringify({ kind, version: 1, note, publicKey: hex(publicKey), privateKey: hex(portable) }, null, 2)}\n`;
}

/** Rejects with a sentence for the owner where the text is no such file, or its halves do not belong together. */
export async function identityOfText(text: string): Promise<KeptIdentity> {
  let file: { kind?: unknown; version?: unknown; publicKey?: unknown; privateKey?: unknown } | null = null;
  try {
    file = text.length <= textMax ? JSON.parse(text) : null;
  } catch {
    // Told below.
  }
  if (file?.kind !== kind) throw new Error("This is no identity that Queztl saved.");
  if (file.version !== 1) throw new Error("This identity was saved by a newer Queztl. Reload the page.");
  const { privateKey, publicKey } = file;
  if (typeof privateKey !== "string" || !/^[0-9a-f]{64}$/.test(privateKey))
    throw new Error("The file's private key is damaged.");
  const seed = Uint8Array.from({ length: seedBytes }, (_, at) =>
    Number.parseInt(privateKey.slice(2 * at, 2 * at + 2), 16),
  );
  const identity = await identityOfSeed(seed);
  if (hex(identity.publicKey) !== publicKey)
    throw new Error("The file's two keys do not belong together: it is damaged.");
  return identity;
}

export interface IdentityFacts {
  /** As the coordinator names it: see `volunteerId`. Null before the first donation makes one. */
  id: string | null;
  portable: boolean;
  /** Whether scripts of this site could read the key: over plain http they can. */
  readable: boolean;
  /** Whether the browser promised to keep the storage; null where it does not tell. */
  persisted: boolean | null;
}

/** An identity's name on the grid: the first 16 hex digits of the SHA-256 of its public key. */
export const volunteerId = async (publicKey: Uint8Array): Promise<string> => (await sha256Hex(publicKey)).slice(0, 16);

/** Works on the browser's storage, for the page; not while the tab computes. */
export const browserIdentity = {
  async facts(): Promise<IdentityFacts> {
    const identity = await withDatabase(keptIdentity);
    return {
      id: identity ? await volunteerId(identity.publicKey) : null,
      portable: identity?.portable !== undefined,
      readable: identity !== undefined && "seed" in identity,
      persisted: (await navigator.storage?.persisted?.().catch(() => null)) ?? null,
    };
  },

  /** The file's text, of a portable identity. */
  async save(): Promise<string> {
    const identity = await withDatabase(keptIdentity);
    if (!identity) throw new Error("There is no identity yet.");
    return identityText(identity);
  },

  /** A new identity that can be saved, in place of the present one. */
  async makePortable(): Promise<void> {
    const { makeSeed } = await import("./plain-crypto.ts");
    await replace(await identityOfSeed(makeSeed()));
  },

  async bring(text: string): Promise<void> {
    await replace(await identityOfText(text));
  },

  /** A code that another device types to take over this identity, once, within some minutes. */
  async link(): Promise<{ code: string; endMs: number }> {
    const portable = (await withDatabase(keptIdentity))?.portable;
    if (!portable) throw new Error("This identity is not portable.");
    const code = makeCode();
    const { name, key } = await linkKeys(code);
    const body = { name, sealed: await sealSeed(portable, key) };
    const { expires_at } = await callApi<{ expires_at: string }>("/identity-links", { method: "POST", body });
    return { code, endMs: Date.parse(expires_at) };
  },

  /** Takes over the identity that another device made this code for. */
  async bringByCode(text: string): Promise<void> {
    const { name, key } = await linkKeys(text);
    const { sealed } = await callApi<{ sealed: string }>("/identity-links/take", { method: "POST", body: { name } });
    await replace(await identityOfSeed(await openSeed(sealed, key)));
  },
};

/** The key of this browser's identity, to sign with; rejects where the browser has another identity by now. */
export async function browserIdentityPort(id: string): Promise<IdentityPort> {
  const identity = await withDatabase(keptIdentity);
  if (!identity || (await volunteerId(identity.publicKey)) !== id)
    throw new Error("This browser has another identity by now. Reload the page.");
  return portOf(identity);
}

async function withDatabase<T>(work: (database: IDBDatabase) => Promise<T>): Promise<T> {
  const database = await openDatabase();
  try {
    return await work(database);
  } finally {
    database.close();
  }
}

/** Results of the old identity are of no use to the new one: their signatures are the old one's. */
const replace = (identity: KeptIdentity): Promise<void> =>
  withDatabase(async (database) => {
    await keepIdentity(database, identity);
    await inTransaction(database, "results", "readwrite", (store) => {
      store.clear();
      return null;
    });
  });
