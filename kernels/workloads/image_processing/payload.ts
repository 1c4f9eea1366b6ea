/** What a researcher asks for: an image, uploaded or drawn, and a pipeline of operations on it. */
import * as z from "zod";

export const PIXELS_MAX = 200_000_000;
const SIDE_MAX = 65_000;
const OPERATIONS_MAX = 32;
/** In one job: its files are made in memory together. */
export const IMAGES_MAX = 64;

const whole = (what: string, min: number, max: number) =>
  z
    .number(`a whole number: ${what}`)
    .int(`a whole number: ${what}`)
    .min(min, `at least ${min}`)
    .max(max, `at most ${max}`);
const real = (what: string, min: number, max: number) =>
  z.number(`a number: ${what}`).min(min, `at least ${min}`).max(max, `at most ${max}`);
const odd = (what: string, max: number) => whole(what, 3, max).refine((size) => size % 2 === 1, "an odd number");
const op = <Name extends string>(name: Name) => z.literal(name);
const number = z.number("a number").min(-1e9, "at least -1e9").max(1e9, "at most 1e9");
const size = {
  width: whole("of the output", 1, SIDE_MAX).optional(),
  height: whole("of the output", 1, SIDE_MAX).optional(),
};
const structure = {
  size: odd("side of the structuring element", 31),
  shape: z.enum(["rect", "cross", "ellipse"], "rect, cross or ellipse").optional().describe("Default rect."),
};

const operation = z.discriminatedUnion(
  "op",
  [
    z.strictObject({ op: op("grey") }),
    z.strictObject({ op: op("hsv") }),
    z.strictObject({ op: op("lab") }),
    z.strictObject({ op: op("gaussian_blur"), sigma: real("standard deviation in pixels", 0.2, 20) }),
    z.strictObject({ op: op("box_blur"), size: odd("side of the box", 63) }),
    z.strictObject({ op: op("median"), size: odd("side of the window", 31) }),
    z.strictObject({
      op: op("bilateral"),
      diameter: odd("diameter of the disc", 31),
      sigma_color: real("of colours", 1, 500),
      sigma_space: real("in pixels", 0.5, 100),
    }),
    z.strictObject({
      op: op("unsharp"),
      sigma: real("standard deviation in pixels", 0.2, 20),
      amount: real("how much", 0, 16),
    }),
    z.strictObject({
      op: op("sobel"),
      direction: z.enum(["x", "y", "both"], "x, y or both").optional().describe("Default both: |dx| + |dy|."),
    }),
    z.strictObject({ op: op("laplacian") }),
    z.strictObject({
      op: op("convolve"),
      kernel: z
        .array(
          z
            .array(real("weight", -256, 256))
            .min(1)
            .max(15),
        )
        .min(1)
        .max(15)
        .describe("Rows of an odd square."),
      offset: whole("added to each sample", -255, 255).optional(),
    }),
    z.strictObject({ op: op("erode"), ...structure }),
    z.strictObject({ op: op("dilate"), ...structure }),
    z.strictObject({ op: op("open"), ...structure }),
    z.strictObject({ op: op("close"), ...structure }),
    z.strictObject({
      op: op("resize"),
      width: whole("of the output", 1, SIDE_MAX),
      height: whole("of the output", 1, SIDE_MAX),
      method: z
        .enum(["area", "bilinear", "lanczos3"], "area, bilinear or lanczos3")
        .optional()
        .describe("Default lanczos3."),
    }),
    z.strictObject({ op: op("rotate"), degrees: real("counter-clockwise, about the middle", -360, 360) }),
    z.strictObject({
      op: op("affine"),
      matrix: z.array(z.array(number).length(3)).length(2).describe("From input to output, two rows of three."),
      ...size,
    }),
    z.strictObject({
      op: op("perspective"),
      matrix: z.array(z.array(number).length(3)).length(3).describe("From input to output, three rows of three."),
      ...size,
    }),
    z.strictObject({ op: op("equalize") }),
    z.strictObject({
      op: op("clahe"),
      clip_limit: real("of a histogram's bins, relative to their mean", 1, 100).optional().describe("Default 2."),
      grid: whole("cells in each direction", 1, 8).optional().describe("Default 8."),
    }),
    z.strictObject({
      op: op("threshold"),
      method: z.enum(["binary", "otsu", "adaptive"], "binary, otsu or adaptive"),
      value: whole("white above it", 0, 255).optional().describe("Of binary. Default 127."),
      size: odd("side of the neighbourhood", 63).optional().describe("Of adaptive. Default 11."),
      c: real("taken from the mean", -255, 255).optional().describe("Of adaptive. Default 2."),
    }),
    z.strictObject({ op: op("canny"), low: whole("threshold", 0, 2040), high: whole("threshold", 0, 2040) }),
    z.strictObject({
      op: op("denoise"),
      strength: real("of non-local means", 1, 100),
      patch: odd("side of a patch", 15).optional().describe("Default 7."),
      search: odd("side of the search window", 35).optional().describe("Default 21."),
    }),
  ],
  "op: one of grey, hsv, lab, gaussian_blur, box_blur, median, bilateral, unsharp, sobel, laplacian, convolve, erode, dilate, open, close, resize, rotate, affine, perspective, equalize, clahe, threshold, canny, denoise",
);
export type Operation = z.infer<typeof operation>;

