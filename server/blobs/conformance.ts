/** What every store of blobs does, whatever it is made of. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Blobs, Stat } from "./blobs.ts";

export interface OpenedBlobs {
  blobs: Blobs;
  remove(): Promise<void>;
}

async function all(pieces: AsyncIterable<Uint8Array> | null): Promise<Uint8Array | null> {
  if (!pieces) return null;
  const chunks: Uint8Array[] = [];
  for await (const piece of pieces) chunks.push(piece);
  return Buffer.concat(chunks);
}

async function* cut(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const patterned = (size: number): Uint8Array => new Uint8Array(size).map((_, at) => (at * 7 + (at >> 8)) & 255);

const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

export function blobsConformance(name: string, make: () => Promise<OpenedBlobs>): void {
  describe(`${name} blobs`, () => {
    let opened: OpenedBlobs;
    let blobs: Blobs;

    beforeEach(async () => {
      opened = await make();
      blobs = opened.blobs;
    });
    afterEach(() => opened.remove());

    it("names bytes by their SHA-256 and gives them back", async () => {
      for (const size of [0, 1, 65_536, 3_000_001]) {
        const bytes = new Uint8Array(size).map((_, at) => (at * 7) & 255);
        const name = await blobs.put(bytes);
        expect(name).toBe(hash(bytes));
        expect(await blobs.has(name)).toBe(true);
        expect(Buffer.compare((await blobs.get(name)) as Uint8Array, bytes)).toBe(0);
      }
      expect(await blobs.put(new TextEncoder().encode("abc"))).toBe(
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      );
    });

    it("knows what it has not got, and takes no name that is no hash", async () => {
      for (const name of ["0".repeat(64), "", "abc", "../../etc/passwd", "A".repeat(64), `${"0".repeat(64)}/..`]) {
        expect(await blobs.has(name)).toBe(false);
        expect(await blobs.get(name)).toBeNull();
      }
    });

    it("takes the same bytes again, and at the same time", async () => {
      const bytes = new Uint8Array(100_000).fill(5);
      const names = await Promise.all(Array.from({ length: 8 }, () => blobs.put(bytes)));
      expect(new Set(names)).toEqual(new Set([hash(bytes)]));
      expect(await blobs.put(bytes)).toBe(names[0]);
      expect(await blobs.get(names[0] as string)).toHaveLength(100_000);
    });

    it("is not changed by what a caller does to its bytes, before or after", async () => {
      const bytes = Uint8Array.of(1, 2, 3);
      const put = blobs.put(bytes);
      bytes.fill(9);
      const name = await put;
      expect(name).toBe(hash(Uint8Array.of(1, 2, 3)));
      (await blobs.get(name))?.fill(8);
      expect(Uint8Array.from((await blobs.get(name)) as Uint8Array)).toEqual(Uint8Array.of(1, 2, 3));
    });

    it("takes bytes in pieces, and gives back any part of them", async () => {
      const bytes = patterned(300_007);
      const { sha256, bytes: size } = await blobs.putStream(cut(bytes, 10_001), { bytesMax: 300_007 });
      expect([sha256, size]).toEqual([hash(bytes), 300_007]);
      expect(Buffer.compare((await blobs.get(sha256)) as Uint8Array, bytes)).toBe(0);
      for (const [lo, hi] of [
        [0, 300_007],
        [0, 1],
        [65_535, 65_537],
        [123_456, 234_567],
        [300_006, 400_000],
        [5, 5],
        [300_007, 300_010],
      ] as const) {
        const part = (await all(await blobs.read(sha256, lo, hi))) as Uint8Array;
        expect(Buffer.compare(part, bytes.subarray(lo, hi)), `${lo} to ${hi}`).toBe(0);
      }
      expect(await blobs.read("0".repeat(64), 0, 1)).toBeNull();
      expect(await blobs.read("../x", 0, 1)).toBeNull();
      const empty = await blobs.putStream(cut(new Uint8Array(0), 1), { bytesMax: 0 });
      expect(empty).toMatchObject({ sha256: hash(new Uint8Array(0)), bytes: 0 });
    });

    it("keeps nothing of what is too large, has another hash, or breaks off", async () => {
      const bytes = patterned(5_000);
      const put = (source: AsyncIterable<Uint8Array>, expected: { bytesMax: number; sha256?: string }) =>
        blobs.putStream(source, expected);
      await expect(put(cut(bytes, 100), { bytesMax: 4_999 })).rejects.toMatchObject({ code: "too_large" });
      const other = { bytesMax: 5_000, sha256: hash(Uint8Array.of(1)) };
      await expect(put(cut(bytes, 100), other)).rejects.toMatchObject({ code: "other_hash" });
      async function* broken(): AsyncIterable<Uint8Array> {
        yield bytes.subarray(0, 100);
        throw new Error("the connection is gone");
      }
      await expect(put(broken(), { bytesMax: 5_000 })).rejects.toThrow("the connection is gone");
      expect(await blobs.has(hash(bytes))).toBe(false);
      expect(await listed(blobs)).toEqual([]);
      expect(await put(cut(bytes, 100), { bytesMax: 5_000, sha256: hash(bytes) })).toMatchObject({ bytes: 5_000 });
    });

    it("tells what there is, how large and since when, and lets it go", async () => {
      const beforeMs = Date.now() - 2_000;
      const names = [await blobs.put(patterned(10)), await blobs.put(patterned(20))];
      const stats = await listed(blobs);
      expect(stats.map(({ sha256, bytes }) => [sha256, bytes]).sort()).toEqual(
        [
          [names[0], 10],
          [names[1], 20],
        ].sort(),
      );
      for (const stat of stats) {
        expect(stat.atMs).toBeGreaterThan(beforeMs);
        expect(await blobs.stat(stat.sha256)).toEqual(stat);
      }
      const reading = await blobs.read(names[0] as string, 0, 10);
      expect(await blobs.delete(names[0] as string)).toBe(true);
      expect(await blobs.delete(names[0] as string)).toBe(false);
      expect(await blobs.delete("../x")).toBe(false);
      expect(await blobs.stat(names[0] as string)).toBeNull();
      // Whoever was reading it reads it to its end.
      expect(await all(reading)).toHaveLength(10);
      expect((await listed(blobs)).map(({ sha256 }) => sha256)).toEqual([names[1]]);
    });
  });
}

async function listed(blobs: Blobs): Promise<Stat[]> {
  const stats: Stat[] = [];
  for await (const stat of blobs.list()) stats.push(stat);
  return stats;
}
