/**
 * A pipeline as the kernel reads it: primitive stages, and the rounds that find out what some must know of the whole image.
 *
 * Parameters, little-endian: how many images there are; of each its first tile and where its own begin; then for each: 16 words (width, height, channels of the source; drawn; seed; side of a tile; kind of the
 * partial; stages; width, height, channels of what they give; cells across and down; offset of the data), then 16 words for each
 * stage (op, radius, input's width and height, border, output's width, height, channels, two numbers; at 13 and 14 where its
 * data and its tables begin), then the data.
 */
import { inverse3, inverseAffine, rotation } from "./matrix.ts";
import { type ImagePayload, isDrawn, type Operation, type Size, sourceSize } from "./payload.ts";

export const codes = {
  box: 1,
  gaussian: 2,
  unsharp: 3,
  median: 4,
  extreme: 5,
  gradient: 6,
  correlate: 7,
  bilateral: 8,
  nonLocal: 9,
  resize: 10,
  warp: 11,
  grey: 12,
  hsv: 13,
  lab: 14,
  table: 15,
  adaptive: 16,
  translate: 17,
  cells: 18,
  canny: 19,
} as const;

const borders = { reflect: 0, replicate: 1, black: 2, white: 3 } as const;
export const methods = { area: 0, bilinear: 1, lanczos3: 2 } as const;
export const kinds = { pixels: 0, histogram: 1, cells: 2 } as const;

export interface Stage {
  code: number;
  radius: number;
  border: number;
  input: Size;
  output: Size;
  numbers: [number, number];
  data: Uint8Array | null;
  /** Nanoseconds that an output pixel takes, about. */
  cost: number;
  /** What must be known of the whole image before: where the tables are looked up. */
  table: { kind: "equalize" | "otsu" | "clahe"; clip: number; grid: number; offset: number } | null;
}

type Made = Partial<Pick<Stage, "radius" | "border" | "numbers" | "data" | "table">> & {
  code: number;
  output?: Partial<Size>;
  cost: number;
};

