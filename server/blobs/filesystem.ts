/** Blobs as files, in two levels of folders: written aside, made durable, then renamed into place. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncFolder } from "../folders.ts";
import type { Blobs } from "./blobs.ts";

const namePattern = /^[0-9a-f]{64}$/;

export class FilesystemBlobs implements Blobs {
  /** Folders whose own names are durable: 65,536 at most. */
  readonly #durable = new Set<string>();

  constructor(private readonly folder: string) {}

  async put(bytes: Uint8Array): Promise<string> {
    const own = Uint8Array.from(bytes);
    const sha256 = hashOf(own);
    const file = this.#path(sha256);
    const folder = dirname(file);
    // A damaged file is written anew; a whole one may still lack a durable name, when its writer is not done.
    if (!(await isWhole(file, sha256))) await write(file, own);
    await syncFolder(folder);
    if (!this.#durable.has(folder)) {
      for (const path of [dirname(folder), this.folder, dirname(this.folder)]) await syncFolder(path);
      this.#durable.add(folder);
    }
    return sha256;
  }

  /** Throws when the file's bytes are not what its name says. */
  async get(sha256: string): Promise<Uint8Array | null> {
    if (!namePattern.test(sha256)) return null;
    const bytes = await readFile(this.#path(sha256)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (bytes && hashOf(bytes) !== sha256) {
      throw new Error(`Blob ${sha256} is damaged: its bytes have another hash.`);
    }
    return bytes;
  }

  async has(sha256: string): Promise<boolean> {
    return namePattern.test(sha256) && (await exists(this.#path(sha256)));
  }

  #path(sha256: string): string {
    return join(this.folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  }
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const isWhole = (file: string, sha256: string): Promise<boolean> =>
  readFile(file).then(
    (bytes) => hashOf(bytes) === sha256,
    () => false,
  );

async function write(file: string, bytes: Uint8Array): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  const aside = join(folder, `.${randomBytes(8).toString("hex")}`);
  try {
    const handle = await open(aside, "wx");
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await unlink(aside).catch(() => {});
    throw error;
  }
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
