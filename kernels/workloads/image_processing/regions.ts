/** Which part of the source a tile needs: at least what `stages.as.ts` will read. */
import type { ImagePayload } from "./payload.ts";
import { codes, methods, programOf, type Stage } from "./program.ts";

export interface Region {
  x0: number;
  y0: number;
  x1: number;
  y1: number;
}

export function tilesOf(payload: ImagePayload, round: number, edge: number): { across: number; count: number } {
  const { output } = programOf(payload).rounds[round] as { output: { width: number; height: number } };
  const across = Math.ceil(output.width / edge);
  return { across, count: across * Math.ceil(output.height / edge) };
}

/** Of the round's output. */
export function tileRegion(payload: ImagePayload, round: number, edge: number, tile: number): Region {
  const { output } = programOf(payload).rounds[round] as { output: { width: number; height: number } };
  const { across } = tilesOf(payload, round, edge);
  const [x0, y0] = [(tile % across) * edge, Math.floor(tile / across) * edge];
  return { x0, y0, x1: Math.min(x0 + edge, output.width), y1: Math.min(y0 + edge, output.height) };
}

/** Of the source. */
export function sourceRegion(payload: ImagePayload, round: number, edge: number, tile: number): Region {
  return regionsOf(payload, round, edge, tile)[0] as Region;
}

/** What each stage reads, and the tile itself. */
export function regionsOf(payload: ImagePayload, round: number, edge: number, tile: number): Region[] {
  const { stages, rounds } = programOf(payload);
  const regions = [tileRegion(payload, round, edge, tile)];
  for (let at = (rounds[round]?.stages ?? 0) - 1; at >= 0; at--)
    regions.unshift(reach(stages[at] as Stage, regions[0] as Region));
  return regions;
}

function reach(stage: Stage, { x0, y0, x1, y1 }: Region): Region {
  const { width, height } = stage.input;
  if (stage.code === codes.resize) {
    const [method] = stage.numbers;
    return clipped(
      firstTap(x0, width, stage.output.width, method),
      firstTap(y0, height, stage.output.height, method),
      endTap(x1 - 1, width, stage.output.width, method),
      endTap(y1 - 1, height, stage.output.height, method),
      stage,
    );
  }
  if (stage.code !== codes.warp) {
    const { radius } = stage;
    return clipped(x0 - radius, y0 - radius, x1 + radius, y1 + radius, stage);
  }
  const corners = [
    [x0, y0],
    [x1 - 1, y0],
    [x0, y1 - 1],
    [x1 - 1, y1 - 1],
  ].map(([x = 0, y = 0]) => mapped(stage, x, y));
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return clipped(Math.min(...xs) - 3, Math.min(...ys) - 3, Math.max(...xs) + 5, Math.max(...ys) + 5, stage);
}

/** A point of the source, in whole pixels. */
function mapped(stage: Stage, x: number, y: number): [number, number] {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 1] = new Float64Array(
    (stage.data as Uint8Array).slice().buffer,
  );
  const w = stage.numbers[0] === 1 ? g * x + h * y + i : 1;
  const at = (value: number): number => Math.floor(Math.max(-(2 ** 26), Math.min(2 ** 26, w === 0 ? 0 : value / w)));
  return [at(a * x + b * y + c), at(d * x + e * y + f)];
}

/** Whether the horizon of a perspective crosses the region: its corners tell nothing of what lies between them then. */
export function crossesHorizon(stage: Stage, { x0, y0, x1, y1 }: Region): boolean {
  if (stage.code !== codes.warp || stage.numbers[0] !== 1) return false;
  const [, , , , , , g = 0, h = 0, i = 1] = new Float64Array((stage.data as Uint8Array).slice().buffer);
  const signs = [g * x0 + h * y0 + i, g * x1 + h * y0 + i, g * x0 + h * y1 + i, g * x1 + h * y1 + i].map(Math.sign);
  return signs.some((sign) => sign === 0 || sign !== signs[0]);
}

function clipped(x0: number, y0: number, x1: number, y1: number, { input: { width, height } }: Stage): Region {
  const left = Math.min(Math.max(x0, 0), width - 1);
  const top = Math.min(Math.max(y0, 0), height - 1);
  return {
    x0: left,
    y0: top,
    x1: Math.min(Math.max(x1, left + 1), width),
    y1: Math.min(Math.max(y1, top + 1), height),
  };
}

export function firstTap(i: number, from: number, to: number, method: number): number {
  const scale = from / to;
  if (method === methods.area) return Math.floor(i * scale + 1e-9);
  if (method === methods.bilinear) return Math.floor((i + 0.5) * scale - 0.5);
  return Math.floor((i + 0.5) * scale - 3 * Math.max(scale, 1));
}

export function endTap(i: number, from: number, to: number, method: number): number {
  const scale = from / to;
  if (method === methods.area) return Math.ceil((i + 1) * scale - 1e-9);
  if (method === methods.bilinear) return firstTap(i, from, to, method) + 2;
  return Math.ceil((i + 0.5) * scale + 3 * Math.max(scale, 1));
}

const areaOf = ({ x0, y0, x1, y1 }: Region): number => (x1 - x0) * (y1 - y0);

/** Of a window, so that a lease carries several, and a tab's memory stays small. */
export const windowBytesMax = 1 << 20;
const edges = [128, 64, 32, 16];

export interface Cut {
  edge: number;
  /** Largest part of the source, and of any stage, that a tile needs. */
  windowBytes: number;
  /** Of the operations, in the order of stages, the one that makes them too large; null where all is well. */
  tooLarge: boolean;
  horizon: boolean;
}

const cuts = new WeakMap<ImagePayload, Cut>();

/** The largest tile whose parts are small enough. */
export function cutOf(payload: ImagePayload): Cut {
  let cut = cuts.get(payload);
  if (!cut) {
    const tried = (payload.tile === undefined ? edges : [payload.tile]).map((edge) => measured(payload, edge));
    cut = tried.find(({ tooLarge }) => !tooLarge) ?? (tried.at(-1) as Cut);
    cuts.set(payload, cut);
  }
  return cut;
}

/** Tiles that are looked at: their parts hardly differ, save at the corners, and a large image has a million. */
const sampleMax = 2_048;

function* sampled({ across, count }: { across: number; count: number }): Iterable<number> {
  yield* new Set([0, across - 1, count - across, count - 1]);
  // Not a multiple of the row: every column comes up.
  const stride = Math.max(1, Math.floor(count / sampleMax)) | 1;
  for (let tile = 0; tile < count; tile += stride) yield tile;
}

function measured(payload: ImagePayload, edge: number): Cut {
  const { rounds, stages } = programOf(payload);
  let windowBytes = 0;
  let horizon = false;
  for (const round of rounds.keys()) {
    for (const tile of sampled(tilesOf(payload, round, edge))) {
      const regions = regionsOf(payload, round, edge, tile);
      for (const region of regions) windowBytes = Math.max(windowBytes, areaOf(region) * 3);
      horizon ||= stages.some(
        (stage, at) => at + 1 < regions.length && crossesHorizon(stage, regions[at + 1] as Region),
      );
      if (windowBytes > windowBytesMax) return { edge, windowBytes, tooLarge: true, horizon };
    }
  }
  return { edge, windowBytes, tooLarge: false, horizon };
}
