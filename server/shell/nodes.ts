/** What the record knows of identities, and which of it is due to be written. */
import type { CoreState } from "../core/state.ts";
import type { NodeRecord, Write } from "../store/store.ts";
import { nodeRecord } from "../views.ts";

/** Figures of a node are written this often while they change; results themselves are always on record. */
const everyTicks = 10;

export class Nodes {
  readonly #records = new Map<string, NodeRecord>();
  #tick = 0;

  load(records: readonly NodeRecord[]): void {
    this.#records.clear();
    for (const record of records) this.#records.set(record.id, record);
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
    }
    return record;
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
