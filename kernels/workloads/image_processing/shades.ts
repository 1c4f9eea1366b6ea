/**
 * What the shader's stages look up: weights and tables, made by the host as the WebAssembly kernel makes its own, so that
 * the shader adds and multiplies whole numbers only.
 */
import { cellSizeOf } from "./cells.ts";
import { codes, methods, type Stage } from "./program.ts";
import { endTap, firstTap, type Region } from "./regions.ts";

/** Half to even, as `nearest` of WebAssembly. */
function nearest(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const floatsOf = (data: Uint8Array): Float64Array => new Float64Array(data.slice().buffer);
const bitsOf = (values: readonly number[]): Int32Array => new Int32Array(Float32Array.from(values).buffer);

/** Of a stage, whatever the tile. */
export function dataOf(stage: Stage): Int32Array {
  const { code, radius, data, input, output, numbers } = stage;
  switch (code) {
    case codes.box:
    case codes.adaptive:
      return new Int32Array(2 * radius + 1).fill(1);
    case codes.gaussian:
    case codes.unsharp:
      return gaussianWeights(radius, floatsOf(data as Uint8Array)[0] as number);
    case codes.extreme:
    case codes.correlate:
      return new Int32Array((data as Uint8Array).slice().buffer);
    case codes.bilateral:
      return bilateralWeights(stage);
    case codes.nonLocal:
      return nonLocalWeights(stage);
    case codes.hsv:
      return Int32Array.from({ length: 512 }, (_, at) => {
        const divisor = at & 255;
        if (divisor === 0) return 0;
        return nearest(at < 256 ? 1_044_480 / divisor : 737_280 / (6 * divisor));
      });
    case codes.lab:
      return bitsOf(Array.from({ length: 256 }, (_, at) => linearOf(at / 255)));
    case codes.table:
      return Int32Array.from(data as Uint8Array);
    case codes.cells: {
      const [wide, high] = [
        cellSizeOf(output.width, output.height, numbers[0]),
        cellSizeOf(output.height, output.width, numbers[1]),
      ];
      return bitsOf([1 / Math.fround(wide), 1 / Math.fround(high)]);
    }
    default:
      return new Int32Array(input.width > 0 ? 0 : 1);
  }
}

/** The stage's two numbers, of which bilateral tells how many points there are. */
export function numbersOf(stage: Stage): [number, number] {
  return stage.code === codes.bilateral ? [discOf(stage.radius).length, 0] : stage.numbers;
}

/** Of a stage in a tile: `make` is told at which word it begins. */
export function placesOf(stage: Stage, region: Region): (at: number) => Int32Array {
  if (stage.code === codes.resize) return (at) => taps(stage, region, at);
  if (stage.code === codes.warp)
    return () => (stage.numbers[0] === 1 ? perspective(stage, region) : affine(stage, region));
  return () => new Int32Array(0);
}

const linearOf = (share: number): number => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4);

/** In 1/4096, their sum exactly 1. */
function gaussianWeights(radius: number, sigma: number): Int32Array {
  const bell = Array.from({ length: 2 * radius + 1 }, (_, at) => Math.exp(-((at - radius) ** 2) / (2 * sigma * sigma)));
  const total = bell.reduce((sum, value) => sum + value, 0);
  const weights = Int32Array.from(bell, (value) => nearest((value / total) * 4096));
  const left = 4096 - weights.reduce((sum, weight) => sum + weight, 0);
  weights[radius] = (weights[radius] as number) + left;
  return weights;
}

function discOf(radius: number): [x: number, y: number][] {
  const points: [number, number][] = [];
  for (let y = -radius; y <= radius; y++)
    for (let x = -radius; x <= radius; x++) if (x * x + y * y <= radius * radius) points.push([x, y]);
  return points;
}

function bilateralWeights({ data, radius, input }: Stage): Int32Array {
  const [colour = 1, space = 1] = floatsOf(data as Uint8Array);
  const weightOf = (exponent: number): number => nearest(Math.exp(exponent) * 65_536);
  const byColour = Array.from({ length: 255 * input.channels + 1 }, (_, d) =>
    weightOf(-(d * d) / (2 * colour * colour)),
  );
  const points = discOf(radius).flatMap(([x, y]) => [x, y, weightOf(-(x * x + y * y) / (2 * space * space))]);
  return Int32Array.from([...byColour, ...points]);
}

