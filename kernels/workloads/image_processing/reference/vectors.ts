/**
 * Writes vectors.json from OpenCV's output of the drawn picture, cut into tiles: operations on which both agree to the bit.
 *
 *   node --import tsx kernels/workloads/image_processing/reference/vectors.ts
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { ImagePayload, Operation } from "../payload.ts";
import { draw } from "../picture.ts";
import { cutOf, tileRegion, tilesOf } from "../regions.ts";
import workload from "../workload.ts";

// biome-ignore lint/suspicious/noExplicitAny: OpenCV's own types name a fraction of it.
type Mat = any;
const cv: Mat = createRequire(import.meta.url)("@techstark/opencv-js");
// The module has a `then` of its own, which must not be awaited.
if (!cv.Mat) await new Promise<void>((done) => (cv.onRuntimeInitialized = () => done()));

const size = (side: number): Mat => new cv.Size(side, side);
const toGrey = (source: Mat, output: Mat): void => cv.cvtColor(source, output, cv.COLOR_RGB2GRAY);

const cases: {
  name: string;
  drawn: [width: number, height: number, seed: number];
  operations: Operation[];
  make: (s: Mat, o: Mat) => void;
}[] = [
  { name: "the picture itself", drawn: [40, 30, 1], operations: [], make: (s, o) => s.copyTo(o) },
  { name: "grey", drawn: [33, 17, 2 ** 32 - 1], operations: [{ op: "grey" }], make: toGrey },
  { name: "hue", drawn: [20, 20, 3], operations: [{ op: "hsv" }], make: (s, o) => cv.cvtColor(s, o, cv.COLOR_RGB2HSV) },
  {
    name: "a box",
    drawn: [50, 18, 4],
    operations: [{ op: "box_blur", size: 5 }],
    make: (s, o) => cv.blur(s, o, size(5)),
  },
  {
    name: "a box wider than the picture",
    drawn: [20, 9, 4],
    operations: [{ op: "box_blur", size: 15 }],
    make: (s, o) => cv.blur(s, o, size(15)),
  },
  {
    name: "a median",
    drawn: [35, 35, 5],
    operations: [{ op: "median", size: 5 }],
    make: (s, o) => cv.medianBlur(s, o, 5),
  },
  {
    name: "an opening",
    drawn: [36, 20, 6],
    operations: [{ op: "open", size: 3 }],
    make: (s, o) => cv.morphologyEx(s, o, cv.MORPH_OPEN, cv.Mat.ones(3, 3, cv.CV_8U)),
  },
  {
    name: "grey, then a box, then a median",
    drawn: [45, 19, 7],
    operations: [{ op: "grey" }, { op: "box_blur", size: 3 }, { op: "median", size: 3 }],
    make: (s, o) => {
      const [grey, soft] = [new cv.Mat(), new cv.Mat()];
      toGrey(s, grey);
      cv.blur(grey, soft, size(3));
      cv.medianBlur(soft, o, 3);
    },
  },
];

function partialOf(payload: ImagePayload, pixels: Uint8Array, columns: number, channels: number, tile: number): string {
  const { x0, y0, x1, y1 } = tileRegion(payload, 0, cutOf(payload).edge, tile);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(tile, 0);
  head.writeUInt8(channels, 5);
  head.writeUInt16LE(x1 - x0, 6);
  head.writeUInt16LE(y1 - y0, 8);
  const rows = Array.from({ length: y1 - y0 }, (_, y) =>
    pixels.subarray(((y0 + y) * columns + x0) * channels, ((y0 + y) * columns + x1) * channels),
  );
  return Buffer.concat([head, ...rows]).toString("hex");
}

const written = cases.map(({ name, drawn: [width, height, seed], operations, make }) => {
  const raw = { image: { drawn: { width, height, seed } }, operations, tile: 16 };
  const payload = workload.payload.parse(raw);
  const source = cv.matFromArray(height, width, cv.CV_8UC3, draw(width, height, seed));
  const output = new cv.Mat();
  make(source, output);
  const { count } = tilesOf(payload, 0, 16);
  const tiles = [...new Set([0, 1, count - 1])].filter((tile) => tile < count);
  const grains = tiles.map((grain) => ({
    grain,
    partialHex: partialOf(payload, output.data, output.cols, output.channels(), grain),
  }));
  return { name, payload: raw, grains };
});
writeFileSync(
  fileURLToPath(new URL("../vectors.json", import.meta.url)),
  `${JSON.stringify({ cases: written }, null, 2)}\n`,
);
process.exit(0);
