/**
 * How the shader is fed: parameters of the round, and inputs of each tile. Both are words, little-endian.
 *
 * Parameters: width and height of the source, 0, is it drawn, seed, kind of the partial, stages, grid of cells, words of an
 * area of scratch, where the passes are listed; from 16 on the stages (op, radius, input's width and height, border,
 * output's width, height and channels, two numbers, where its data are, bytes before its tables, input's channels), then
 * the passes (stage in the upper bits, phase in the lower four) and the stages' data.
 *
 * Inputs: tile, where the tables of earlier rounds are and the pixels of the source, channels of the output; from 4 on what
 * each stage reads and what the last makes (x0, y0, x1, y1), then where each stage's own data are, and the output's size.
 */
import type { GpuProgram } from "../../contract.ts";
import { type ImagePayload, isDrawn } from "./payload.ts";
import { codes, kinds, programOf, type Stage } from "./program.ts";
import { cutOf, type Region, regionsOf, tileRegion } from "./regions.ts";
import * as shades from "./shades.ts";

const HEADER = 16;
const WORDS = 16;
const HEAD_BYTES = 12;
const phases = { load: 0, first: 1, second: 2, write: 3, count: 4 } as const;

const twoPhased: ReadonlySet<number> = new Set([
  codes.box,
  codes.gaussian,
  codes.unsharp,
  codes.adaptive,
  codes.resize,
  codes.canny,
]);
/** An invocation makes all channels of a pixel. */
const pixelWise: ReadonlySet<number> = new Set([codes.bilateral, codes.nonLocal, codes.hsv, codes.lab]);

/** Of these the arithmetic is in floating point: GPUs may be off by one. */
const floating: ReadonlySet<number> = new Set([codes.lab, codes.cells]);

/**
 * How far a sample may be off on a GPU: 0, or 1 where the last stage is in floating point. Null where such a stage is
 * followed by others, which would make more of it: then GPUs take no part.
 */
export function slackOf(payload: ImagePayload): 0 | 1 | null {
  const { stages } = programOf(payload);
  const at = stages.findIndex(({ code }) => floating.has(code));
  if (at < 0) return 0;
  return at === stages.length - 1 ? 1 : null;
}

const roundOf = (payload: ImagePayload, round: number) =>
  programOf(payload).rounds[round] as ReturnType<typeof programOf>["rounds"][number];
const areaOf = ({ x0, y0, x1, y1 }: Region): number => (x1 - x0) * (y1 - y0);

interface Pass {
  stage: number;
  phase: number;
  /** Invocations, for the regions of a tile. */
  count(regions: readonly Region[]): number;
}

function passesFor(payload: ImagePayload, round: number): Pass[] {
  const { source, stages } = programOf(payload);
  const { stages: used, kind, output } = roundOf(payload, round);
  const passes: Pass[] = [
    { stage: 0, phase: phases.load, count: ([from]) => areaOf(from as Region) * source.channels },
  ];
  for (const [stage, { code, output: to }] of stages.slice(0, used).entries()) {
    const made = (regions: readonly Region[]): number => {
      const pixels = areaOf(regions[stage + 1] as Region);
      return pixelWise.has(code) ? pixels : pixels * to.channels;
    };
    if (!twoPhased.has(code)) {
      passes.push({ stage, phase: phases.first, count: made });
      continue;
    }
    passes.push({ stage, phase: phases.first, count: (regions) => middleOf(stages[stage] as Stage, regions, stage) });
    passes.push({ stage, phase: phases.second, count: made });
  }
  const samples = (regions: readonly Region[]): number => areaOf(regions[used] as Region) * output.channels;
  const words = (regions: readonly Region[]): number => (kind === kinds.pixels ? Math.ceil(samples(regions) / 4) : 0);
  passes.push({ stage: used, phase: phases.write, count: (regions) => HEAD_BYTES / 4 + words(regions) });
  if (kind !== kinds.pixels) passes.push({ stage: used, phase: phases.count, count: samples });
  return passes;
}

/** What lies between the two phases of a stage. */
function middleOf({ code, output }: Stage, regions: readonly Region[], at: number): number {
  const [from, to] = [regions[at] as Region, regions[at + 1] as Region];
  if (code === codes.canny) return (to.x1 - to.x0 + 2) * (to.y1 - to.y0 + 2);
  return (from.y1 - from.y0) * (to.x1 - to.x0) * output.channels;
}

/** Words of one of the three areas: regions of other tiles may be a little larger than those that were looked at. */
function areaWords(payload: ImagePayload): number {
  const { rounds, stages } = programOf(payload);
  const { edge, windowBytes } = cutOf(payload);
  let most = windowBytes;
  for (const round of rounds.keys()) {
    const regions = regionsOf(payload, round, edge, 0);
    for (const [at, { input }] of stages.slice(0, rounds[round]?.stages).entries()) {
      const [from, to] = [regions[at] as Region, regions[at + 1] as Region];
      const rows = Math.min(input.height, 2 * (from.y1 - from.y0) + 8);
      most = Math.max(most, rows * (to.x1 - to.x0 + 2) * 3, (to.x1 - to.x0 + 2) * (to.y1 - to.y0 + 2));
    }
  }
  return Math.ceil((most * 9) / 8) + 64;
}

