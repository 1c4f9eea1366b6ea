/** The ledger in memory, with the semantics of `sqlite-ledger.ts`. */
import {
  type AuditRecord,
  assertLimit,
  type CreditSum,
  type LedgerReader,
  type LedgerWrite,
  type Posting,
  postingsMax,
  type ReceiptRecord,
  receiptsMax,
  type VolunteerRecord,
} from "./ledger.ts";
import { type NodeRecord, StoreError } from "./store.ts";

type Undo = () => void;

export class MemoryLedger {
  /** By work and kind. */
  readonly postings = new Map<string, Posting>();
  readonly volunteers = new Map<string, VolunteerRecord>();
  readonly receipts: ReceiptRecord[] = [];
  /** In order of arrival. */
  readonly audits: AuditRecord[] = [];

  /** Changes the ledger and says how to take it back. Throws StoreError, having changed nothing. */
  apply(write: LedgerWrite, nodes: Map<string, NodeRecord>): Undo {
    switch (write.type) {
      case "posting.insert":
        return this.#post(write.posting);
      case "posting.retract": {
        const grant = this.postings.get(`${write.work}/grant`);
        if (!grant) return () => {};
        const dueMs = Math.max(grant.dueMs, write.dueMs);
        return this.#post({ ...grant, kind: "retract", coreSeconds: -grant.coreSeconds, atMs: write.atMs, dueMs });
      }
      case "volunteer.upsert":
        return put(this.volunteers, write.volunteer.id, write.volunteer);
      case "volunteer.erase": {
        const { id, statedAtMs } = write;
        const node = nodes.get(id);
        const undo = put(this.volunteers, id, { id, team: null, submitter: null, statedAtMs });
        const undoName = node ? put(nodes, id, { ...node, name: null }) : () => {};
        return () => {
          undo();
          undoName();
        };
      }
      case "receipt.append":
        return this.#append(write.receipt);
      case "audit.insert":
        this.audits.push(write.audit);
        return () => this.audits.pop();
    }
  }

  #post(posting: Posting): Undo {
    const key = `${posting.work}/${posting.kind}`;
    if (this.postings.has(key)) return () => {};
    this.postings.set(key, posting);
    return () => this.postings.delete(key);
  }

  #append(receipt: ReceiptRecord): Undo {
    const last = this.receipts.at(-1);
    const sequence = (last?.sequence ?? 0) + 1;
    if (receipt.sequence !== sequence || receipt.previous !== (last?.hash ?? null)) {
      const text = `Receipt ${receipt.sequence} does not continue the chain, whose next is ${sequence}.`;
      throw new StoreError("refused", text);
    }
    this.receipts.push(receipt);
    return () => this.receipts.pop();
  }

  creditSums(afterMs: number, untilMs: number): CreditSum[] {
    const sums = new Map<string, CreditSum>();
    for (const { volunteer, coreSeconds, dueMs } of this.postings.values()) {
      if (dueMs <= afterMs || dueMs > untilMs) continue;
      const sum = sums.get(volunteer) ?? { volunteer, coreSeconds: 0, postings: 0 };
      sums.set(volunteer, {
        volunteer,
        coreSeconds: sum.coreSeconds + coreSeconds,
        postings: sum.postings + 1,
      });
    }
    return [...sums.values()];
  }

  postingsOf(volunteer: string, untilMs: number, limit: number): Posting[] {
    assertLimit(limit, postingsMax);
    return [...this.postings.values()]
      .filter((posting) => posting.volunteer === volunteer && posting.dueMs <= untilMs)
      .sort((a, b) => b.dueMs - a.dueMs || b.work - a.work)
      .slice(0, limit);
  }

  chain(after: number, limit: number): Awaited<ReturnType<LedgerReader["receipts"]>> {
    assertLimit(limit, receiptsMax);
    const found = this.receipts.filter(({ sequence }) => sequence > after).slice(0, limit);
    return found.map(({ sequence, hash, previous, issuedAtMs }) => ({ sequence, hash, previous, issuedAtMs }));
  }
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): Undo {
  const before = map.get(key);
  map.set(key, value);
  return () => {
    if (before === undefined) map.delete(key);
    else map.set(key, before);
  };
}