const drawn = z.strictObject({
  width: whole("of the picture", 1, SIDE_MAX),
  height: whole("of the picture", 1, SIDE_MAX),
  seed: whole("of its noise", 0, 2 ** 32 - 1).optional(),
});
const blob = z.string().regex(/^[0-9a-f]{64}$/, "the blob's name, of POST /api/v1.2/blobs");
const image = z.union(
  [
    z.strictObject({ blob }),
    z.strictObject({ blobs: z.array(blob).min(1).max(IMAGES_MAX).describe("Several uploads, each by itself.") }),
    z.strictObject({ drawn }),
  ],
  "{blob: ...} of an upload, {blobs: [...]} of several, or {drawn: {width, height}}",
);

/** What the coordinator found out of an upload. */
const admitted = z.strictObject({
  width: z.number(),
  height: z.number(),
  /** Raw RGB, row by row, and a small copy for people. */
  pixels: z.string(),
  before: z.string(),
  before_bytes: z.number(),
});

const shape = z.strictObject({
  image,
  operations: z.array(operation).max(OPERATIONS_MAX, `at most ${OPERATIONS_MAX} operations`),
  output: z
    .strictObject({
      format: z.enum(["png", "jpeg", "webp"], "png, jpeg or webp").optional().describe("Default png."),
      quality: whole("of jpeg and webp", 1, 100).optional().describe("Default 90."),
    })
    .optional(),
  tile: z
    .union([z.literal(16), z.literal(32), z.literal(64), z.literal(128)], "16, 32, 64 or 128")
    .optional()
    .describe("Side of a tile."),
  admitted: admitted.optional().describe("Set by the coordinator."),
  admitted_each: z.array(admitted).optional().describe("Set by the coordinator, where there are several images."),
});
export type ImagePayload = z.infer<typeof shape>;

export const payloadSchema: z.ZodType<ImagePayload> = shape.superRefine((payload, context) => {
  const complain = (path: (string | number)[], message: string): void =>
    context.addIssue({ code: "custom", path, message });
  if ("drawn" in payload.image) {
    const { width, height } = payload.image.drawn;
    if (width * height > PIXELS_MAX) complain(["image", "drawn"], `at most ${PIXELS_MAX} pixels`);
  }
  let channels = 3;
  for (const [at, operation] of payload.operations.entries()) {
    const path = ["operations", at];
    const fault = faultOf(operation, channels, at === payload.operations.length - 1);
    if (fault !== null) complain([...path, fault.field], fault.message);
    if (operation.op === "grey") channels = 1;
  }
});

/** Operations on one channel. */
const greyOnly = ["equalize", "clahe", "threshold", "canny"];

function faultOf(operation: Operation, channels: number, isLast: boolean): { field: string; message: string } | null {
  const { op } = operation;
  if (greyOnly.includes(op) && channels !== 1)
    return { field: "op", message: `${op} takes one channel: put {"op": "grey"} before it` };
  if ((op === "hsv" || op === "lab" || op === "grey") && channels !== 3)
    return { field: "op", message: `${op} takes three channels` };
  if (op === "canny") {
    if (!isLast) return { field: "op", message: "canny comes last: its edges are followed through the whole image" };
    if (operation.low > operation.high) return { field: "low", message: "at most high" };
  }
  if (op === "convolve") {
    const { kernel } = operation;
    if (kernel.length % 2 === 0 || kernel.some((row) => row.length !== kernel.length))
      return { field: "kernel", message: "as many rows as columns, an odd number" };
  }
  if (op === "perspective" || op === "affine") {
    const [[a = 0, b = 0] = [], [d = 0, e = 0] = []] = operation.matrix;
    if (op === "affine" && Math.abs(a * e - b * d) < 1e-9) return { field: "matrix", message: "it cannot be inverted" };
  }
  return null;
}

export interface Size {
  width: number;
  height: number;
  channels: number;
}

/** Of the image at the start. An upload that was not looked at yet counts as one pixel. */
export function sourceSize({ image, admitted, admitted_each }: ImagePayload): Size {
  const { width, height } =
    "drawn" in image ? image.drawn : (admitted ?? admitted_each?.[0] ?? { width: 1, height: 1 });
  return { width, height, channels: 3 };
}

export const isDrawn = ({ image }: ImagePayload): boolean => "drawn" in image;
