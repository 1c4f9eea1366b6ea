/**
 * What a worker keeps in its folder: its key, and the results that were not acknowledged yet. One file a
 * result, durable before `keep` resolves: a worker that is killed sends them when it is back.
 */
import { randomBytes } from "node:crypto";
import { chmod, mkdir, open, readdir, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Packr } from "msgpackr";
import { createIdentity, exportIdentity, identityPort, importIdentity } from "../agent/identity.ts";
import type { KeptResult } from "../agent/machine-state.ts";
import type { IdentityPort, StoragePort } from "../agent/ports.ts";
import { limits } from "../protocol/limits.ts";
import { resultSchema } from "../protocol/messages.ts";

const packr = new Packr({ useRecords: false });
const keptSchema = resultSchema.omit({ type: true });

/** Makes the folder's identity at the first start. The key file is readable by its owner only. */
export async function loadIdentity(folder: string): Promise<IdentityPort> {
  const file = join(folder, "identity.json");
  await mkdir(folder, { recursive: true });
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text !== null) {
    try {
      return identityPort(await importIdentity(JSON.parse(text)));
    } catch (cause) {
      throw new Error(`${file} is damaged. Restore it, or remove it to get a new identity.`, { cause });
    }
  }
  const identity = await createIdentity(true);
  await writeFile(file, JSON.stringify(await exportIdentity(identity)), { mode: 0o600, flag: "wx" });
  await chmod(file, 0o600);
  return identityPort(identity);
}

export class FileStorage implements StoragePort {
  readonly #folder: string;
  /** Writes and removals of one result must not overtake each other. */
  #line: Promise<unknown> = Promise.resolve();
  readonly #seqs = new Set<number>();

  constructor(dataDir: string) {
    this.#folder = join(dataDir, "results");
  }

  async load(): Promise<KeptResult[]> {
    await mkdir(this.#folder, { recursive: true });
    const names = (await readdir(this.#folder)).filter((name) => /^\d+\.result$/.test(name));
    names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
    const results: KeptResult[] = [];
    // What a crash left half written was never promised to anyone.
    for (const name of await readdir(this.#folder)) {
      if (name.startsWith(".")) await unlink(join(this.#folder, name));
    }
    for (const name of names.slice(-limits.unacknowledgedResultsMax)) {
      const parsed = keptSchema.safeParse(unpack(await readFile(join(this.#folder, name))));
      if (parsed.success && name === `${parsed.data.seq}.result`) results.push(parsed.data);
      else await unlink(join(this.#folder, name));
    }
    for (const { seq } of results) this.#seqs.add(seq);
    return results;
  }

  keep(result: KeptResult): Promise<void> {
    return this.#then(async () => {
      if (this.#seqs.size >= limits.unacknowledgedResultsMax && !this.#seqs.has(result.seq)) {
        throw new Error(`More than ${limits.unacknowledgedResultsMax} results wait for their acknowledgement.`);
      }
      const aside = join(this.#folder, `.${randomBytes(6).toString("hex")}`);
      const handle = await open(aside, "wx");
      try {
        await handle.writeFile(packr.pack(result));
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(aside, this.#path(result.seq));
      await syncFolder(this.#folder);
      this.#seqs.add(result.seq);
    });
  }

  forget(seqs: readonly number[]): Promise<void> {
    return this.#then(async () => {
      for (const seq of seqs) {
        if (this.#seqs.delete(seq)) await unlink(this.#path(seq));
      }
    });
  }

  /** Resolves when everything asked for so far is on disk. */
  async settled(): Promise<void> {
    await this.#line;
  }

  #path(seq: number): string {
    return join(this.#folder, `${seq}.result`);
  }

  #then(work: () => Promise<void>): Promise<void> {
    const done = this.#line.then(work);
    this.#line = done.catch(() => {});
    return done;
  }
}

function unpack(bytes: Uint8Array): unknown {
  try {
    return packr.unpack(bytes);
  } catch {
    return null;
  }
}

/** Makes a name in the folder survive a power cut; Windows has no such call, and needs none. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
