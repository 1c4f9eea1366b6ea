import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
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
});