const wholes = new WeakMap<ImagePayload, Uint8Array[]>();

function paramsOf(payload: ImagePayload, round: number): Uint8Array {
  const made = wholes.get(payload) ?? [];
  wholes.set(payload, made);
  made[round] ??= makeParams(payload, round);
  return made[round];
}

function makeParams(payload: ImagePayload, round: number): Uint8Array {
  const { source, stages } = programOf(payload);
  const { stages: count, kind, table } = roundOf(payload, round);
  const used = stages.slice(0, count);
  const passes = passesFor(payload, round);
  const data = used.map(shades.dataOf);
  const passesAt = HEADER + WORDS * count;
  let at = passesAt + passes.length;
  const words = new Int32Array(at + data.reduce((sum, { length }) => sum + length, 0));
  const seed = "drawn" in payload.image ? (payload.image.drawn.seed ?? 0) : 0;
  words.set([source.width, source.height, 0, isDrawn(payload) ? 1 : 0, seed | 0, kind, count, table?.grid ?? 0]);
  words.set([areaWords(payload), passesAt], 8);
  for (const [index, stage] of used.entries()) {
    const { code, radius, border, input, output } = stage;
    const own = data[index] as Int32Array;
    words.set(
      [code, radius, input.width, input.height, border, output.width, output.height, output.channels]
        .concat(shades.numbersOf(stage))
        .concat([at, stage.table?.offset ?? 0, input.channels]),
      HEADER + WORDS * index,
    );
    words.set(own, at);
    at += own.length;
  }
  words.set(
    passes.map(({ stage, phase }) => (stage << 4) | phase),
    passesAt,
  );
  return new Uint8Array(words.buffer);
}

function inputsOf(
  payload: ImagePayload,
  round: number,
  tile: number,
  window: Uint8Array | null,
  tables: Uint8Array | null,
): Uint8Array {
  const { stages } = programOf(payload);
  const { stages: used, output } = roundOf(payload, round);
  const regions = regionsOf(payload, round, cutOf(payload).edge, tile);
  const own = stages.slice(0, used).map((stage, at) => shades.placesOf(stage, regions[at + 1] as Region));
  const ownAt = 4 + 4 * (used + 1);
  let at = ownAt + used + 2;
  const head: number[] = [tile, 0, 0, output.channels, ...regions.flatMap(({ x0, y0, x1, y1 }) => [x0, y0, x1, y1])];
  const placed = own.map((make) => {
    const data = make(at);
    const where = at;
    at += data.length;
    return { where, data };
  });
  const tablesAt = at;
  at += Math.ceil((tables?.length ?? 0) / 4);
  const pixelsAt = at;
  const pixels = window?.subarray(16) ?? new Uint8Array(0);
  const words = new Int32Array(at + Math.ceil(pixels.length / 4));
  words.set([...head, ...placed.map(({ where }) => where), output.width, output.height]);
  [words[1], words[2]] = [tablesAt, pixelsAt];
  for (const { where, data } of placed) words.set(data, where);
  const bytes = new Uint8Array(words.buffer);
  if (tables) bytes.set(tables, 4 * tablesAt);
  bytes.set(pixels, 4 * pixelsAt);
  return bytes;
}

/** The window of a tile in what came with the slice. */
function windowOf(slice: { bytes: Uint8Array; first: number }, tile: number): Uint8Array {
  const view = new DataView(slice.bytes.buffer, slice.bytes.byteOffset, slice.bytes.length);
  let at = 0;
  for (let index = slice.first; ; index++) {
    const word = (of: number): number => view.getInt32(at + 4 * of, true);
    const length = 16 + (word(2) - word(0)) * (word(3) - word(1)) * 3;
    if (index === tile) return slice.bytes.subarray(at, at + length);
    at += length;
  }
}

function partialBytes(payload: ImagePayload, round: number, tile: number): number {
  const { kind, output, table } = roundOf(payload, round);
  if (kind === kinds.histogram) return HEAD_BYTES + 1024;
  if (kind === kinds.cells) return HEAD_BYTES + 512 * (table?.grid ?? 1) ** 2;
  return HEAD_BYTES + areaOf(tileRegion(payload, round, cutOf(payload).edge, tile)) * output.channels;
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

function countsOf(payload: ImagePayload, round: number, tile: number): number[] {
  const regions = regionsOf(payload, round, cutOf(payload).edge, tile);
  return passesFor(payload, round).map((pass) => pass.count(regions));
}

export const gpu: GpuProgram<ImagePayload> = {
  workgroupSize: () => 64,
  params: paramsOf,
  // Of any tile and round: pixels of a whole one, or 64 cells' counts.
  outputBytes: (payload) => Math.max(HEAD_BYTES + cutOf(payload).edge ** 2 * 3, HEAD_BYTES + 512 * 64) & ~3,
  invocations: (payload, tasks) => tasks * total(countsOf(payload, 0, 0)),
  passes: (payload, round, lo) => countsOf(payload, round, lo),
  scratchBytes: (payload) => 12 * areaWords(payload),
  inputs: (payload, round, lo, _hi, slice, tables) =>
    inputsOf(payload, round, lo, slice && windowOf(slice, lo), tables),
  decode: (payload, round, lo, _hi, output) => output.slice(0, partialBytes(payload, round, lo)),
};
