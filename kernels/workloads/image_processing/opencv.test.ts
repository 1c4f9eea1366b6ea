/** Each operation against OpenCV, borders included, and every pipeline alike however it is cut into tiles. */
import { createRequire } from "node:module";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { rotation } from "./matrix.ts";
import type { Operation } from "./payload.ts";
import { draw } from "./picture.ts";
import { onWasm, type Picture, payloadOf, process } from "./testing.ts";

// biome-ignore lint/suspicious/noExplicitAny: OpenCV's own types name a fraction of it.
const cv: any = createRequire(import.meta.url)("@techstark/opencv-js");
beforeAll(async () => {
  // The module has a `then` of its own, which must not be awaited.
  if (!cv.Mat) await new Promise<void>((done) => (cv.onRuntimeInitialized = () => done()));
});

const drawn = (width: number, height: number): Picture => ({
  width,
  height,
  channels: 3,
  pixels: draw(width, height, 7),
});
const picture = drawn(149, 107);

// biome-ignore lint/suspicious/noExplicitAny: as above.
type Mat = any;

/** What OpenCV makes of the picture; of its grey form where `grey` is set. */
function byOpenCv(from: Picture, grey: boolean, make: (source: Mat, output: Mat) => void): Picture {
  let source = cv.matFromArray(from.height, from.width, cv.CV_8UC3, from.pixels);
  if (grey) {
    const one = new cv.Mat();
    cv.cvtColor(source, one, cv.COLOR_RGB2GRAY);
    source.delete();
    source = one;
  }
  const output = new cv.Mat();
  make(source, output);
  const made = {
    width: output.cols,
    height: output.rows,
    channels: output.channels(),
    pixels: Uint8Array.from(output.data),
  };
  source.delete();
  output.delete();
  return made;
}

/** Decibels; infinite where nothing differs. */
function psnr(a: Picture, b: Picture): number {
  expect([a.width, a.height, a.channels]).toEqual([b.width, b.height, b.channels]);
  const squares = a.pixels.reduce((sum, value, at) => sum + (value - (b.pixels[at] as number)) ** 2, 0);
  return squares === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10((255 ** 2 * a.pixels.length) / squares);
}

const toBytes = (wide: Mat, output: Mat): void => cv.convertScaleAbs(wide, output);
const size = (side: number) => new cv.Size(side, side);
const anchor = () => new cv.Point(-1, -1);
const morph = (kind: "erode" | "dilate", side: number, shape: number) => (source: Mat, output: Mat) =>
  cv[kind](
    source,
    output,
    cv.getStructuringElement(shape, size(side)),
    anchor(),
    1,
    cv.BORDER_CONSTANT,
    cv.morphologyDefaultBorderValue(),
  );
const compound = (op: number, side: number) => (source: Mat, output: Mat) =>
  cv.morphologyEx(source, output, op, cv.Mat.ones(side, side, cv.CV_8U));
const matrixOf = (rows: number[][]): Mat => cv.matFromArray(rows.length, 3, cv.CV_64F, rows.flat());
const turn = [
  [0.9, -0.3, 12],
  [0.25, 1.1, -9],
];
const lens = [
  [1.05, 0.1, -8],
  [-0.06, 0.98, 5],
  [0.0007, -0.0004, 1],
];
const sharpening = [
  [-1, -0.5, 0],
  [-0.25, 4, 0.25],
  [0, 0.5, -2],
];

interface Case {
  name: string;
  operations: () => Operation[];
  grey?: boolean;
  make: (source: Mat, output: Mat) => void;
  /** Decibels that are due; exact without it. */
  least?: number;
}

