/** What the record knows of identities, and which of it is due to be written. */
import type { CoreWrite } from "../core/events.ts";
import type { CoreState } from "../core/state.ts";
import type { NodeRecord, Write } from "../store/store.ts";
import { nodeRecord } from "../views.ts";

/** Figures of a node are written this often while they change; results themselves are always on record. */
const everyTicks = 10;

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
      const next = nodeRecord(node, record.publicKey, record.firstSeenMs);
      this.#records.set(node.id, next);
      writes.push({ type: "node.upsert", node: next });
    }
    return writes;
  }
}
