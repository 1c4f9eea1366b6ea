import { describe, expect, it } from "vitest";
import type { KeptResult } from "../machine-state.ts";
import type { StoragePort } from "../ports.ts";
import { build, kernel, sha256 } from "./fixtures.ts";

export const keptResult = (seq: number): KeptResult => ({
  seq,
  lease: `lease-${seq}`,
  ticket: "ticket",
  job: "job-1",
  round: 0,
  leaseLo: 0,
  leaseHi: 9,
  lo: 2,
  hi: 4,
  backend: "wasm",
  kernel,
  build,
  partials: Uint8Array.of(1, 0, seq & 0xff, 1, 0, 7),
  computeMs: 12.5,
  root: new Uint8Array(32).fill(seq & 0xff),
  signature: new Uint8Array(64).fill(seq & 0xff),
});

const plain = (results: readonly KeptResult[]) =>
  results.map((result) => ({
    ...result,
    partials: [...result.partials],
    root: [...result.root],
    signature: sha256(String([...result.signature])),
  }));

/** What every place that keeps results must do. `open` opens the same place again. */
export function storageConformance(name: string, open: () => Promise<{ storage: StoragePort; reopen(): StoragePort }>) {
  describe(`storage: ${name}`, () => {
    it("has nothing at first", async () => {
      expect(await (await open()).storage.load()).toEqual([]);
    });
    it("brings back what was kept, in order, byte for byte", async () => {
      const { storage, reopen } = await open();
      await storage.load();
      for (const seq of [10, 2, 300]) await storage.keep(keptResult(seq));
      expect(plain(await reopen().load())).toEqual(plain([2, 10, 300].map(keptResult)));
    });
    it("forgets what it is told to, also what it never had", async () => {
      const { storage, reopen } = await open();
      await storage.load();
      for (const seq of [1, 2, 3]) await storage.keep(keptResult(seq));
      await storage.forget([1, 3, 99]);
      await storage.forget([]);
      expect((await reopen().load()).map((result) => result.seq)).toEqual([2]);
    });
    it("keeps one result of a number, the last", async () => {
      const { storage, reopen } = await open();
      await storage.load();
      await storage.keep({ ...keptResult(1), computeMs: 1 });
      await storage.keep({ ...keptResult(1), computeMs: 2 });
      expect((await reopen().load()).map((result) => result.computeMs)).toEqual([2]);
    });
    it("keeps the order of what it is asked for, without being waited for", async () => {
      const { storage, reopen } = await open();
      await storage.load();
      const all = [storage.keep(keptResult(1)), storage.keep(keptResult(2)), storage.forget([1]), storage.forget([2])];
      await Promise.all([...all, storage.keep(keptResult(2))]);
      expect((await reopen().load()).map((result) => result.seq)).toEqual([2]);
    });
  });
}
