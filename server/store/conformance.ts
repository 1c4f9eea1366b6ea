/** What every store does, whatever it is made of. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { aJob, aKey, aNode, anExtent, aResult, aRound, errorCode, insertJob, plain } from "./fixtures.ts";
import type { Snapshot, Store, Write } from "./store.ts";

export interface Opened {
  /** Not yet opened, over an empty record. */
  store: Store;
  /** Another adapter over the same record, not yet opened: a restart, or a second coordinator. */
  again(): Store;
  remove(): Promise<void>;
}

export function storeConformance(name: string, make: () => Promise<Opened>): void {
  describe(`${name} store`, () => {
    let opened: Opened;
    let store: Store;
    let snapshot: Snapshot;
    const stores: Store[] = [];

    const again = (): Store => {
      const other = opened.again();
      stores.push(other);
      return other;
    };
    const reopen = async (): Promise<Snapshot> => {
      await store.close();
      store = again();
      return store.open("c1");
    };
    const insert = (id: number, change: Partial<Parameters<typeof aResult>[0]> = {}): Write => ({
      type: "result.insert",
      result: aResult({ id, lo: id, hi: id + 1, ...change }),
      partials: Uint8Array.of(id & 255, 1, 2),
      epoch: snapshot.epoch,
    });

    beforeEach(async () => {
      opened = await make();
      store = opened.store;
      stores.push(store);
      snapshot = await store.open("c1");
    });
    afterEach(async () => {
      for (const each of stores.splice(0)) await each.close();
      await opened.remove();
    });

    it("begins empty, and refuses before it is open and after it is closed", async () => {
      expect(snapshot).toMatchObject({ lastResultId: 0, jobs: [], nodes: [], keys: [] });
      expect(snapshot.counts).toEqual({ queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 });
      expect(await errorCode(again().commit([]))).toBe("refused");
      await store.close();
      expect(await errorCode(store.commit([]))).toBe("refused");
      expect(await errorCode(store.job("j"))).toBe("refused");
    });

    it("keeps documents by room, replaced and removed with the batch they are in or not at all", async () => {
      const document = (room: string, key: string, value: string | null): Write => ({
        type: "document.put",
        room,
        key,
        value,
      });
      await store.commit([document("a", "2", "two"), document("a", "1", "one"), document("b", "1", "other")]);
      const wrong: Write = { type: "result.verdict", id: 999, standing: "confirmed", verdict: "" };
      expect(await errorCode(store.commit([document("a", "1", null), document("a", "2", "lost"), wrong]))).toBe(
        "refused",
      );
      await store.commit([document("a", "1", "ñ"), document("b", "1", null), document("b", "2", null)]);
      await reopen();
      expect(await store.documents("a")).toEqual([
        { key: "1", value: "ñ" },
        { key: "2", value: "two" },
      ]);
      expect(await store.documents("b")).toEqual([]);
    });

    it("gives back what was committed, to the letter", async () => {
      const job = aJob({ id: "j", payload: JSON.stringify({ text: "ñandú \u{1f41d} \u0000 '\"--" }), bodyHash: "h" });
      const round = aRound({ job: "j", input: "blob" });
      const node = aNode({ id: "nø", name: "Zoë's \u{1f4bb}" });
      const key = aKey({ id: "k", label: "λ" });
      await store.commit([
        ...insertJob(job, snapshot.epoch, round),
        insert(1, { computeMs: 12.625, own: true, signature: Uint8Array.of(0, 255, 7), verdict: "—" }),
        { type: "node.upsert", node },
        { type: "key.upsert", key },
      ]);
      const expected = {
        job,
        rounds: [round],
        extents: [anExtent({ job: "j", epoch: snapshot.epoch })],
        results: [
          aResult({
            id: 1,
            lo: 1,
            hi: 2,
            computeMs: 12.625,
            own: true,
            signature: Uint8Array.of(0, 255, 7),
            verdict: "—",
          }),
        ],
      };
      const next = await reopen();
      expected.extents = [anExtent({ job: "j", epoch: next.epoch })];
      expect(plain(next.jobs)).toEqual([expected]);
      expect(plain(next)).toMatchObject({ nodes: [node], keys: [key], lastResultId: 1 });
      expect(await store.job("j")).toEqual(job);
      expect(await store.job("none")).toBeNull();
      expect(await store.rounds("none")).toEqual([]);
      expect(await store.results("none", 0)).toEqual([]);
    });

    it("commits all of a batch or nothing", async () => {
      await store.commit(insertJob(aJob({ id: "j" }), snapshot.epoch));
      const bad: Write[][] = [
        [insert(1), { type: "node.upsert", node: aNode({ id: "n" }) }, insert(1)],
        [
          { type: "job.update", id: "j", patch: { state: "running" } },
          { type: "job.insert", job: aJob({ id: "j" }) },
        ],
        [insert(2), { type: "result.verdict", id: 99, standing: "confirmed", verdict: "" }],
        [insert(3), { type: "job.update", id: "none", patch: { round: 1 } }],
        [insert(4), { type: "round.insert", round: aRound({ job: "none" }) }],
        [insert(5), { type: "round.insert", round: aRound({ job: "j" }) }],
        [insert(6), insert(7, { job: "none" })],
      ];
      for (const batch of bad) expect(await errorCode(store.commit(batch))).toBe("refused");
      const next = await reopen();
      expect(next.jobs[0]).toMatchObject({ job: { state: "queued" }, results: [] });
      expect(next.nodes).toEqual([]);
      snapshot = next;
      await store.commit([insert(1)]);
      expect(await store.results("j", 0)).toHaveLength(1);
    });

    it("changes only what a patch names, and the current round with each new round", async () => {
      const job = aJob({ id: "j" });
      await store.commit(insertJob(job, snapshot.epoch));
      await store.commit([
        { type: "job.update", id: "j", patch: { state: "running", startedAtMs: 5, output: undefined } },
        { type: "job.update", id: "j", patch: {} },
        { type: "round.insert", round: aRound({ job: "j", round: 1, input: "i" }) },
      ]);
      expect(await store.job("j")).toEqual({ ...job, state: "running", startedAtMs: 5, round: 1 });
      const patch = {
        state: "failed",
        finishedAtMs: 9,
        revision: 2,
        reason: { code: "bad", message: 'It\'s "bad".' },
        output: "{}",
        outputBlob: "o",
        stats: "[1]",
      } as const;
      await store.commit([{ type: "job.update", id: "j", patch }]);
      expect(await store.job("j")).toEqual({ ...job, startedAtMs: 5, round: 1, ...patch });
      await store.commit([{ type: "job.update", id: "j", patch: { reason: null } }]);
      expect((await store.job("j"))?.reason).toBeNull();
      expect((await store.rounds("j")).map(({ round }) => round)).toEqual([0, 1]);
    });

    it("fences a coordinator once another has opened the record", async () => {
      await store.commit(insertJob(aJob({ id: "j" }), snapshot.epoch));
      const other = again();
      const theirs = await other.open("c2");
      expect(theirs.epoch).toBe(snapshot.epoch + 1);
      expect(theirs.jobs[0]?.extents).toEqual([anExtent({ job: "j", owner: "c2", epoch: theirs.epoch })]);
      expect(await errorCode(store.commit([insert(1)]))).toBe("fenced");
      expect(await errorCode(store.commit([{ type: "node.upsert", node: aNode({ id: "n" }) }]))).toBe("fenced");
      expect(await errorCode(other.commit([insert(1)]))).toBe("fenced");
      expect(await other.results("j", 0)).toEqual([]);
      snapshot = theirs;
      await other.commit([insert(1)]);
      expect(await store.results("j", 0)).toHaveLength(1);
    });

    it("takes results only for grains whose extents carry the epoch", async () => {
      const { epoch } = snapshot;
      await store.commit(insertJob(aJob({ id: "j" }), epoch));
      const claim = (lo: number, hi: number, under = epoch): Write => ({
        type: "extent.claim",
        extent: anExtent({ job: "j", lo, hi, epoch: under }),
      });
      const wide = (id: number, lo: number, hi: number): Write => insert(id, { lo, hi });
      expect(await errorCode(store.commit([wide(1, 4_095, 4_097)]))).toBe("fenced");
      expect(await errorCode(store.commit([claim(4_096, 5_000, epoch - 1)]))).toBe("fenced");
      expect(await errorCode(store.commit([insert(1, { round: 1 })]))).toBe("fenced");
      // A claim counts for what follows it in the batch.
      await store.commit([wide(1, 4_000, 4_096), claim(4_096, 5_000), wide(2, 4_095, 4_097), claim(6_000, 7_000)]);
      expect(await errorCode(store.commit([wide(3, 4_999, 6_001)]))).toBe("fenced");
      await store.commit([wide(4, 0, 5_000), wide(5, 6_999, 7_000)]);
      expect((await store.results("j", 0)).map(({ id }) => id)).toEqual([1, 2, 4, 5]);
    });

    it("snapshots open jobs only, oldest first, with the results of the current round", async () => {
      const { epoch } = snapshot;
      const states = ["queued", "completed", "running", "failed", "cancelled"] as const;
      for (const [index, state] of states.entries()) {
        await store.commit(insertJob(aJob({ id: `j${index}`, state, createdAtMs: 100 - index }), epoch));
      }
      await store.commit([insert(7, { job: "j2" }), insert(3, { job: "j2" }), insert(5, { job: "j1" })]);
      const before = await reopen();
      expect(before.jobs.map(({ job }) => job.id)).toEqual(["j0", "j2"]);
      expect(before.jobs[1]?.results.map(({ id }) => id)).toEqual([3, 7]);
      expect(before.counts).toEqual({ queued: 1, running: 1, completed: 1, failed: 1, cancelled: 1 });
      expect(before.lastResultId).toBe(7);
      snapshot = before;
      await store.commit([
        { type: "round.insert", round: aRound({ job: "j2", round: 1 }) },
        { type: "extent.claim", extent: anExtent({ job: "j2", round: 1, epoch: before.epoch }) },
        insert(8, { job: "j2", round: 1 }),
      ]);
      const next = await reopen();
      expect(next.jobs[1]?.results.map(({ id }) => id)).toEqual([8]);
      expect(next.jobs[1]?.rounds.map(({ round }) => round)).toEqual([0, 1]);
      expect((await store.results("j2", 0)).map(({ id }) => id)).toEqual([3, 7]);
    });

    it("does not adopt the extents of ended jobs", async () => {
      await store.commit(insertJob(aJob({ id: "j", state: "completed" }), snapshot.epoch));
      snapshot = await reopen();
      expect(await errorCode(store.commit([insert(1)]))).toBe("fenced");
    });

    it("pages through jobs, newest first, with filters", async () => {
      const jobs = Array.from({ length: 25 }, (_, index) =>
        aJob({
          id: `j${index}`,
          submitter: index % 2 ? "odd" : "even",
          workload: index % 3 ? "pi" : "hash",
          state: index % 5 ? "completed" : "queued",
        }),
      );
      await store.commit(jobs.map((job) => ({ type: "job.insert", job })));
      const all = async (filter: { submitter?: string; workload?: string; state?: "queued" }): Promise<string[]> => {
        const ids: string[] = [];
        let cursor: string | undefined;
        for (let page = 0; page < 20; page++) {
          const answer = await store.jobs({ ...filter, cursor, limit: 4 });
          expect(answer.jobs.length).toBeLessThanOrEqual(4);
          ids.push(...answer.jobs.map(({ id }) => id));
          if (answer.nextCursor === null) return ids;
          cursor = answer.nextCursor;
        }
        throw new Error("the pages do not end");
      };
      const expected = (keep: (index: number) => boolean): string[] =>
        jobs.flatMap(({ id }, index) => (keep(index) ? [id] : [])).reverse();
      expect(await all({})).toEqual(expected(() => true));
      expect(await all({ submitter: "odd" })).toEqual(expected((index) => index % 2 === 1));
      expect(await all({ workload: "hash" })).toEqual(expected((index) => index % 3 === 0));
      expect(await all({ state: "queued" })).toEqual(expected((index) => index % 5 === 0));
      expect(await all({ submitter: "even", state: "queued", workload: "pi" })).toEqual(["j20", "j10"]);
      expect(await all({ submitter: "nobody" })).toEqual([]);
      // A page that was full to the last job has no successor, and new jobs do not shift old pages.
      expect((await store.jobs({ limit: 25 })).nextCursor).toBeNull();
      const first = await store.jobs({ limit: 10 });
      await store.commit([{ type: "job.insert", job: aJob({ id: "new" }) }]);
      const second = await store.jobs({ limit: 10, cursor: first.nextCursor as string });
      expect(second.jobs[0]?.id).toBe("j14");
    });

    it("refuses pages and partials beyond their limits", async () => {
      for (const limit of [0, 201, 1.5]) await expect(store.jobs({ limit })).rejects.toBeInstanceOf(RangeError);
      for (const cursor of ["", "12", "j", "j-1", "j1; DROP TABLE jobs"]) {
        await expect(store.jobs({ limit: 1, cursor })).rejects.toBeInstanceOf(RangeError);
      }
      await expect(store.partials([404])).rejects.toBeInstanceOf(RangeError);
      await expect(store.partials(Array.from({ length: 257 }, () => 1))).rejects.toBeInstanceOf(RangeError);
    });

    it("finds a job by its submitter's idempotency key, once", async () => {
      const job = aJob({ id: "a", submitter: "s", idempotencyKey: "key", bodyHash: "h" });
      await store.commit([{ type: "job.insert", job }]);
      expect(await store.jobByIdempotencyKey("s", "key")).toEqual(job);
      expect(await store.jobByIdempotencyKey("t", "key")).toBeNull();
      expect(await store.jobByIdempotencyKey("s", "KEY")).toBeNull();
      expect(await errorCode(store.commit([{ type: "job.insert", job: { ...job, id: "b" } }]))).toBe("refused");
      const others = [
        aJob({ id: "c", submitter: "t", idempotencyKey: "key" }),
        aJob({ id: "d", submitter: "s" }),
        aJob({ id: "e", submitter: "s" }),
      ];
      await store.commit(others.map((other) => ({ type: "job.insert", job: other })));
      expect((await store.jobs({ submitter: "s", limit: 10 })).jobs).toHaveLength(3);
    });

    it("changes a verdict and nothing else", async () => {
      await store.commit([...insertJob(aJob({ id: "j" }), snapshot.epoch), insert(1), insert(2)]);
      await store.commit([{ type: "result.verdict", id: 1, standing: "rejected", verdict: "audit_mismatch" }]);
      expect(plain(await store.results("j", 0))).toEqual([
        aResult({ id: 1, lo: 1, hi: 2, standing: "rejected", verdict: "audit_mismatch" }),
        aResult({ id: 2, lo: 2, hi: 3 }),
      ]);
      expect(plain(await store.partials([1]))).toEqual([Uint8Array.of(1, 1, 2)]);
    });

    it("replaces nodes and keys", async () => {
      const node = aNode({ id: "n" });
      const key = aKey({ id: "k" });
      await store.commit([
        { type: "node.upsert", node },
        { type: "key.upsert", key },
      ]);
      const laterNode = { ...node, name: null, own: true, acceptedSlices: 9, coreSeconds: 0.5 };
      const laterKey = { ...key, revokedAtMs: 77, scopes: [] };
      await store.commit([
        { type: "node.upsert", node: laterNode },
        { type: "key.upsert", key: laterKey },
      ]);
      expect(plain(await reopen())).toMatchObject({ nodes: [laterNode], keys: [laterKey] });
    });

    it("keeps partials of every size, and brings them in the order asked", async () => {
      await store.commit(insertJob(aJob({ id: "j" }), snapshot.epoch));
      const sizes = [0, 1, 1_024, 1_025, 70_000, 4 * 2 ** 20];
      const partials = sizes.map((size, index) => new Uint8Array(size).map((_, at) => (at * 31 + index) & 255));
      await store.commit(
        partials.map(
          (bytes, index) => ({ ...insert(index + 1), partials: bytes }) as Extract<Write, { partials: unknown }>,
        ),
      );
      await store.commit([{ type: "result.verdict", id: 5, standing: "confirmed", verdict: "ok" }]);
      const order = [6, 2, 1, 5, 4, 3, 2];
      const brought = await store.partials(order);
      for (const [at, id] of order.entries()) {
        expect(Buffer.compare(brought[at] as Uint8Array, partials[id - 1] as Uint8Array)).toBe(0);
      }
      expect(await store.partials([])).toEqual([]);
    });

    it("takes a thousand results in one batch, and an empty batch", async () => {
      await store.commit(insertJob(aJob({ id: "j" }), snapshot.epoch));
      await store.commit([]);
      const batch = Array.from({ length: 1_000 }, (_, index) => insert(index + 1));
      await store.commit(batch);
      const next = await reopen();
      expect(next.lastResultId).toBe(1_000);
      expect(next.jobs[0]?.results.map(({ id }) => id)).toEqual(batch.map((_, index) => index + 1));
    });

    it("is not changed by what a caller does to its objects afterwards", async () => {
      const job = aJob({ id: "j" });
      const bytes = Uint8Array.of(1, 2, 3);
      const write = { ...insert(1), partials: bytes } as Write;
      const done = store.commit([...insertJob(job, snapshot.epoch), write]);
      job.state = "failed";
      bytes.fill(9);
      await done;
      expect((await store.job("j"))?.state).toBe("queued");
      expect(plain(await store.partials([1]))).toEqual([Uint8Array.of(1, 2, 3)]);
    });
  });
}
