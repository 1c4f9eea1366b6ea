import { expect, test } from "vitest";
import { entriesMax, entryBytesMax, KeptBytes } from "./kept-bytes.ts";

/** A Cache in memory, with room for so many bytes. */
function storage(room: number): { open(): Promise<Cache>; kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>();
  const cache = {
    match: async (path: string) =>
      kept.has(path) ? new Response(kept.get(path) as Uint8Array<ArrayBuffer>) : undefined,
    keys: async () => [...kept.keys()],
    delete: async (path: string) => kept.delete(path),
    put: async (path: string, response: Response) => {
      const bytes = new Uint8Array(await response.arrayBuffer());
      const used = [...kept.values()].reduce((sum, { length }) => sum + length, 0);
      if (used + bytes.length > room) throw new DOMException("full", "QuotaExceededError");
      kept.set(path, bytes);
    },
  };
  return { open: async () => cache as never, kept };
}
const bytes = (length: number, value = 1): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(value);

test("what was put is there on the next visit", async () => {
  const disk = storage(1e9);
  await new KeptBytes(disk).put("/k/a", bytes(3, 7));
  expect(await new KeptBytes(disk).get("/k/a")).toEqual(bytes(3, 7));
  expect(await new KeptBytes(disk).get("/k/b")).toBeNull();
});

test("the oldest go when there are too many, or when the browser has no more room", async () => {
  const disk = storage(1e9);
  const kept = new KeptBytes(disk);
  for (let at = 0; at <= entriesMax; at++) await kept.put(`/k/${at}`, bytes(1));
  expect([disk.kept.size, disk.kept.has("/k/0"), disk.kept.has(`/k/${entriesMax}`)]).toEqual([entriesMax, false, true]);

  const small = storage(10);
  const tight = new KeptBytes(small);
  for (const name of ["a", "b", "c"]) await tight.put(`/k/${name}`, bytes(4));
  expect([...small.kept.keys()]).toEqual(["/k/b", "/k/c"]);
  await tight.put("/k/huge", bytes(11));
  expect(small.kept.has("/k/huge")).toBe(false);
  await tight.put("/k/larger", bytes(entryBytesMax + 1));
  expect(small.kept.has("/k/larger")).toBe(false);
});

test("without storage nothing is kept, and nothing fails", async () => {
  for (const none of [undefined, { open: () => Promise.reject(new Error("not allowed")) }]) {
    const kept = new KeptBytes(none);
    await kept.put("/k/a", bytes(1));
    await kept.delete("/k/a");
    expect(await kept.get("/k/a")).toBeNull();
  }
});
