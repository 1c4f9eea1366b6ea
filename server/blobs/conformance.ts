/** What every store of blobs does, whatever it is made of. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Blobs } from "./blobs.ts";

export interface OpenedBlobs {
  blobs: Blobs;
  remove(): Promise<void>;
}

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
  });
}
