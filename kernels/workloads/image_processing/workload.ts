/** Image pipelines, a tile at a time: filters, resampling, colour, thresholds, edges. */
import { type Belief, defaultPlan, defineWorkload, type FileReader } from "../../contract.ts";
import { gpu, slackOf } from "./gpu.ts";
import type { ImageResult } from "./host.ts";
import { decodeTile, HEAD } from "./layout.ts";
import { firstPart, firstsOf, type Place, partsOf, placeOf, tilesIn } from "./parts.ts";
import { type ImagePayload, isDrawn, payloadSchema, sourceSize } from "./payload.ts";
import { kinds, paramsOfPart, programOf } from "./program.ts";
import { cutOf, type Region, sourceRegion, tileRegion } from "./regions.ts";

/** Operations are nanoseconds of one SIMD WASM thread, as measured in Node 20 on an AMD EPYC core. */
const OPERATIONS_PER_CORE_SECOND = 1e9;
/** Of a slice's windows: a lease is on its way for a second at 8 Mbit/s, and several are sent ahead. */
const INPUT_BYTES = 1 << 20;

const exact: Belief = {
  kind: "exact",
  certificate: "evidence",
  disagreement(a, b) {
    if (a.length !== b.length) return `${a.length} bytes against ${b.length}`;
    const at = a.findIndex((byte, index) => byte !== b[index]);
    return at < 0 ? null : `they differ from byte ${at} on`;
  },
};

/** Where a GPU rounded otherwise: heads alike, and samples off by at most one. */
const nearly: Belief = {
  kind: "tolerance",
  certificate: "evidence",
  disagreement(a, b) {
    if (a.length !== b.length) return `${a.length} bytes against ${b.length}`;
    const at = a.findIndex((byte, index) => Math.abs(byte - (b[index] as number)) > (index < HEAD ? 0 : 1));
    return at < 0 ? null : `byte ${at} is ${a[at]} and ${b[at]}`;
  },
};

/** Of all tiles of a round, about. */
function costOf(payload: ImagePayload): number {
  const { stages, rounds } = programOf(payload);
  let sum = 0;
  for (const { stages: used } of rounds)
    for (const { output, cost } of stages.slice(0, used)) sum += output.width * output.height * cost;
  // Copying, and drawing where nothing was sent.
  const { width, height } = sourceSize(payload);
  return (sum + width * height * (isDrawn(payload) ? 20 : 2)) / rounds.length;
}

const costOfTile = (payload: ImagePayload): number =>
  partsOf(payload).reduce((sum, part) => sum + costOf(part), 0) / tilesIn(payload, 0);

/** How many images there are, of each its first tile and where its parameters begin, and they: at multiples of 8. */
function paramsOf(payload: ImagePayload, round: number): Uint8Array {
  const each = partsOf(payload).map((part) => paramsOfPart(part, round, cutOf(part).edge));
  const firsts = firstsOf(payload, round);
  let at = Math.ceil((4 + 8 * each.length) / 8) * 8;
  const places = each.map(({ length }) => {
    const own = at;
    at += Math.ceil(length / 8) * 8;
    return own;
  });
  const bytes = new Uint8Array(at);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, each.length, true);
  for (const [index, own] of each.entries()) {
    view.setUint32(4 + 8 * index, firsts[index] as number, true);
    view.setUint32(8 + 8 * index, places[index] as number, true);
    bytes.set(own, places[index]);
  }
  return bytes;
}

/** The windows of tiles lo..hi: x0, y0, x1, y1 as i32, then pixels. A row of tiles reads its band of the image once. */
async function windowsOf(
  payload: ImagePayload,
  round: number,
  lo: number,
  hi: number,
  files: FileReader,
): Promise<Uint8Array> {
  const places = Array.from({ length: hi - lo }, (_, at) => placeOf(payload, round, lo + at));
  const regions = places.map(({ part, tile }) => sourceRegion(part, round, cutOf(part).edge, tile));
  const bytesOf = ({ x0, y0, x1, y1 }: Region): number => (x1 - x0) * (y1 - y0) * 3;
  const all = new Uint8Array(regions.reduce((sum, region) => sum + 16 + bytesOf(region), 0));
  const view = new DataView(all.buffer);
  let band = { image: -1, y0: -1, y1: -1, bytes: new Uint8Array(0) };
  let at = 0;
  for (const [index, { x0, y0, x1, y1 }] of regions.entries()) {
    const { image, part } = places[index] as Place;
    if (!part.admitted) throw new Error("the image was not admitted");
    const rowBytes = part.admitted.width * 3;
    if (band.image !== image || band.y0 !== y0 || band.y1 !== y1) {
      const bytes = await files.read(part.admitted.pixels, y0 * rowBytes, y1 * rowBytes);
      band = { image, y0, y1, bytes: new Uint8Array(bytes) };
    }
    for (const [word, value] of [x0, y0, x1, y1].entries()) view.setInt32(at + 4 * word, value, true);
    at += 16;
    for (let y = 0; y < y1 - y0; y++, at += (x1 - x0) * 3) {
      all.set(band.bytes.subarray(y * rowBytes + x0 * 3, y * rowBytes + x1 * 3), at);
    }
  }
  return all;
}

