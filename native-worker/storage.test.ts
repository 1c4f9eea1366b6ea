import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { keptResult, storageConformance } from "../agent/testing/storage-conformance.ts";
import { FileStorage, loadIdentity } from "./storage.ts";

const folders: string[] = [];
async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), "queztl-storage-"));
  folders.push(made);
  return made;
}
afterAll(async () => {
  for (const made of folders) await rm(made, { recursive: true, force: true });
});

storageConformance("files", async () => {
  const at = await folder();
  return { storage: new FileStorage(at), reopen: () => new FileStorage(at) };
});

describe("files", () => {
  it("that a crash left half written are passed over and removed", async () => {
    const at = await folder();
    const storage = new FileStorage(at);
    await storage.load();
    await storage.keep(keptResult(1));
    const whole = await readFile(join(at, "results", "1.result"));
    await writeFile(join(at, "results", "2.result"), whole.subarray(0, whole.length / 2));
    await writeFile(join(at, "results", "3.result"), "");
    await writeFile(join(at, "results", "4.result"), whole);
    await writeFile(join(at, "results", ".abc"), whole);
    await writeFile(join(at, "results", "notes.txt"), "not ours");
    expect((await new FileStorage(at).load()).map((result) => result.seq)).toEqual([1]);
    expect((await readdir(join(at, "results"))).sort()).toEqual(["1.result", "notes.txt"]);
  });
  it("are not more than the limit", async () => {
    const storage = new FileStorage(await folder(), 100);
    await storage.load();
    await Promise.all(Array.from({ length: 100 }, (_, seq) => storage.keep(keptResult(seq))));
    await expect(storage.keep(keptResult(9_999))).rejects.toThrow(/More than 100 results wait/);
    await storage.keep(keptResult(3));
    await storage.forget([3]);
    await storage.keep(keptResult(9_999));
  });
  it("are on disk when `keep` resolves, however many are kept at once", async () => {
    const at = await folder();
    const storage = new FileStorage(at);
    await storage.load();
    const kept = Array.from({ length: 200 }, async (_, seq) => {
      await storage.keep(keptResult(seq));
      expect(existsSync(join(at, "results", `${seq}.result`))).toBe(true);
    });
    await Promise.all(kept);
  });
  it("are taken whenever they come, one after the other or in between", async () => {
    const storage = new FileStorage(await folder());
    await storage.load();
    for (let seq = 0; seq < 30; seq++) {
      await storage.keep(keptResult(seq));
      await Promise.all([storage.forget([seq]), storage.keep(keptResult(1_000 + seq))]);
      if (seq % 3 === 0) await storage.settled();
    }
    expect((await storage.load()).map((result) => result.seq)).toHaveLength(30);
  });
  it("are not written when they are forgotten before their turn", async () => {
    const at = await folder();
    const storage = new FileStorage(at);
    await storage.load();
    const first = storage.keep(keptResult(1));
    const others = Array.from({ length: 50 }, (_, index) => storage.keep(keptResult(index + 2)));
    await Promise.all([first, ...others, storage.forget(Array.from({ length: 51 }, (_, index) => index + 1))]);
    expect(await readdir(join(at, "results"))).toEqual([]);
  });
  it("say so when the disk refuses", async () => {
    const at = await folder();
    const storage = new FileStorage(at);
    await storage.load();
    await rm(join(at, "results"), { recursive: true });
    await expect(storage.keep(keptResult(1))).rejects.toThrow(/ENOENT/);
  });
  it("have settled once everything asked for is on disk", async () => {
    const at = await folder();
    const storage = new FileStorage(at);
    await storage.load();
    for (let seq = 1; seq <= 20; seq++) void storage.keep(keptResult(seq));
    await storage.settled();
    expect(await readdir(join(at, "results"))).toHaveLength(20);
  });
});

describe("identity", () => {
  it("is made once, is the owner's alone, and is the same ever after", async () => {
    const at = join(await folder(), "new");
    const made = await loadIdentity(at);
    if (process.platform !== "win32") expect((await stat(join(at, "identity.json"))).mode & 0o777).toBe(0o600);
    const again = await loadIdentity(at);
    expect(again.publicKey).toEqual(made.publicKey);
    const bytes = Uint8Array.of(1, 2, 3);
    expect(await again.sign(bytes)).toEqual(await made.sign(bytes));
  });
  it("that is damaged is named, and not replaced", async () => {
    const at = await folder();
    await writeFile(join(at, "identity.json"), '{"kty":"OKP"');
    await expect(loadIdentity(at)).rejects.toThrow(/identity\.json is damaged\. Restore it, or remove it/);
    expect(await readFile(join(at, "identity.json"), "utf8")).toBe('{"kty":"OKP"');
  });
});