/** Shift, number of weights, weights: those of larger distances are 0. */
function nonLocalWeights({ data, numbers: [patch, search], input: { channels } }: Stage): Int32Array {
  const [strength = 1] = floatsOf(data as Uint8Array);
  const side = 2 * patch + 1;
  let shift = 0;
  while (1 << shift < side * side) shift++;
  const spread = (1 << shift) / (side * side);
  const window = 2 * search + 1;
  const one = Math.trunc(2_147_483_647 / (window * window * 255));
  const distances = Math.trunc((255 * 255 * channels) / spread + 1);
  const weights: number[] = [];
  for (let d = 0; d < distances; d++) {
    const weight = one * Math.exp((-d * spread) / (strength * strength * channels));
    if (weight < 0.001 * one) break;
    weights.push(nearest(weight));
  }
  return Int32Array.from([shift, weights.length, ...weights]);
}

const WEIGHT_BITS = 14;
const TAPS_MAX = 256;

function lanczos(x: number): number {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
}

function weigh(i: number, tap: number, scale: number, method: number): number {
  if (method === methods.area) return Math.min(tap + 1, (i + 1) * scale) - Math.max(tap, i * scale);
  const centre = (i + 0.5) * scale;
  if (method === methods.bilinear) return 1 - Math.abs(tap + 0.5 - centre);
  return lanczos((tap + 0.5 - centre) / Math.max(scale, 1));
}

/** Of output `i` along one direction, whose sum is exactly 1: what rounding leaves over is the largest's. */
function tapsAt(i: number, from: number, to: number, method: number): { first: number; weights: number[] } {
  const first = firstTap(i, from, to, method);
  const count = Math.min(endTap(i, from, to, method) - first, TAPS_MAX);
  const shares = Array.from({ length: count }, (_, k) => weigh(i, first + k, from / to, method));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const weights: number[] = [];
  let left = 1 << WEIGHT_BITS;
  let largest = 0;
  for (const [k, share] of shares.entries()) {
    const weight = nearest((share / total) * (1 << WEIGHT_BITS));
    weights.push(weight);
    left -= weight;
    if (weight > (weights[largest] as number)) largest = k;
  }
  weights[largest] = (weights[largest] as number) + left;
  return { first, weights };
}

/** Of each column, then of each row: first tap, how many, the word where their weights begin; then the weights. */
function taps({ input, output, numbers: [method] }: Stage, { x0, y0, x1, y1 }: Region, at: number): Int32Array {
  const lines = [
    ...Array.from({ length: x1 - x0 }, (_, x) => tapsAt(x0 + x, input.width, output.width, method)),
    ...Array.from({ length: y1 - y0 }, (_, y) => tapsAt(y0 + y, input.height, output.height, method)),
  ];
  const words: number[] = [];
  let where = at + 3 * lines.length;
  for (const { first, weights } of lines) {
    words.push(first, weights.length, where);
    where += weights.length;
  }
  for (const { weights } of lines) for (const weight of weights) words.push(weight);
  return Int32Array.from(words);
}

const whole = (value: number): number => nearest(Math.min(Math.max(value, -2_147_483_648), 2_147_483_647));

/** Of each column and then each row, what it adds to both coordinates in 1/1024. */
function affine({ data }: Stage, { x0, y0, x1, y1 }: Region): Int32Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = floatsOf(data as Uint8Array);
  const columns = Array.from({ length: x1 - x0 }, (_, at) => [
    whole(a * (x0 + at) * 1024),
    whole(d * (x0 + at) * 1024),
  ]);
  const rows = Array.from({ length: y1 - y0 }, (_, at) => [
    whole((b * (y0 + at) + c) * 1024),
    whole((e * (y0 + at) + f) * 1024),
  ]);
  return Int32Array.from([...columns, ...rows].flat());
}

/** Both coordinates of each pixel, in 1/32. */
function perspective({ data }: Stage, { x0, y0, x1, y1 }: Region): Int32Array {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0, i = 0] = floatsOf(data as Uint8Array);
  const words = new Int32Array(2 * (x1 - x0) * (y1 - y0));
  let at = 0;
  for (let y = y0; y < y1; y++)
    for (let x = x0; x < x1; x++) {
      const w = g * x + h * y + i;
      const scale = w === 0 ? 0 : 32 / w;
      words[at++] = whole((a * x + b * y + c) * scale);
      words[at++] = whole((d * x + e * y + f) * scale);
    }
  return words;
}
