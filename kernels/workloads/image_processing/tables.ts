/** From what a round counted to the table that the next one translates by: as OpenCV finds them. */
import { cellSizeOf } from "./cells.ts";
import type { Stage } from "./program.ts";

type Table = NonNullable<Stage["table"]>;

export function tableOf(table: Table, counts: Uint32Array, width: number, height: number): Uint8Array {
  if (table.kind === "equalize") return equalized(counts);
  if (table.kind === "otsu") return thresholded(otsuOf(counts));
  const across = cellSizeOf(width, height, table.grid);
  const down = cellSizeOf(height, width, table.grid);
  const all = new Uint8Array(counts.length);
  for (let at = 0; at < counts.length; at += 256) {
    all.set(clippedTable(counts.slice(at, at + 256), across * down, table.clip), at);
  }
  return all;
}

const sumOf = (counts: Uint32Array): number => counts.reduce((sum, count) => sum + count, 0);

/** The first value that occurs becomes 0, the last 255, and what lies between follows the share of pixels. */
function equalized(counts: Uint32Array): Uint8Array {
  const total = sumOf(counts);
  const first = counts.findIndex((count) => count > 0);
  const rest = total - (counts[first] ?? 0);
  const table = new Uint8Array(256);
  if (rest === 0) return table.fill(first);
  const scale = Math.fround(255 / rest);
  let sum = 0;
  for (let value = first + 1; value < 256; value++) {
    sum += counts[value] as number;
    table[value] = Math.min(255, Math.round(sum * scale));
  }
  return table;
}

const thresholded = (threshold: number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, at) => (at > threshold ? 255 : 0));

/** The threshold that leaves the most variance between both sides (Otsu, IEEE Trans. SMC 9(1), 1979). */
export function otsuOf(counts: Uint32Array): number {
  const total = sumOf(counts);
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / total;
  let [share, below, best, threshold] = [0, 0, 0, 0];
  for (const [value, count] of counts.entries()) {
    const part = count / total;
    const sum = below * share + value * part;
    share += part;
    if (Math.min(share, 1 - share) < 1.2e-7) {
      below = share === 0 ? 0 : sum / share;
      continue;
    }
    below = sum / share;
    const above = (mean - share * below) / (1 - share);
    const between = share * (1 - share) * (below - above) ** 2;
    if (between > best) [best, threshold] = [between, value];
  }
  return threshold;
}

/** Bins above the limit are cut, and what was cut is spread over all (Zuiderveld, Graphics Gems IV, 1994). */
function clippedTable(counts: Uint32Array, area: number, clip: number): Uint8Array {
  const limit = Math.max(1, Math.trunc((clip * area) / 256));
  let excess = 0;
  for (const [value, count] of counts.entries()) {
    if (count <= limit) continue;
    excess += count - limit;
    counts[value] = limit;
  }
  const each = Math.floor(excess / 256);
  let left = excess - each * 256;
  for (const value of counts.keys()) counts[value] = (counts[value] as number) + each;
  if (left > 0) {
    const step = Math.max(1, Math.floor(256 / left));
    for (let value = 0; value < 256 && left > 0; value += step, left--) counts[value] = (counts[value] as number) + 1;
  }
  const scale = Math.fround(255 / area);
  const table = new Uint8Array(256);
  let sum = 0;
  for (const [value, count] of counts.entries()) {
    sum += count;
    table[value] = Math.min(255, Math.round(sum * scale));
  }
  return table;
}