const cases: Case[] = [
  { name: "grey", operations: () => [{ op: "grey" }], make: (s, o) => cv.cvtColor(s, o, cv.COLOR_RGB2GRAY) },
  { name: "hsv", operations: () => [{ op: "hsv" }], make: (s, o) => cv.cvtColor(s, o, cv.COLOR_RGB2HSV) },
  { name: "lab", operations: () => [{ op: "lab" }], make: (s, o) => cv.cvtColor(s, o, cv.COLOR_RGB2Lab), least: 50 },
  ...[0.8, 2.3, 7].map(
    (sigma): Case => ({
      name: `gaussian_blur of ${sigma}`,
      operations: () => [{ op: "gaussian_blur", sigma }],
      make: (s, o) => cv.GaussianBlur(s, o, size(0), sigma),
      least: 50,
    }),
  ),
  ...[3, 15].map(
    (side): Case => ({
      name: `box_blur of ${side}`,
      operations: () => [{ op: "box_blur", size: side }],
      make: (s, o) => cv.blur(s, o, size(side)),
    }),
  ),
  ...[3, 5, 11].map(
    (side): Case => ({
      name: `median of ${side}`,
      operations: () => [{ op: "median", size: side }],
      make: (s, o) => cv.medianBlur(s, o, side),
    }),
  ),
  {
    name: "bilateral",
    operations: () => [{ op: "bilateral", diameter: 9, sigma_color: 40, sigma_space: 4 }],
    make: (s, o) => cv.bilateralFilter(s, o, 9, 40, 4),
    least: 50,
  },
  {
    name: "bilateral of grey",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "bilateral", diameter: 7, sigma_color: 25, sigma_space: 3 }],
    make: (s, o) => cv.bilateralFilter(s, o, 7, 25, 3),
    least: 50,
  },
  {
    name: "unsharp",
    operations: () => [{ op: "unsharp", sigma: 1.5, amount: 0.75 }],
    make: (s, o) => {
      const soft = new cv.Mat();
      cv.GaussianBlur(s, soft, size(0), 1.5);
      cv.addWeighted(s, 1.75, soft, -0.75, 0, o);
    },
    least: 50,
  },
  ...(["x", "y"] as const).map(
    (direction): Case => ({
      name: `sobel in ${direction}`,
      operations: () => [{ op: "sobel", direction }],
      make: (s, o) => {
        const wide = new cv.Mat();
        cv.Sobel(s, wide, cv.CV_16S, direction === "x" ? 1 : 0, direction === "x" ? 0 : 1);
        toBytes(wide, o);
      },
    }),
  ),
  {
    name: "sobel in both",
    operations: () => [{ op: "sobel" }],
    make: (s, o) => {
      const [x, y] = [new cv.Mat(), new cv.Mat()];
      cv.Sobel(s, x, cv.CV_16S, 1, 0);
      cv.Sobel(s, y, cv.CV_16S, 0, 1);
      const sum = Int32Array.from(x.data16S as Int16Array, (dx, at) =>
        Math.min(255, Math.abs(dx) + Math.abs(y.data16S[at])),
      );
      cv.matFromArray(s.rows, s.cols, cv.CV_8UC3, sum).copyTo(o);
    },
  },
  {
    name: "laplacian",
    operations: () => [{ op: "laplacian" }],
    make: (s, o) => {
      const wide = new cv.Mat();
      cv.Laplacian(s, wide, cv.CV_16S, 1);
      toBytes(wide, o);
    },
  },
  {
    name: "convolve",
    operations: () => [{ op: "convolve", kernel: sharpening, offset: 10 }],
    make: (s, o) => cv.filter2D(s, o, -1, matrixOf(sharpening), anchor(), 10),
    least: 50,
  },
  {
    name: "erode",
    operations: () => [{ op: "erode", size: 5 }],
    make: (s, o) => morph("erode", 5, cv.MORPH_RECT)(s, o),
  },
  {
    name: "dilate",
    operations: () => [{ op: "dilate", size: 9 }],
    make: (s, o) => morph("dilate", 9, cv.MORPH_RECT)(s, o),
  },
  {
    name: "erode by a cross",
    operations: () => [{ op: "erode", size: 7, shape: "cross" }],
    make: (s, o) => morph("erode", 7, cv.MORPH_CROSS)(s, o),
  },
  {
    name: "dilate by an ellipse",
    operations: () => [{ op: "dilate", size: 9, shape: "ellipse" }],
    make: (s, o) => morph("dilate", 9, cv.MORPH_ELLIPSE)(s, o),
  },
  { name: "open", operations: () => [{ op: "open", size: 5 }], make: (s, o) => compound(cv.MORPH_OPEN, 5)(s, o) },
  { name: "close", operations: () => [{ op: "close", size: 3 }], make: (s, o) => compound(cv.MORPH_CLOSE, 3)(s, o) },
  ...(
    [
      [74, 53],
      [50, 100],
      [21, 9],
    ] as const
  ).map(
    ([width, height]): Case => ({
      name: `resize to ${width} x ${height} by area`,
      operations: () => [{ op: "resize", width, height, method: "area" }],
      make: (s, o) => cv.resize(s, o, new cv.Size(width, height), 0, 0, cv.INTER_AREA),
      least: 50,
    }),
  ),
  ...(
    [
      [300, 200],
      [100, 71],
    ] as const
  ).map(
    ([width, height]): Case => ({
      name: `resize to ${width} x ${height}, bilinear`,
      operations: () => [{ op: "resize", width, height, method: "bilinear" }],
      make: (s, o) => cv.resize(s, o, new cv.Size(width, height), 0, 0, cv.INTER_LINEAR),
      least: 50,
    }),
  ),
  {
    name: "affine",
    operations: () => [{ op: "affine", matrix: turn }],
    make: (s, o) => cv.warpAffine(s, o, matrixOf(turn), new cv.Size(s.cols, s.rows)),
    least: 50,
  },
  {
    name: "affine to another size",
    operations: () => [{ op: "affine", matrix: turn, width: 90, height: 160 }],
    make: (s, o) => cv.warpAffine(s, o, matrixOf(turn), new cv.Size(90, 160)),
    least: 50,
  },
  {
    name: "rotate",
    operations: () => [{ op: "rotate", degrees: 33 }],
    make: (s, o) => cv.warpAffine(s, o, matrixOf(rotation(33, s.cols, s.rows)), new cv.Size(s.cols, s.rows)),
    least: 50,
  },
  {
    name: "perspective",
    operations: () => [{ op: "perspective", matrix: lens }],
    make: (s, o) => cv.warpPerspective(s, o, matrixOf(lens), new cv.Size(s.cols, s.rows)),
    least: 50,
  },
  {
    name: "equalize",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "equalize" }],
    make: (s, o) => cv.equalizeHist(s, o),
  },
  ...[2, 8].map(
    (grid): Case => ({
      name: `clahe of ${grid} x ${grid} cells`,
      grey: true,
      operations: () => [{ op: "grey" }, { op: "clahe", clip_limit: 3, grid }],
      make: (s, o) => new cv.CLAHE(3, size(grid)).apply(s, o),
      // Its tables are looked up between cells in f32: halves may round either way.
      least: 60,
    }),
  ),
  {
    name: "threshold",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "threshold", method: "binary", value: 100 }],
    make: (s, o) => cv.threshold(s, o, 100, 255, cv.THRESH_BINARY),
  },
  {
    name: "threshold by Otsu",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "threshold", method: "otsu" }],
    make: (s, o) => cv.threshold(s, o, 0, 255, cv.THRESH_OTSU),
  },
  {
    name: "adaptive threshold",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "threshold", method: "adaptive", size: 11, c: 3 }],
    make: (s, o) => cv.adaptiveThreshold(s, o, 255, cv.ADAPTIVE_THRESH_MEAN_C, cv.THRESH_BINARY, 11, 3),
  },
  {
    name: "canny",
    grey: true,
    operations: () => [{ op: "grey" }, { op: "canny", low: 60, high: 160 }],
    make: (s, o) => cv.Canny(s, o, 60, 160),
  },
];

