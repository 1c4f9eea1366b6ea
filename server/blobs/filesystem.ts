/** Blobs as files, in two levels of folders: written aside, made durable, then renamed into place. */
import { createHash } from "node:crypto";
import { mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolderSync, syncFolder, writeAside } from "../durable.ts";
import type { Blobs } from "./blobs.ts";

const namePattern = /^[0-9a-f]{64}$/;

export class FilesystemBlobs implements Blobs {
  /** Folders whose own names are durable: 65,536 at most. */
  readonly #durable = new Set<string>();

  constructor(private readonly folder: string) {
    makeFolderSync(folder);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const own = Uint8Array.from(bytes);
    const sha256 = hashOf(own);
    const file = this.#path(sha256);
    const folder = dirname(file);
    // A damaged file is written anew; a whole one may still lack a durable name, when its writer is not done.
    if (!(await isWhole(file, sha256))) {
      await mkdir(folder, { recursive: true });
      await writeAside(file, own);
    }
    await syncFolder(folder);
    if (!this.#durable.has(folder)) {
      for (const path of [dirname(folder), this.folder]) await syncFolder(path);
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

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
