/**
 * Gives a kernel's memory a maximum that the engine enforces, by rewriting the limits in its memory section. Compilers
 * leave it open, and a page cannot tell an exported memory otherwise how far it may grow.
 */
import { KernelError } from "./errors.ts";

export const pageBytes = 65_536;
/** What 32-bit addresses reach. */
const pagesMost = 65_536;
const memorySection = 5;

export const pagesOf = (bytes: number): number => Math.min(pagesMost, Math.ceil(bytes / pageBytes));

/**
 * The module with its memory bounded to `declaredPages`, or to less where it says so itself, but never to less than it
 * begins with. Throws KernelError `out_of_memory` where that is more than `allowedPages`. Modules that are no modules, or have no
 * memory of their own, are left for the engine to refuse.
 */
export function withMemoryMaximum(
  module: Uint8Array,
  declaredPages: number,
  allowedPages: number = pagesMost,
): Uint8Array {
  const found = findMemory(module);
  if (!found) return module;
  const { minimum, maximum, start, to } = found;
  const pages = Math.max(minimum, Math.min(declaredPages, maximum ?? pagesMost));
  if (pages > allowedPages) {
    const mebi = (count: number): string => `${((count * pageBytes) / 2 ** 20).toFixed(1)} MiB`;
    throw new KernelError(
      "out_of_memory",
      `The kernel may need ${mebi(pages)}, and this device allows one ${mebi(allowedPages)}.`,
    );
  }
  // One memory, with a maximum.
  const content = [1, 1, ...leb(minimum), ...leb(pages)];
  const section = [memorySection, ...leb(content.length), ...content];
  const made = new Uint8Array(start + section.length + (module.length - to));
  made.set(module.subarray(0, start));
  made.set(section, start);
  made.set(module.subarray(to), start + section.length);
  return made;
}

interface Found {
  minimum: number;
  maximum: number | null;
  /** Of the section: its first byte, and the first after it. */
  start: number;
  to: number;
}

/** The memory section of a module with one plain memory; null where there is none such. */
function findMemory(module: Uint8Array): Found | null {
  const read = reader(module);
  read.at = 8;
  while (read.at < module.length) {
    const start = read.at;
    const id = module[read.at++];
    const length = read.leb();
    const from = read.at;
    const to = from + length;
    if (length < 0 || to > module.length) return null;
    if (id === memorySection) {
      const count = read.leb();
      const flags = module[read.at++];
      // Shared and 64-bit memories have flags of their own.
      if (count !== 1 || (flags !== 0 && flags !== 1)) return null;
      const minimum = read.leb();
      return { minimum, maximum: flags === 1 ? read.leb() : null, start, to };
    }
    read.at = to;
  }
  return null;
}

function reader(bytes: Uint8Array): { at: number; leb(): number } {
  return {
    at: 0,
    /** An unsigned number of 32 bits; -1 where there is none. */
    leb() {
      let value = 0;
      for (let shift = 0; shift < 35; shift += 7) {
        const byte = bytes[this.at++];
        if (byte === undefined) return -1;
        value += (byte & 127) * 2 ** shift;
        if (byte < 128) return value;
      }
      return -1;
    },
  };
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low | 128 : low);
  } while (rest > 0);
  return bytes;
}
