/** Folders whose names survive a power cut: a name is durable once the folder that holds it is synced. */
import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a folder and those above it that are missing, durably. */
export function makeFolderSync(folder: string): void {
  const first = mkdirSync(folder, { recursive: true });
  if (first === undefined || !canSync) return;
  for (let path = dirname(folder); path.length >= dirname(first).length; path = dirname(path)) {
    const handle = openSync(path, "r");
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    if (path === dirname(path)) return;
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  if (!canSync) return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Windows cannot open folders, and makes names durable with the file. */
const canSync = process.platform !== "win32";
