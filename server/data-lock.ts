/**
 * One coordinator for each data folder. The lock is the system's own, on a small SQLite file: it ends with
 * the process, however that ends, and leaves nothing to clean up.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeFolderSync } from "./durable.ts";
import { type Database, openDatabase } from "./store/driver.ts";

/** Databases that are closed lose their lock, and those that are collected are closed. */
const held = new Set<Database>();

/** Throws with a sentence when another process has the folder. Call the answer to let it go. */
export function lockDataDir(dataDir: string): () => void {
  makeFolderSync(dataDir);
  const told = join(dataDir, "owner.pid");
  const database = openDatabase(join(dataDir, "owner.lock"));
  try {
    database.pragma("busy_timeout = 0");
    database.exec("BEGIN EXCLUSIVE");
  } catch (cause) {
    database.close();
    const { code, message } = cause as { code?: string; message: string };
    if (!code?.startsWith("SQLITE_BUSY")) {
      throw new Error(`${dataDir} cannot be used (${message}). Make room in it, or use --data with another folder.`, {
        cause,
      });
    }
    throw new Error(
      `Another coordinator${ownerOf(told)} uses ${dataDir}. Stop that one, or use --data with another folder.`,
      { cause },
    );
  }
  writeFileSync(told, String(process.pid));
  held.add(database);
  return () => {
    held.delete(database);
    database.close();
  };
}

function ownerOf(file: string): string {
  try {
    return ` (pid ${Number(readFileSync(file, "utf8"))})`;
  } catch {
    return "";
  }
}
