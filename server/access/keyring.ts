/** API keys: `qk_<id>_<secret>`. The secret is shown once; the record keeps its SHA-256. */
import { randomBytes } from "node:crypto";
import type { KeyView, Scope } from "../../protocol/rest.ts";
import { scopes } from "../../protocol/rest.ts";
import type { KeyRecord } from "../store/store.ts";
import type { Caller } from "./caller.ts";
import { randomSecret, sameDigest, sha256 } from "./secrets.ts";

/** Where keys are kept; `save` resolves once durable. `Grid.keys` is one. */
export interface KeyRecords {
  list(): readonly KeyRecord[];
  save(record: KeyRecord): Promise<void>;
}

const keyForm = /^qk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;
/** Compared against when there is no such key, so that an unknown id takes as long as a wrong secret. */
const nobody = sha256(randomSecret());

interface Entry {
  record: KeyRecord;
  hash: Buffer;
  caller: Caller;
}

/** Keys that may exist at once, revoked ones included. */
export const keysMax = 10_000;

export class Keyring {
  private readonly entries = new Map<string, Entry>();

  constructor(
    private readonly records: KeyRecords,
    private readonly now: () => number,
  ) {
    for (const record of records.list()) this.remember(record);
  }

  get size(): number {
    return this.entries.size;
  }

  /** The key's caller, or null for a wrong, unknown or revoked key. */
  verify(key: string): Caller | null {
    const match = keyForm.exec(key);
    const entry = match?.[1] === undefined ? undefined : this.entries.get(match[1]);
    const right = sameDigest(sha256(match?.[2] ?? ""), entry?.hash ?? nobody);
    return right && entry !== undefined && entry.record.revokedAtMs === null ? entry.caller : null;
  }

  /** The key is good once this resolves. `usual` is what its jobs have where they do not say. */
  async create(
    label: string,
    granted: readonly Scope[],
    usual: Partial<Pick<KeyRecord, "supply" | "region">> = {},
  ): Promise<{ key: string; view: KeyView }> {
    const id = randomBytes(8).toString("hex");
    const secret = randomSecret();
    const record: KeyRecord = {
      id,
      secretHash: sha256(secret).toString("hex"),
      label,
      scopes: scopes.filter((scope) => granted.includes(scope)),
      createdAtMs: this.now(),
      revokedAtMs: null,
      supply: usual.supply ?? null,
      region: usual.region ?? null,
    };
    await this.records.save(record);
    this.remember(record);
    return { key: `qk_${id}_${secret}`, view: viewOf(record) };
  }

  list(): KeyView[] {
    return [...this.entries.values()].map((entry) => viewOf(entry.record));
  }

  /** Refuses the key at once, and for ever once this resolves. Null when there is no such key. */
  async revoke(id: string): Promise<KeyView | null> {
    const entry = this.entries.get(id);
    if (entry === undefined) return null;
    if (entry.record.revokedAtMs !== null) return viewOf(entry.record);
    const revoked = { ...entry.record, revokedAtMs: this.now() };
    this.remember(revoked);
    await this.records.save(revoked);
    return viewOf(revoked);
  }

  private remember(record: KeyRecord): void {
    const granted = scopes.filter((scope) => record.scopes.includes(scope));
    this.entries.set(record.id, {
      record,
      hash: Buffer.from(record.secretHash, "hex"),
      caller: {
        ...{ kind: "key", id: record.id, scopes: granted, expiresAtMs: null },
        ...{ supply: record.supply, region: record.region },
      },
    });
  }
}

const viewOf = (record: KeyRecord): KeyView => ({
  key_id: record.id,
  label: record.label,
  scopes: scopes.filter((scope) => record.scopes.includes(scope)),
  created_at: new Date(record.createdAtMs).toISOString(),
  revoked_at: record.revokedAtMs === null ? null : new Date(record.revokedAtMs).toISOString(),
  supply: record.supply,
  region: record.region,
});
