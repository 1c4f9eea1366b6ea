/** Uploads across restarts, their owners, and what is swept. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MemoryBlobs } from "../blobs/memory.ts";
import type { Write } from "../store/store.ts";
import { Uploads } from "./uploads.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "queztl-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One record, opened as often as the test likes. */
function world() {
  const blobs = new MemoryBlobs();
  const documents = new Map<string, string>();
  const inUse = new Set<string>();
  const clock = { now: Date.now(), free: 2 ** 40 };
  const open = async (): Promise<Uploads> => {
    const uploads = new Uploads({
      ...{ bytesMax: 1_000, keepMs: 10_000, blobs, folder },
      documents: async () => [...documents].map(([key, value]) => ({ key, value })),
      written: async (writes: readonly Write[]) => {
        for (const write of writes) {
          if (write.type !== "document.put") throw new Error(write.type);
          if (write.value === null) documents.delete(write.key);
          else documents.set(write.key, write.value);
        }
      },
      inUse: () => inUse,
      freeBytes: async () => clock.free,
      now: () => clock.now,
    });
    await uploads.load();
    return uploads;
  };
  return { blobs, inUse, clock, open };
}

async function* bytes(...values: number[]): AsyncIterable<Uint8Array> {
  for (const value of values) yield Uint8Array.of(value);
}

test("an upload in parts and its owners outlive a restart", async () => {
  const { open, blobs } = world();
  const before = await open();
  const { id } = await before.begin("ada", 4, null);
  await before.append(before.find(id, "ada")!, 0, bytes(1, 2));
  const after = await open();
  expect(after.find(id, "eve")).toBeNull();
  expect(after.find(id, "ada")).toMatchObject({ offset: 2, bytes: 4 });
  const done = await after.append(after.find(id, "ada")!, 2, bytes(3, 4));
  const last = await open();
  expect(last.find(id, "ada")).toBeNull();
  expect([last.owns(done!.blob, "ada"), last.owns(done!.blob, "eve")]).toEqual([true, false]);
  expect(await blobs.get(done!.blob)).toEqual(Uint8Array.of(1, 2, 3, 4));
});

test("a file goes when its last owner deletes it, unless an open job reads it", async () => {
  const { open, blobs, inUse } = world();
  const uploads = await open();
  const { blob } = await uploads.put("ada", bytes(1), null);
  await uploads.put("bob", bytes(1), null);
  expect(await uploads.delete(blob, "eve")).toBe(false);
  expect(await uploads.delete(blob, "ada")).toBe(true);
  expect(await blobs.has(blob)).toBe(true);
  inUse.add(blob);
  expect(await uploads.delete(blob, "bob")).toBe(true);
  expect(await blobs.has(blob)).toBe(true);
});

test("what nobody used for long is swept, and nothing else", async () => {
  const { open, blobs, inUse, clock } = world();
  const uploads = await open();
  const old = await uploads.put("ada", bytes(1), null);
  const used = await uploads.put("ada", bytes(2), null);
  const { id } = await uploads.begin("ada", 4, null);
  inUse.add(used.blob);
  expect(await uploads.sweep()).toBe(0);
  clock.now += 20_000;
  expect(await uploads.sweep()).toBe(1);
  expect([await blobs.has(old.blob), await blobs.has(used.blob)]).toEqual([false, true]);
  expect(uploads.owns(old.blob, "ada")).toBe(false);
  expect(uploads.find(id, "ada")).not.toBeNull();
  clock.now += 25 * 3_600_000;
  await uploads.sweep();
  expect(uploads.find(id, "ada")).toBeNull();
});

test("a disk that is nearly full takes no uploads: the record comes first", async () => {
  const { open, clock } = world();
  const uploads = await open();
  clock.free = 2 ** 29 + 5;
  await expect(uploads.begin("ada", 6, null)).rejects.toMatchObject({ code: "storage_unavailable" });
  await expect(uploads.begin("ada", 5, null)).resolves.toMatchObject({ bytes: 5 });
  clock.free = 2 ** 29 - 1;
  await expect(uploads.put("ada", bytes(1), null)).rejects.toMatchObject({ code: "storage_unavailable" });
});