const made = (operations: Operation[], from: Picture, tile: 16 | 32 | 64 | 128, simd = true): Promise<Picture> =>
  process(payloadOf(from, operations, tile), from, onWasm(simd));

describe("against OpenCV", () => {
  it.each(cases)("$name", async ({ operations, grey = false, make, least }) => {
    const ours = await made(operations(), picture, 64);
    const theirs = byOpenCv(picture, grey, make);
    const decibels = psnr(ours, theirs);
    if (least === undefined) expect(decibels).toBe(Number.POSITIVE_INFINITY);
    else expect(decibels).toBeGreaterThanOrEqual(least);
  });
});

describe("against others, where this build of OpenCV has none", () => {
  it.each([
    [75, 54],
    [60, 90],
  ])("resize to %i x %i by Lanczos, as libvips", async (width, height) => {
    const ours = await made([{ op: "resize", width, height }], picture, 64);
    const image = sharp(picture.pixels, { raw: { width: picture.width, height: picture.height, channels: 3 } });
    const pixels = await image
      .resize(width, height, { fit: "fill", kernel: "lanczos3", fastShrinkOnLoad: false })
      .raw()
      .toBuffer();
    expect(psnr(ours, { width, height, channels: 3, pixels })).toBeGreaterThanOrEqual(50);
  });

  it("resize to something larger by Lanczos, as its definition (libvips enlarges by other means)", async () => {
    const ours = await made([{ op: "resize", width: 298, height: 240 }], picture, 64);
    expect(psnr(ours, plainLanczos(picture, 298, 240))).toBeGreaterThanOrEqual(50);
  });

  it("denoise, as non-local means by its definition", async () => {
    const small = drawn(40, 30);
    const [strength, patch, search] = [14, 3, 5];
    const ours = await made([{ op: "denoise", strength, patch: 2 * patch + 1, search: 2 * search + 1 }], small, 16);
    expect(psnr(ours, plainMeans(small, strength, patch, search))).toBeGreaterThanOrEqual(50);
  });
});

