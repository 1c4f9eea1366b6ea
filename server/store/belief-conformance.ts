/** What every store does about belief, whatever it is made of. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Opened } from "./conformance.ts";
import { aJob, aNode, anExtent, aResult, aRound, errorCode, insertJob } from "./fixtures.ts";
import type { ResultRecord, Snapshot, Store, Write } from "./store.ts";

export function beliefConformance(name: string, make: () => Promise<Opened>): void {
  describe(`${name} belief`, () => {
    let opened: Opened;
    let store: Store;
    let snapshot: Snapshot;
    const reopen = async (): Promise<Snapshot> => {
      await store.close();
      store = opened.again();
      return store.open("c1");
    };
    const insert = (id: number, change: Partial<ResultRecord> = {}): Write => ({
      type: "result.insert",
      result: aResult({ id, lo: id, hi: id + 1, node: "liar", ...change }),
      partials: Uint8Array.of(id),
      epoch: snapshot.epoch,
    });
    const complete: Write = { type: "job.update", id: "j", patch: { state: "completed", finishedAtMs: 500 } };
    const again = (round: number, epoch = snapshot.epoch): Write => ({
      type: "job.reopen",
      id: "j",
      round,
      revision: 7,
      owner: "c1",
      epoch,
    });
    const taint = (atMs: number): Write => ({ type: "node.trust", id: "liar", trust: "{}", taintedAtMs: atMs });
    const standings = async (round = 0) =>
      (await store.results("j", round)).map(({ id, standing }) => `${id} ${standing}`);

    beforeEach(async () => {
      opened = await make();
      store = opened.store;
      snapshot = await store.open("c1");
      await store.commit([
        ...insertJob(aJob({ id: "j" }), snapshot.epoch),
        { type: "node.upsert", node: aNode({ id: "liar" }) },
        { type: "node.upsert", node: aNode({ id: "honest" }) },
      ]);
    });
    afterEach(async () => {
      await store.close();
      await opened.remove();
    });

    it("keeps what is known of an identity, and refuses that of one that is not there", async () => {
      await store.commit([{ type: "node.trust", id: "liar", trust: '{"passed":3}', taintedAtMs: 9 }]);
      const found = (await reopen()).nodes.find(({ id }) => id === "liar");
      expect(found).toMatchObject({ trust: '{"passed":3}', taintedAtMs: 9 });
      const nobody: Write = { type: "node.trust", id: "nobody", trust: "{}", taintedAtMs: null };
      expect(await errorCode(store.commit([nobody]))).toBe("refused");
    });

    it("confirms many results at once", async () => {
      await store.commit([1, 2, 3].map((id) => insert(id, { standing: "provisional" })));
      await store.commit([{ type: "results.confirm", ids: [1, 3], verdict: "trust" }]);
      expect(await standings()).toEqual(["1 confirmed", "2 provisional", "3 confirmed"]);
    });

    it("finds the finished jobs that rest on a node's word up to when it was proven wrong", async () => {
      await store.commit([insert(1, { standing: "confirmed", verdict: "trust", atMs: 100 }), complete]);
      expect(await store.tainted()).toEqual([]);
      await store.commit([taint(99)]);
      expect(await store.tainted()).toEqual([]);
      await store.commit([taint(100)]);
      expect(await store.tainted()).toEqual([{ job: "j", round: 0 }]);
      expect((await store.jobAt("j", 0))?.results.map(({ id }) => id)).toEqual([1]);
    });

    it.each<[string, Partial<ResultRecord>]>([
      ["an own node's", { own: true }],
      ["a certificate's", { verdict: "certificate" }],
      ["another's", { node: "honest" }],
      ["one that was rejected", { standing: "rejected" }],
    ])("does not find %s result", async (_, change) => {
      await store.commit([insert(1, { standing: "confirmed", atMs: 100, ...change }), complete, taint(100)]);
      expect(await store.tainted()).toEqual([]);
    });

    it("finds a finished round of an open job, and not its present one", async () => {
      await store.commit([insert(1, { standing: "confirmed", atMs: 100 }), taint(100)]);
      expect(await store.tainted()).toEqual([]);
      await store.commit([
        { type: "round.insert", round: aRound({ job: "j", round: 1 }) },
        { type: "job.update", id: "j", patch: { state: "running", round: 1 } },
      ]);
      expect(await store.tainted()).toEqual([{ job: "j", round: 0 }]);
    });

    it("opens a job again, without what came later", async () => {
      await store.commit([
        insert(1, { standing: "confirmed", node: "honest" }),
        { type: "round.insert", round: aRound({ job: "j", round: 1 }) },
        { type: "extent.claim", extent: anExtent({ job: "j", round: 1, epoch: snapshot.epoch }) },
        insert(2, { standing: "confirmed", node: "honest", round: 1 }),
        { type: "job.update", id: "j", patch: { state: "completed", round: 1, finishedAtMs: 500 } },
      ]);
      expect(await errorCode(store.commit([again(0, snapshot.epoch - 1)]))).toBe("fenced");
      await store.commit([again(0)]);
      expect(await store.job("j")).toMatchObject({ state: "running", round: 0, revision: 7, finishedAtMs: null });
      expect(await standings(1)).toEqual(["2 retracted"]);
      const [open] = (await reopen()).jobs;
      expect(open?.job.round).toBe(0);
      expect(open?.results.map(({ id }) => id)).toEqual([1]);
    });

    it("seals what ended before then, for ever", async () => {
      await store.commit([
        insert(1, { standing: "confirmed", atMs: 100 }),
        insert(2, { standing: "rejected" }),
        complete,
      ]);
      expect(await store.sealable(500, 10)).toEqual([]);
      expect(await store.sealable(501, 10)).toEqual(["j"]);
      await store.commit([{ type: "job.seal", id: "j", atMs: 600 }, taint(100)]);
      expect((await store.job("j"))?.sealedAtMs).toBe(600);
      expect(await standings()).toEqual(["1 sealed", "2 rejected"]);
      expect(await store.sealable(501, 10)).toEqual([]);
      expect(await store.tainted()).toEqual([]);
    });

    it("does not seal a job that was opened again meanwhile", async () => {
      await store.commit([insert(1, { standing: "confirmed", atMs: 100 }), complete]);
      await store.commit([again(0), { type: "job.seal", id: "j", atMs: 600 }]);
      expect(await store.job("j")).toMatchObject({ state: "running", sealedAtMs: null });
      expect(await standings()).toEqual(["1 confirmed"]);
    });
  });
}
