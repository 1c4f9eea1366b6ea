/** Blobs as files, in two levels of folders: written aside, made durable, then renamed into place. */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, opendir, readFile, rename, stat, unlink, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeFolderSync, syncFolder, writeAside } from "../durable.ts";
import { assertExpected, type Blobs, type Expected, isBlobName, type Stat } from "./blobs.ts";

/** Beside the blobs, so that a rename brings a finished one into place; emptied at the start. */
const incoming = "incoming";

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
    // A damaged file is written anew; a whole one may still lack a durable name, when its writer is not done.
    if (await isWhole(file, sha256)) await touch(file);
    else {
      await mkdir(dirname(file), { recursive: true });
      await writeAside(file, own);
    }
    await this.#makeDurable(file);
    return sha256;
  }

  async putStream(source: AsyncIterable<Uint8Array>, expected: Expected): Promise<Stat> {
    const folder = join(this.folder, incoming);
    await mkdir(folder, { recursive: true });
    const aside = join(folder, randomBytes(8).toString("hex"));
    try {
      const { sha256, bytes } = await writeAll(aside, source, expected);
      const file = this.#path(sha256);
      await mkdir(dirname(file), { recursive: true });
      await rename(aside, file);
      await this.#makeDurable(file);
      return { sha256, bytes, atMs: Date.now() };
    } catch (error) {
      await unlink(aside).catch(() => {});
      throw error;
    }
  }

  async get(sha256: string): Promise<Uint8Array | null> {
    if (!isBlobName(sha256)) return null;
    const bytes = await orNull(readFile(this.#path(sha256)));
    if (bytes && hashOf(bytes) !== sha256) {
      throw new Error(`Blob ${sha256} is damaged: its bytes have another hash.`);
    }
    return bytes;
  }

  async has(sha256: string): Promise<boolean> {
    return (await this.stat(sha256)) !== null;
  }

  async stat(sha256: string): Promise<Stat | null> {
    if (!isBlobName(sha256)) return null;
    const info = await orNull(stat(this.#path(sha256)));
    return info ? { sha256, bytes: info.size, atMs: info.mtimeMs } : null;
  }

  async read(sha256: string, lo: number, hi: number): Promise<AsyncIterable<Uint8Array> | null> {
    if (!isBlobName(sha256)) return null;
    // Opened before it is answered: a file that is deleted from here on is read to its end.
    const handle = await orNull(open(this.#path(sha256), "r"));
    if (!handle) return null;
    if (hi > lo) return createReadStream("", { fd: handle, start: lo, end: hi - 1 });
    await handle.close();
    return nothing();
  }

  async *list(): AsyncIterable<Stat> {
    for await (const outer of folders(this.folder)) {
      for await (const inner of folders(outer)) {
        for await (const { name } of await opendir(inner)) {
          const found = await this.stat(name);
          if (found) yield found;
        }
      }
    }
  }

  async delete(sha256: string): Promise<boolean> {
    if (!isBlobName(sha256)) return false;
    return (await orNull(unlink(this.#path(sha256)).then(() => true))) ?? false;
  }

  /** Removes what uploads of an earlier life left behind. For the start, before anything is put. */
  async clearIncoming(): Promise<void> {
    const folder = join(this.folder, incoming);
    const left = await orNull(opendir(folder));
    if (!left) return;
    for await (const { name } of left) await unlink(join(folder, name));
  }

  async #makeDurable(file: string): Promise<void> {
    const folder = dirname(file);
    await syncFolder(folder);
    if (this.#durable.has(folder)) return;
    for (const path of [dirname(folder), this.folder]) await syncFolder(path);
    this.#durable.add(folder);
  }

  #path(sha256: string): string {
    return join(this.folder, sha256.slice(0, 2), sha256.slice(2, 4), sha256);
  }
}

/** Writes and syncs a new file. Throws BlobError, and what the source throws. */
async function writeAll(
  file: string,
  source: AsyncIterable<Uint8Array>,
  expected: Expected,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const handle = await open(file, "wx");
  try {
    for await (const piece of source) {
      bytes += piece.length;
      assertExpected(expected, bytes);
      hash.update(piece);
      await handle.writeFile(piece);
    }
    const sha256 = hash.digest("hex");
    assertExpected(expected, bytes, sha256);
    await handle.sync();
    return { sha256, bytes };
  } finally {
    await handle.close();
  }
}

/** The folders of one level, whose names are two hexadecimal digits. */
async function* folders(folder: string): AsyncIterable<string> {
  for await (const entry of await opendir(folder)) {
    if (entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name)) yield join(folder, entry.name);
  }
}

async function* nothing(): AsyncIterable<Uint8Array> {}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

const isWhole = (file: string, sha256: string): Promise<boolean> =>
  readFile(file).then(
    (bytes) => hashOf(bytes) === sha256,
    () => false,
  );

/** Whoever looks for what nobody needs goes by when a blob was last put. */
const touch = (file: string): Promise<void> => utimes(file, new Date(), new Date()).catch(() => {});

/** Null where there is no such file. */
const orNull = <T>(found: Promise<T>): Promise<T | null> =>
  found.catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
