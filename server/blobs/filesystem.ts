/** Blobs as files, in two levels of folders: written aside, made durable, then renamed into place. */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Blobs } from "./blobs.ts";

const namePattern = /^[0-9a-f]{64}$/;

export class FilesystemBlobs implements Blobs {
  constructor(private readonly folder: string) {}

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const file = this.#path(sha256);
    if (await exists(file)) return sha256;
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
    // The names are durable once their folders are.
    for (const path of [folder, dirname(folder), this.folder]) await syncFolder(path);
    return sha256;
  }

  /** Throws when the file's bytes are not what its name says. */
  async get(sha256: string): Promise<Uint8Array | null> {
    if (!namePattern.test(sha256)) return null;
    const bytes = await readFile(this.#path(sha256)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (bytes && createHash("sha256").update(bytes).digest("hex") !== sha256) {
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

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open folders, and makes names durable with the file.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
