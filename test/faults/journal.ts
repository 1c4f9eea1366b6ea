/** Reads the shim's journals: which changes to files and names were not settled by a sync. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const magic = 0x314a5a51;
const headerBytes = 64;

export interface Entry {
  type: "W" | "T" | "S" | "X" | "C" | "D" | "U" | "M" | "R";
  seq: bigint;
  inode: bigint;
  parent: bigint;
  /** Of a write; the new size of a truncation. */
  offset: number;
  oldSize: number;
  newBytes: number;
  path: string;
  /** Where a moved name went; where a removed file is kept. */
  path2: string;
  old: Buffer;
  /** A failed sync had it to write. */
  isLost: boolean;
  isDurable: boolean;
}

/** All entries of all processes, in order. What a killed process left half written is no entry: it changed nothing. */
export function readJournals(state: string): Entry[] {
  const names = readdirSync(state).filter((name) => name.startsWith("journal."));
  return names
    .flatMap((name) => readJournal(readFileSync(join(state, name))))
    .sort((a, b) => (a.seq < b.seq ? -1 : a.seq > b.seq ? 1 : 0));
}

function readJournal(bytes: Buffer): Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  while (at + headerBytes <= bytes.length) {
    if (bytes.readUInt32LE(at) !== magic) throw new Error(`The journal is damaged at byte ${at}.`);
    const [oldBytes, newBytes, pathBytes, path2Bytes] = [48, 52, 56, 60].map((field) =>
      bytes.readUInt32LE(at + field),
    ) as [number, number, number, number];
    const path = at + headerBytes;
    const path2 = path + pathBytes;
    const old = path2 + path2Bytes;
    if (old + oldBytes > bytes.length) break;
    entries.push({
      type: String.fromCharCode(bytes.readUInt32LE(at + 4)) as Entry["type"],
      seq: bytes.readBigUInt64LE(at + 8),
      inode: bytes.readBigUInt64LE(at + 16),
      parent: bytes.readBigUInt64LE(at + 24),
      offset: Number(bytes.readBigUInt64LE(at + 32)),
      oldSize: Number(bytes.readBigUInt64LE(at + 40)),
      newBytes,
      path: bytes.toString("utf8", path, path2),
      path2: bytes.toString("utf8", path2, old),
      old: bytes.subarray(old, old + oldBytes),
      isLost: false,
      isDurable: false,
    });
    at = old + oldBytes;
  }
  return entries;
}

export interface Unsettled {
  /** By inode, in order, each list beginning with a change that is not durable. */
  files: Map<bigint, Entry[]>;
  /** In order. */
  names: Entry[];
}

/** What the syncs in the journal left open. */
export function unsettled(entries: readonly Entry[]): Unsettled {
  const files = new Map<bigint, Entry[]>();
  const names = new Map<bigint, Entry[]>();
  for (const entry of entries) {
    switch (entry.type) {
      case "W":
      case "T":
        add(files, entry.inode, entry);
        break;
      case "S":
        for (const change of files.get(entry.inode) ?? []) change.isDurable ||= !change.isLost;
        names.delete(entry.inode);
        break;
      case "X":
        for (const change of files.get(entry.inode) ?? []) change.isLost ||= !change.isDurable;
        break;
      default:
        // A number may serve again for a new file.
        if (entry.type === "C") files.delete(entry.inode);
        add(names, entry.parent, entry);
    }
  }
  for (const [inode, changes] of files) {
    const first = changes.findIndex(({ isDurable }) => !isDurable);
    if (first < 0) files.delete(inode);
    else files.set(inode, changes.slice(first));
  }
  return { files, names: [...names.values()].flat().sort((a, b) => (a.seq < b.seq ? -1 : 1)) };
}

function add(lists: Map<bigint, Entry[]>, key: bigint, entry: Entry): void {
  const list = lists.get(key);
  if (list) list.push(entry);
  else lists.set(key, [entry]);
}