export default defineWorkload<ImagePayload, Region, ImageResult>({
  type: "image_processing",
  title: "Image processing",
  summary:
    "Filters, resizes and analyses an image of up to 200 megapixels, tile by tile, with a pipeline of operations.",
  family: {
    id: "images",
    title: "Image processing",
    summary: "Filters and corrections of pictures, a small tile at a time.",
    optIn: false,
  },
  examples: [
    {
      title: "Denoise and sharpen a drawn picture of 4 megapixels",
      payload: {
        image: { drawn: { width: 2000, height: 2000 } },
        operations: [
          { op: "bilateral", diameter: 9, sigma_color: 40, sigma_space: 4 },
          { op: "unsharp", sigma: 1.5, amount: 0.8 },
        ],
      },
    },
    {
      title: "Edges",
      payload: {
        image: { drawn: { width: 1200, height: 800 } },
        operations: [{ op: "grey" }, { op: "gaussian_blur", sigma: 1.4 }, { op: "canny", low: 60, high: 160 }],
      },
    },
    {
      title: "Even out the light, and halve the size",
      payload: {
        image: { drawn: { width: 1600, height: 1200 } },
        operations: [{ op: "grey" }, { op: "clahe" }, { op: "resize", width: 800, height: 600 }],
        output: { format: "webp" },
      },
    },
  ],
  payload: payloadSchema,
  plan(payload) {
    const parts = partsOf(payload);
    const windowBytes = Math.max(...parts.map((part) => cutOf(part).windowBytes));
    const isForGpus = parts.length === 1 && slackOf(firstPart(payload)) !== null;
    return {
      tasks: tilesIn(payload, 0),
      grainTasks: 1,
      needs: {
        backends: isForGpus ? ["wasm", "webgpu"] : ["wasm"],
        memoryBytes: 24 * 2 ** 20 + 48 * windowBytes,
        engines: [],
      },
      output: "rows",
    };
  },
  task(payload, round, index) {
    const { part, tile } = placeOf(payload, round, index);
    return tileRegion(part, round, cutOf(part).edge, tile);
  },
  cost: (payload, lo, hi) => ({ operations: (hi - lo) * costOfTile(payload), bytes: 0 }),
  opsPerCoreSecond: OPERATIONS_PER_CORE_SECOND,
  belief: (payload, a, b) => (slackOf(firstPart(payload)) === 1 && (a === "webgpu" || b === "webgpu") ? nearly : exact),
  beliefPlan: defaultPlan,
  gpu,
  params: paramsOf,
  calibration: {
    image: { drawn: { width: 128, height: 128 } },
    operations: [{ op: "bilateral", diameter: 15, sigma_color: 40, sigma_space: 4 }],
  },
  sliceGrainsMax(payload) {
    if (isDrawn(payload)) return Number.POSITIVE_INFINITY;
    const windowBytes = Math.max(...partsOf(payload).map((part) => cutOf(part).windowBytes));
    return Math.max(1, Math.floor(INPUT_BYTES / (windowBytes + 16)));
  },
  inputs: (payload, round, lo, hi, files) => (isDrawn(payload) ? null : windowsOf(payload, round, lo, hi, files)),
  describe(payload, partial) {
    const { tile, kind, width, height } = decodeTile(partial);
    const names = payload.operations.map(({ op }) => op).join(", ");
    return kind === kinds.pixels
      ? `tile ${tile + 1}, ${width} x ${height} pixels: ${names}`
      : `tile ${tile + 1}: a histogram`;
  },
});
