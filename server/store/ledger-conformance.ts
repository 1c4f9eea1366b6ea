/** What the ledger of every store does, whatever it is made of. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Opened } from "./conformance.ts";
import { aJob, aNode, aResult, errorCode, insertJob } from "./fixtures.ts";
import type { Posting, ReceiptRecord } from "./ledger.ts";
import type { Snapshot, Store, Write } from "./store.ts";

const aPosting = (change: Partial<Posting> & { work: number }): Posting => ({
  kind: "grant",
  volunteer: "v",
  job: "j",
  purpose: "result",
  coreSeconds: 10,
  atMs: 1_000,
  dueMs: 2_000,
  ...change,
});
const post = (change: Partial<Posting> & { work: number }): Write => ({
  type: "posting.insert",
  posting: aPosting(change),
});

const aReceipt = (change: Partial<ReceiptRecord> & { sequence: number }): ReceiptRecord => ({
  job: "j",
  revision: 0,
  final: false,
  hash: `h${change.sequence}`,
  previous: change.sequence === 1 ? null : `h${change.sequence - 1}`,
  statement: '{"é":1}',
  signature: Uint8Array.of(0, 255),
  ranges: "[]",
  rangesBlob: null,
  issuedAtMs: 5,
  ...change,
});
const append = (change: Partial<ReceiptRecord> & { sequence: number }): Write => ({
  type: "receipt.append",
  receipt: aReceipt(change),
});

export function ledgerConformance(name: string, make: () => Promise<Opened>): void {
  describe(`${name} ledger`, () => {
    let opened: Opened;
    let store: Store;
    let snapshot: Snapshot;
    const reopen = async (): Promise<Snapshot> => {
      await store.close();
      store = opened.again();
      return store.open("c1");
    };

    beforeEach(async () => {
      opened = await make();
      store = opened.store;
      snapshot = await store.open("c1");
      await store.commit(insertJob(aJob({ id: "j" }), snapshot.epoch));
    });
    afterEach(async () => {
      await store.close();
      await opened.remove();
    });

    it("counts a posting once, however often and in however many lives it is written", async () => {
      await store.commit([post({ work: 7 }), post({ work: 7 })]);
      await store.commit([post({ work: 7, coreSeconds: 99 })]);
      await reopen();
      await store.commit([post({ work: 7 })]);
      expect(await store.ledger.creditSums(0, 2_000)).toEqual([{ volunteer: "v", coreSeconds: 10, postings: 1 }]);
    });

    it("sums by volunteer what fell due in some time", async () => {
      await store.commit([
        post({ work: 1, dueMs: 1_000 }),
        post({ work: 2, dueMs: 2_000, coreSeconds: 5.5 }),
        post({ work: 3, dueMs: 2_000, volunteer: "w", coreSeconds: 1 }),
        post({ work: 4, dueMs: 3_000 }),
      ]);
      const sums = await store.ledger.creditSums(1_000, 2_000);
      expect(sums.sort((a, b) => (a.volunteer < b.volunteer ? -1 : 1))).toEqual([
        { volunteer: "v", coreSeconds: 5.5, postings: 1 },
        { volunteer: "w", coreSeconds: 1, postings: 1 },
      ]);
      expect(await store.ledger.creditSums(3_000, 9_000)).toEqual([]);
    });

    it("takes back what was granted, once, not before it was due, and nothing else", async () => {
      await store.commit([post({ work: 1, dueMs: 8_000 }), post({ work: 2 })]);
      const retract = (work: number): Write => ({ type: "posting.retract", work, atMs: 1_500, dueMs: 5_000 });
      await store.commit([retract(1), retract(2), retract(2), retract(3)]);
      await reopen();
      await store.commit([retract(1)]);
      expect(await store.ledger.creditSums(0, 7_000)).toEqual([{ volunteer: "v", coreSeconds: 0, postings: 2 }]);
      expect(await store.ledger.creditSums(7_000, 8_000)).toEqual([{ volunteer: "v", coreSeconds: 0, postings: 2 }]);
      expect(await store.ledger.postings("v", 8_000, 10)).toMatchObject([
        { work: 1, dueMs: 8_000 },
        { work: 1, dueMs: 8_000 },
        { work: 2, kind: "retract", coreSeconds: -10, atMs: 1_500, dueMs: 5_000 },
        { work: 2, kind: "grant", coreSeconds: 10 },
      ]);
    });

    it("shows a volunteer's postings newest first, those that are due, up to a limit", async () => {
      const kept = aPosting({ work: 3, purpose: "audit", coreSeconds: 0.1, dueMs: 3_000 });
      await store.commit([
        post({ work: 1 }),
        post(kept),
        post({ work: 4, dueMs: 4_000 }),
        post({ work: 5, volunteer: "w" }),
      ]);
      expect((await store.ledger.postings("v", 3_000, 10)).map(({ work }) => work)).toEqual([3, 1]);
      expect(await store.ledger.postings("v", 3_000, 1)).toEqual([kept]);
      expect(await store.ledger.postings("nobody", 3_000, 1)).toEqual([]);
      await expect(store.ledger.postings("v", 3_000, 0)).rejects.toThrow(RangeError);
      await expect(store.ledger.postings("v", 3_000, 10_001)).rejects.toThrow(RangeError);
    });

    it("numbers new work above all that is on record", async () => {
      await store.commit([post({ work: 41 })]);
      expect((await reopen()).lastResultId).toBe(41);
    });

    it("takes a posting with the rest of its batch, or not at all", async () => {
      const wrong: Write = { type: "result.verdict", id: 99, standing: "rejected", verdict: "" };
      expect(await errorCode(store.commit([post({ work: 1 }), wrong]))).toBe("refused");
      expect(await errorCode(store.commit([post({ work: 1, job: "none" })]))).toBe("refused");
      await reopen();
      expect(await store.ledger.creditSums(0, 9_000)).toEqual([]);
    });

    it("keeps what volunteers said, and forgets it with their names when asked", async () => {
      const volunteer = { id: "v", team: "Bees", submitter: "key", statedAtMs: 3 };
      const node = aNode({ id: "v", name: "Ada" });
      await store.commit([
        { type: "node.upsert", node },
        { type: "volunteer.upsert", volunteer: { ...volunteer, team: "x" } },
        { type: "volunteer.upsert", volunteer },
        post({ work: 1 }),
      ]);
      expect(await store.ledger.volunteers()).toEqual([volunteer]);
      await store.commit([
        { type: "volunteer.erase", id: "v", statedAtMs: 9 },
        { type: "volunteer.erase", id: "never seen", statedAtMs: 9 },
      ]);
      const after = await reopen();
      expect((await store.ledger.volunteers()).find(({ id }) => id === "v")).toEqual({
        id: "v",
        team: null,
        submitter: null,
        statedAtMs: 9,
      });
      expect(after.nodes).toEqual([{ ...node, name: null }]);
      expect(await store.ledger.nodeKeys(["v", "nobody"])).toEqual([{ id: "v", publicKey: node.publicKey }]);
      expect(await store.ledger.creditSums(0, 9_000)).toHaveLength(1);
    });

    it("keeps who computed grains of a result as well, by round, in order", async () => {
      const audit = (result: number, lo: number) => ({
        result,
        kind: "audit" as const,
        lo,
        hi: lo + 1,
        node: "own",
        own: true,
        verdict: "agrees" as const,
        reason: "",
        atMs: 7,
      });
      const insert = (id: number): Write => ({
        type: "result.insert",
        result: aResult({ id, lo: 10 * id, hi: 10 * id + 10 }),
        partials: Uint8Array.of(id),
        epoch: snapshot.epoch,
      });
      const later = { ...audit(1, 9), kind: "replica", hi: 12, own: false, verdict: "differs", reason: "é" } as const;
      await store.commit([insert(1), insert(2), { type: "audit.insert", audit: audit(2, 21) }]);
      await store.commit([
        { type: "audit.insert", audit: audit(1, 5) },
        { type: "audit.insert", audit: later },
      ]);
      expect(await store.ledger.audits("j", 0)).toEqual([audit(2, 21), audit(1, 5), later]);
      expect(await store.ledger.audits("j", 1)).toEqual([]);
      expect(await errorCode(store.commit([{ type: "audit.insert", audit: audit(3, 30) }]))).toBe("refused");
    });

    it("appends receipts to one chain, and refuses what does not continue it", async () => {
      expect(await store.ledger.lastReceipt()).toBeNull();
      await store.commit([append({ sequence: 1 }), append({ sequence: 2, revision: 1, final: true })]);
      expect(await errorCode(store.commit([append({ sequence: 2, previous: "h1" })]))).toBe("refused");
      expect(await errorCode(store.commit([append({ sequence: 4, previous: "h2" })]))).toBe("refused");
      expect(await errorCode(store.commit([append({ sequence: 3, previous: "h1" })]))).toBe("refused");
      expect(await errorCode(store.commit([append({ sequence: 3, job: "none" })]))).toBe("refused");
      await reopen();
      await store.commit([append({ sequence: 3, ranges: null, rangesBlob: "b" })]);
      expect(await store.ledger.lastReceipt()).toEqual(aReceipt({ sequence: 3, ranges: null, rangesBlob: "b" }));
      expect(await store.ledger.receiptOf("j")).toEqual(aReceipt({ sequence: 3, ranges: null, rangesBlob: "b" }));
      expect(await store.ledger.receiptOf("none")).toBeNull();
      expect(await store.ledger.receipts(1, 1)).toEqual([{ sequence: 2, hash: "h2", previous: "h1", issuedAtMs: 5 }]);
      await expect(store.ledger.receipts(0, 1_001)).rejects.toThrow(RangeError);
    });
  });
}
