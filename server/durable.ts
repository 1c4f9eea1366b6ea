/** Files and folders that survive a power cut: bytes are durable once synced, a name once its folder is. */
import { randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Windows cannot open folders, and makes names durable with the file. */
const canSyncFolders = process.platform !== "win32";

/**
 * Makes a folder, and what is missing above it, durably. All above it are synced, since whoever made them may not
 * have done so.
 */
export function makeFolderSync(folder: string): void {
  mkdirSync(folder, { recursive: true });
  if (!canSyncFolders) return;
  for (let path = dirname(resolve(folder)); ; path = dirname(path)) {
    try {
      const handle = openSync(path, "r");
      try {
        fsyncSync(handle);
      } finally {
        closeSync(handle);
      }
    } catch (error) {
      // A folder that may not be read is another's, as is one that cannot be written.
      if (!["EACCES", "EPERM", "EROFS", "EINVAL"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
    if (path === dirname(path)) return;
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  if (!canSyncFolders) return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file aside, syncs it and moves it into place: whoever looks finds all of it or what was there before.
 * Its name is durable after `syncFolder` on its folder.
 */
export async function writeAside(file: string, bytes: Uint8Array | string, mode = 0o666): Promise<void> {
  const aside = join(dirname(file), `.${randomBytes(8).toString("hex")}`);
  try {
    const handle = await open(aside, "wx", mode);
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
