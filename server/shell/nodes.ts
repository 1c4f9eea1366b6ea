/** What the record knows of identities, and which of it is due to be written. */
import type { CoreWrite } from "../core/events.ts";
import type { CoreState } from "../core/state.ts";
import { type TrustRecord, trustRecord } from "../core/trust.ts";
import type { NodeRecord, Write } from "../store/store.ts";
import { nodeRecord } from "../views.ts";

/** Figures of a node are written this often while they change; results themselves are always on record. */
const everyTicks = 10;

/** What the record keeps of an identity's trust. */
function trustFields(state: CoreState, id: string): Pick<NodeRecord, "trust" | "taintedAtMs"> {
  const trust = state.trust.get(id);
  return trust
    ? { trust: JSON.stringify(trustRecord(trust)), taintedAtMs: trust.taintedAtMs }
    : { trust: "", taintedAtMs: null };
}

export const trustOfRecord = ({ trust }: NodeRecord): TrustRecord[] => (trust ? [JSON.parse(trust)] : []);

export class Nodes {
  readonly #records = new Map<string, NodeRecord>();
  /** Identities that the record does not know. */
  readonly #unwritten = new Set<string>();
  #tick = 0;

  load(records: readonly NodeRecord[]): void {
    this.#records.clear();
    this.#unwritten.clear();
    for (const record of records) this.#records.set(record.id, record);
  }

  knows(id: string): boolean {
    return this.#records.has(id);
  }

  /** Whether some are on record and not connected. */
  awaits(state: CoreState): boolean {
    for (const id of this.#records.keys()) if (!state.nodes.get(id)?.connection) return true;
    return false;
  }

  /** The name that an identity last gave; undefined for one that was never here. */
  nameOf(id: string): string | null | undefined {
    return this.#records.get(id)?.name;
  }

  /** For an identity whose personal data is to go. */
  forgetName(id: string): void {
    const record = this.#records.get(id);
    if (record) this.#records.set(id, { ...record, name: null });
  }

  history(id: string, publicKey: Uint8Array): { acceptedSlices: number; rejectedSlices: number; coreSeconds: number } {
    let record = this.#records.get(id);
    if (!record) {
      const now = Date.now();
      record = {
        id,
        publicKey: Uint8Array.from(publicKey),
        name: null,
        own: false,
        firstSeenMs: now,
        lastSeenMs: 0,
        acceptedSlices: 0,
        rejectedSlices: 0,
        coreSeconds: 0,
        trust: "",
        taintedAtMs: null,
      };
      this.#records.set(id, record);
      this.#unwritten.add(id);
    }
    return record;
  }

  /** The key of whoever computed is durable with its first result: without it nobody could check the signature. */
  before(write: CoreWrite): Write[] {
    if (write.type !== "result.insert") return [];
    const record = this.#records.get(write.node);
    if (!record || !this.#unwritten.delete(write.node)) return [];
    return [{ type: "node.upsert", node: record }];
  }

  /** Writes for the nodes that were seen since they were last written. */
  due(state: CoreState): Write[] {
    return ++this.#tick % everyTicks === 0 ? this.records(state) : [];
  }

  records(state: CoreState): Write[] {
    const writes: Write[] = [];
    for (const node of state.nodes.values()) {
      const record = this.#records.get(node.id);
      if (!record || record.lastSeenMs === node.lastSeenMs) continue;
      const next = { ...nodeRecord(node, record.publicKey, record.firstSeenMs), ...trustFields(state, node.id) };
      this.#records.set(node.id, next);
      state.changedTrust.delete(node.id);
      writes.push({ type: "node.upsert", node: next });
    }
    return [...writes, ...this.#changedTrust(state)];
  }

  /** What is known of identities that were not seen since. Who has no row yet has no result either. */
  #changedTrust(state: CoreState): Write[] {
    const writes: Write[] = [];
    for (const id of state.changedTrust) {
      const record = this.#records.get(id);
      if (!record || this.#unwritten.has(id)) continue;
      const fields = trustFields(state, id);
      this.#records.set(id, { ...record, ...fields });
      writes.push({ type: "node.trust", id, ...fields });
    }
    state.changedTrust.clear();
    return writes;
  }
}
