import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { blobsConformance } from "./conformance.ts";
import { FilesystemBlobs } from "./filesystem.ts";

const aFolder = (): string => mkdtempSync(join(tmpdir(), "queztl-blobs-"));

blobsConformance("file", async () => {
  const folder = aFolder();
  return {
    blobs: new FilesystemBlobs(join(folder, "blobs")),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
});

describe("blobs as files", () => {
  let folder: string;
  let blobs: FilesystemBlobs;
  beforeEach(() => {
    folder = aFolder();
    blobs = new FilesystemBlobs(folder);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  const path = (name: string): string => join(folder, name.slice(0, 2), name.slice(2, 4), name);

  it("keeps one file for a blob, two folders down, and nothing beside it", async () => {
    const name = await blobs.put(Uint8Array.of(1));
    await Promise.all([blobs.put(Uint8Array.of(1)), blobs.put(Uint8Array.of(1))]);
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual(
      [name.slice(0, 2), join(name.slice(0, 2), name.slice(2, 4)), path(name).slice(folder.length + 1)].sort(),
    );
  });

  it("does not pass off damaged bytes, and mends them when they are put again", async () => {
    const bytes = new TextEncoder().encode("whole");
    const name = await blobs.put(bytes);
    writeFileSync(path(name), "whale");
    await expect(blobs.get(name)).rejects.toThrow(/damaged/);
    await blobs.put(bytes);
    expect(Buffer.compare((await blobs.get(name)) as Uint8Array, bytes)).toBe(0);
  });

  it("keeps nothing that an upload of an earlier life left behind", async () => {
    let fed = (): void => {};
    async function* slow(): AsyncIterable<Uint8Array> {
      yield new Uint8Array(10);
      await new Promise<void>((resolve) => {
        fed = resolve;
      });
    }
    const put = blobs.putStream(slow(), { bytesMax: 10 });
    const incoming = join(folder, "incoming");
    await vi.waitFor(() => expect(readdirSync(incoming)).toHaveLength(1));
    await new FilesystemBlobs(folder).clearIncoming();
    expect(readdirSync(incoming)).toEqual([]);
    fed();
    await expect(put).rejects.toThrow(/ENOENT/);
  });

  it("holds a read back until its pieces are taken", async () => {
    const name = await blobs.put(new Uint8Array(8 << 20));
    const before = process.memoryUsage().external;
    const readers = await Promise.all(Array.from({ length: 50 }, () => blobs.read(name, 0, 8 << 20)));
    const iterators = readers.map((reader) => reader![Symbol.asyncIterator]());
    await Promise.all(iterators.map((iterator) => iterator.next()));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(process.memoryUsage().external - before).toBeLessThan(50 * (1 << 20));
    await Promise.all(iterators.map((iterator) => iterator.return?.()));
  });
});
