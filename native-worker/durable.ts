/** Files and folders that a power cut leaves whole: a file's name is durable once its folder was synced. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";

/** Folders that are another's, or on a system that cannot sync them. */
const unsyncable = ["EACCES", "EPERM", "EROFS", "EINVAL"];

/** Makes a folder, and what is missing above it, durably: whoever made those above may not have synced them. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let path = dirname(resolve(folder)); ; path = dirname(path)) {
    await syncFolder(path).catch((error: NodeJS.ErrnoException) => {
      if (!unsyncable.includes(error.code ?? "")) throw error;
    });
    if (path === dirname(path)) return;
  }
}

/** Makes the names in a folder survive a power cut; Windows has no such call, and needs none. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Writes a file aside, syncs it and moves it into place. Its name is durable after `syncFolder`. */
export async function writeAside(file: string, bytes: Uint8Array | string, mode = 0o666): Promise<void> {
  const aside = join(dirname(file), `.${randomBytes(6).toString("hex")}`);
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
