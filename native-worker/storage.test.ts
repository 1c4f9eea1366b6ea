import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { keptResult, storageConformance } from "../agent/testing/storage-conformance.ts";
import { limits } from "../protocol/limits.ts";
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
  it("are not more than the protocol allows", async () => {
    const storage = new FileStorage(await folder());
    await storage.load();
    const all = Array.from({ length: limits.unacknowledgedResultsMax }, (_, seq) => storage.keep(keptResult(seq)));
    await Promise.all(all);
    await expect(storage.keep(keptResult(9_999))).rejects.toThrow(/wait for their acknowledgement/);
    await storage.keep(keptResult(3));
    await storage.forget([3]);
    await storage.keep(keptResult(9_999));
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