const floats = (...values: number[]): Uint8Array => new Uint8Array(Float64Array.from(values).buffer);
const ints = (values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
const fixed = (value: number): number => Math.round(value * 65_536);

/** As OpenCV chooses it for bytes. */
const gaussianRadius = (sigma: number): number => (Math.round(sigma * 6 + 1) | 1) >> 1;

function primitives(operation: Operation, { width, height, channels }: Size, tables: number): Made[] {
  switch (operation.op) {
    case "grey":
      return [{ code: codes.grey, output: { channels: 1 }, cost: 2 }];
    case "hsv":
      return [{ code: codes.hsv, cost: 8 }];
    case "lab":
      return [{ code: codes.lab, cost: 45 }];
    case "gaussian_blur": {
      const radius = gaussianRadius(operation.sigma);
      return [{ code: codes.gaussian, radius, data: floats(operation.sigma), cost: channels * (2 + radius) }];
    }
    case "unsharp": {
      const radius = gaussianRadius(operation.sigma);
      const numbers: [number, number] = [Math.round(operation.amount * 256), 0];
      return [{ code: codes.unsharp, radius, numbers, data: floats(operation.sigma), cost: channels * (4 + radius) }];
    }
    case "box_blur":
      return [{ code: codes.box, radius: operation.size >> 1, cost: channels * (2 + operation.size) }];
    case "median":
      return [
        {
          code: codes.median,
          radius: operation.size >> 1,
          border: borders.replicate,
          cost: channels * 4 * operation.size,
        },
      ];
    case "bilateral": {
      const data = floats(operation.sigma_color, operation.sigma_space);
      return [{ code: codes.bilateral, radius: operation.diameter >> 1, data, cost: 2.5 * operation.diameter ** 2 }];
    }
    case "sobel":
      if (operation.direction === "x") return [correlation([-1, 0, 1, -2, 0, 2, -1, 0, 1], 0, true, channels)];
      if (operation.direction === "y") return [correlation([-1, -2, -1, 0, 0, 0, 1, 2, 1], 0, true, channels)];
      return [{ code: codes.gradient, radius: 1, cost: channels * 4 }];
    case "laplacian":
      return [correlation([0, 1, 0, 1, -4, 1, 0, 1, 0], 0, true, channels)];
    case "convolve":
      return [correlation(operation.kernel.flat(), operation.offset ?? 0, false, channels)];
    case "erode":
    case "dilate":
      return extremes(operation.op === "dilate", operation.size, operation.shape, channels);
    case "open":
    case "close": {
      const first = extremes(operation.op === "close", operation.size, operation.shape, channels);
      return [...first, ...extremes(operation.op === "open", operation.size, operation.shape, channels)];
    }
    case "resize": {
      const { width: to, height: down, method = "lanczos3" } = operation;
      const taps = Math.max(1, width / to) + Math.max(1, height / down);
      const cost = channels * taps * (method === "lanczos3" ? 12 : 4);
      return [{ code: codes.resize, output: { width: to, height: down }, numbers: [methods[method], 0], cost }];
    }
    case "rotate":
      return [affine(rotation(operation.degrees, width, height), {})];
    case "affine":
      return [affine(operation.matrix, sizeOf(operation))];
    case "perspective": {
      const data = floats(...(inverse3(operation.matrix) ?? [0, 0, 0, 0, 0, 0, 0, 0, 1]));
      return [{ code: codes.warp, output: sizeOf(operation), numbers: [1, 0], data, cost: 25 }];
    }
    case "equalize":
      return [{ code: codes.translate, table: { kind: "equalize", clip: 0, grid: 1, offset: tables }, cost: 2 }];
    case "clahe": {
      const { grid = 8, clip_limit: clip = 2 } = operation;
      return [
        { code: codes.cells, numbers: [grid, grid], table: { kind: "clahe", clip, grid, offset: tables }, cost: 12 },
      ];
    }
    case "threshold":
      return [threshold(operation, tables)];
    case "canny":
      return [
        { code: codes.canny, radius: 2, border: borders.replicate, numbers: [operation.low, operation.high], cost: 12 },
      ];
    case "denoise": {
      const [patch, search] = [(operation.patch ?? 7) >> 1, (operation.search ?? 21) >> 1];
      const cost = channels * (2 * patch + 1) * (2 * search + 1) ** 2 * 2;
      return [
        {
          code: codes.nonLocal,
          radius: patch + search,
          numbers: [patch, search],
          data: floats(operation.strength),
          cost,
        },
      ];
    }
  }
}

function correlation(weights: readonly number[], offset: number, sizeOnly: boolean, channels: number): Made {
  const radius = Math.sqrt(weights.length) >> 1;
  const data = ints(weights.map(fixed));
  return {
    code: codes.correlate,
    radius,
    data,
    numbers: [sizeOnly ? 1 : 0, offset],
    cost: channels * weights.length * 1.5,
  };
}

function affine(matrix: readonly number[][], output: Partial<Size>): Made {
  return { code: codes.warp, output, data: floats(...inverseAffine(matrix)), cost: 25 };
}

const sizeOf = ({ width, height }: { width?: number | undefined; height?: number | undefined }): Partial<Size> => ({
  ...(width === undefined ? {} : { width }),
  ...(height === undefined ? {} : { height }),
});

/** A square is its columns and then its rows. */
function extremes(largest: boolean, size: number, shape = "rect", channels = 1): Made[] {
  const radius = size >> 1;
  const border = largest ? borders.black : borders.white;
  const made = (points: [number, number][]): Made => ({
    code: codes.extreme,
    radius,
    border,
    data: ints(points.flat()),
    numbers: [largest ? 1 : 0, points.length],
    cost: channels * (1 + points.length * 0.1),
  });
  const line = Array.from({ length: size }, (_, at) => at - radius);
  if (shape === "rect") return [made(line.map((x) => [x, 0])), made(line.map((y) => [0, y]))];
  if (shape === "cross")
    return [made([...line.map((x): [number, number] => [x, 0]), ...line.map((y): [number, number] => [0, y])])];
  // Rows of an ellipse as OpenCV's getStructuringElement rounds them.
  return [
    made(
      line.flatMap((y) => {
        const half = Math.round(radius * Math.sqrt((radius * radius - y * y) / (radius * radius)));
        return line.filter((x) => Math.abs(x) <= half).map((x): [number, number] => [x, y]);
      }),
    ),
  ];
}

function threshold(operation: Extract<Operation, { op: "threshold" }>, tables: number): Made {
  if (operation.method === "otsu")
    return { code: codes.translate, table: { kind: "otsu", clip: 0, grid: 1, offset: tables }, cost: 2 };
  if (operation.method === "binary") {
    const value = operation.value ?? 127;
    return { code: codes.table, data: Uint8Array.from({ length: 256 }, (_, at) => (at > value ? 255 : 0)), cost: 2 };
  }
  const size = operation.size ?? 11;
  const numbers: [number, number] = [Math.ceil(operation.c ?? 2), 0];
  return { code: codes.adaptive, radius: size >> 1, border: borders.replicate, numbers, cost: 4 + size };
}

/** Bytes that a table takes in a round's input. */
const tableBytes = (grid: number): number => 256 * grid * grid;

export interface Program {
  source: Size;
  stages: readonly Stage[];
  /** Stages that each round runs, and what it answers. The last gives pixels. */
  rounds: readonly { stages: number; kind: number; output: Size; table: Stage["table"] }[];
}

const programs = new WeakMap<ImagePayload, Program>();

export function programOf(payload: ImagePayload): Program {
  let program = programs.get(payload);
  if (!program) {
    program = compile(payload);
    programs.set(payload, program);
  }
  return program;
}

function compile(payload: ImagePayload): Program {
  const source = sourceSize(payload);
  const stages: Stage[] = [];
  const rounds: Program["rounds"][number][] = [];
  let at = source;
  let tables = 0;
  for (const operation of payload.operations) {
    for (const made of primitives(operation, at, tables)) {
      const output = { ...at, ...made.output };
      const table = made.table ?? null;
      if (table) {
        rounds.push({
          stages: stages.length,
          kind: table.kind === "clahe" ? kinds.cells : kinds.histogram,
          output: at,
          table,
        });
        tables += tableBytes(table.grid);
      }
      stages.push({
        code: made.code,
        radius: made.radius ?? 0,
        border: made.border ?? borders.reflect,
        input: at,
        output,
        numbers: made.numbers ?? [0, 0],
        data: made.data ?? null,
        cost: made.cost,
        table,
      });
      at = output;
    }
  }
  rounds.push({ stages: stages.length, kind: kinds.pixels, output: at, table: null });
  return { source, stages, rounds };
}

const HEADER = 64;
const RECORD = 64;

/** Of one image. */
export function paramsOfPart(payload: ImagePayload, round: number, edge: number): Uint8Array {
  const { source, stages, rounds } = programOf(payload);
  const { stages: count, kind, output, table } = rounds[round] as Program["rounds"][number];
  const used = stages.slice(0, count);
  const dataAt = HEADER + RECORD * used.length;
  const length = used.reduce((sum, { data }) => sum + aligned(data?.length ?? 0), 0);
  const bytes = new Uint8Array(dataAt + length);
  const view = new DataView(bytes.buffer);
  const write = (at: number, words: readonly number[]): void => {
    for (const [index, word] of words.entries()) view.setInt32(at + 4 * index, word, true);
  };
  const drawn = "drawn" in payload.image ? payload.image.drawn : null;
  const grid = table?.grid ?? 0;
  write(0, [
    source.width,
    source.height,
    source.channels,
    isDrawn(payload) ? 1 : 0,
    drawn?.seed ?? 0,
    edge,
    kind,
    count,
  ]);
  write(32, [output.width, output.height, output.channels, grid, grid, dataAt]);
  let offset = 0;
  for (const [at, { code, radius, border, input, output: to, numbers, data, table: tabled }] of used.entries()) {
    const record = HEADER + RECORD * at;
    write(record, [code, radius, input.width, input.height, border, to.width, to.height, to.channels, ...numbers]);
    write(record + 52, [offset, tabled?.offset ?? 0]);
    if (!data) continue;
    bytes.set(data, dataAt + offset);
    offset += aligned(data.length);
  }
  return bytes;
}

const aligned = (bytes: number): number => Math.ceil(bytes / 8) * 8;