/** In f64, the border pixel continued. */
function plainLanczos({ width, height, channels, pixels }: Picture, to: number, down: number): Picture {
  const wave = (x: number): number =>
    x === 0 ? 1 : Math.abs(x) >= 3 ? 0 : (3 * Math.sin(Math.PI * x) * Math.sin((Math.PI * x) / 3)) / (Math.PI * x) ** 2;
  const taps = (i: number, from: number, size: number): [at: number, weight: number][] => {
    const centre = ((i + 0.5) * from) / size;
    const first = Math.floor(centre) - 3;
    const all = Array.from({ length: 7 }, (_, k): [number, number] => [first + k, wave(first + k + 0.5 - centre)]);
    const total = all.reduce((sum, [, weight]) => sum + weight, 0);
    return all.map(([at, weight]) => [Math.min(Math.max(at, 0), from - 1), weight / total]);
  };
  const made = new Uint8Array(to * down * channels);
  for (let y = 0; y < down; y++)
    for (let x = 0; x < to; x++)
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (const [row, high] of taps(y, height, down))
          for (const [column, wide] of taps(x, width, to))
            sum += high * wide * (pixels[(row * width + column) * channels + c] as number);
        made[(y * to + x) * channels + c] = Math.min(255, Math.max(0, Math.round(sum)));
      }
  return { width: to, height: down, channels, pixels: made };
}

/** Buades, Coll and Morel's sum, in f64, over patches of all channels. */
function plainMeans(
  { width, height, channels, pixels }: Picture,
  strength: number,
  patch: number,
  search: number,
): Picture {
  const mirrored = (i: number, n: number): number => (i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i);
  const at = (x: number, y: number, c: number): number =>
    pixels[(mirrored(y, height) * width + mirrored(x, width)) * channels + c] as number;
  const apart = (x: number, y: number, dx: number, dy: number): number => {
    let sum = 0;
    for (let j = -patch; j <= patch; j++)
      for (let i = -patch; i <= patch; i++)
        for (let c = 0; c < channels; c++) sum += (at(x + i, y + j, c) - at(x + i + dx, y + j + dy, c)) ** 2;
    return sum / (2 * patch + 1) ** 2;
  };
  const made = new Uint8Array(pixels.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const sums = [0, 0, 0];
      let total = 0;
      for (let dy = -search; dy <= search; dy++)
        for (let dx = -search; dx <= search; dx++) {
          const weight = Math.exp(-apart(x, y, dx, dy) / (strength ** 2 * channels));
          total += weight;
          for (let c = 0; c < channels; c++) sums[c] = (sums[c] as number) + weight * at(x + dx, y + dy, c);
        }
      for (let c = 0; c < channels; c++) made[(y * width + x) * channels + c] = Math.round((sums[c] as number) / total);
    }
  return { width, height, channels, pixels: made };
}

describe("however it is cut", () => {
  const square = drawn(128, 128);
  const more: { name: string; operations: () => Operation[] }[] = [
    ...cases,
    { name: "denoise", operations: () => [{ op: "grey" }, { op: "denoise", strength: 12, search: 11 }] },
    {
      name: "a pipeline of three rounds",
      operations: () => [
        { op: "median", size: 3 },
        { op: "grey" },
        { op: "equalize" },
        { op: "rotate", degrees: -20 },
        { op: "clahe", grid: 4 },
        { op: "resize", width: 61, height: 77 },
        { op: "gaussian_blur", sigma: 1 },
      ],
    },
  ];
  it.each(more)("$name: 1 tile, 64 tiles, and without SIMD, the same bits", async ({ operations }) => {
    const one = await made(operations(), square, 128);
    const many = await made(operations(), square, 16);
    expect(Buffer.compare(one.pixels, many.pixels)).toBe(0);
    const scalar = await made(operations(), square, 128, false);
    expect(Buffer.compare(one.pixels, scalar.pixels)).toBe(0);
  });
});
