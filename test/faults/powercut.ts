/** What a power cut does to a folder: everything that no sync had made durable is gone. */
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Entry, readJournals, unsettled } from "./journal.ts";

export interface PowerCutOptions {
  /**
   * Uniform in [0,1). When given, each unsynced write reaches the disk with probability 1/2, and one in four of
   * those only its first sectors: a disk may write what it has in any order. Names are taken back in any case.
   */
  random?: () => number;
}

export interface PowerCut {
  /** Writes and truncations taken back. */
  changes: number;
  /** Names made, moved or removed in vain. */
  names: number;
}

const sectorBytes = 512;

/** Takes back what `state`'s journals say was not synced in `folder`, and clears `state` for the next start. */
export function applyPowerCut(folder: string, state: string, options: PowerCutOptions = {}): PowerCut {
  const { files, names } = unsettled(readJournals(state));
  const paths = new Map<bigint, string>();
  for (const root of [folder, state]) {
    for (const name of readdirSync(root, { recursive: true }) as string[]) {
      const path = join(root, name);
      paths.set(lstatSync(path, { bigint: true }).ino, path);
    }
  }
  let changes = 0;
  for (const [inode, entries] of files) {
    const path = paths.get(inode);
    if (path) changes += takeBackChanges(path, entries, options.random);
  }
  for (const entry of [...names].reverse()) takeBackName(entry);
  for (const name of readdirSync(state)) {
    if (/^(journal\.|backup\.|started$|control)/.test(name)) unlinkSync(join(state, name));
  }
  return { changes, names: names.length };
}

/** A change that reached the disk after all: done again once everything is taken back. */
interface Survivor {
  offset: number;
  /** Null for a truncation to `offset`. */
  bytes: Buffer | null;
}

function takeBackChanges(path: string, entries: readonly Entry[], random?: () => number): number {
  const file = openSync(path, "r+");
  try {
    const survivors: Survivor[] = [];
    let taken = 0;
    for (const entry of [...entries].reverse()) {
      const survives = entry.isDurable || (!entry.isLost && random !== undefined && random() < 0.5);
      if (survives) survivors.push(survivor(file, entry, entry.isDurable ? undefined : random));
      else taken++;
      if (entry.old.length > 0) writeSync(file, entry.old, 0, entry.old.length, entry.offset);
      ftruncateSync(file, entry.oldSize);
    }
    for (const { offset, bytes } of survivors.reverse()) {
      if (bytes === null) ftruncateSync(file, offset);
      else writeSync(file, bytes, 0, bytes.length, offset);
    }
    return taken;
  } finally {
    closeSync(file);
  }
}

/** Reads what a change wrote, which is there as long as all later ones have been taken back. */
function survivor(file: number, entry: Entry, random?: () => number): Survivor {
  const { type, offset, newBytes } = entry;
  if (type === "T") return { offset, bytes: null };
  const there = Math.max(0, Math.min(newBytes, fstatSync(file).size - offset));
  const bytes = Buffer.alloc(there);
  readSync(file, bytes, 0, there, offset);
  const isTorn = random !== undefined && random() < 0.25;
  const kept = isTorn ? Math.floor((random() * there) / sectorBytes) * sectorBytes : there;
  return { offset, bytes: bytes.subarray(0, kept) };
}

function takeBackName({ type, path, path2, inode }: Entry): void {
  switch (type) {
    case "C":
      if (inodeAt(path) === inode) unlinkSync(path);
      return;
    case "D":
      rmSync(path, { recursive: true, force: true });
      return;
    case "M":
      mkdirSync(path, { recursive: true });
      return;
    case "U":
      if (inodeAt(path2) === inode) renameSync(path2, path);
      return;
    case "R":
      if (inodeAt(path2) === inode) renameSync(path2, path);
      return;
    default:
      throw new Error(`An entry "${type}" is none of names.`);
  }
}

function inodeAt(path: string): bigint | null {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
