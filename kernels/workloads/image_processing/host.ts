/** The coordinator's side: joins what tiles counted, makes tables of it, and puts the picture together. */
import { defineHost, type OutputFile, type Round } from "../../contract.ts";
import { itemsOf, joined, type Ordered, ordered } from "../../ordered.ts";
import { encode, preview, previewSide } from "./encode.ts";
import { follow } from "./hysteresis.ts";
import { countsOf, decodeTile, type Tile } from "./layout.ts";
import { type ImagePayload, isDrawn, type Size } from "./payload.ts";
import { draw } from "./picture.ts";
import { codes, kinds, programOf } from "./program.ts";
import { cutOf, tileRegion, tilesOf } from "./regions.ts";
import { tableOf } from "./tables.ts";

export interface ImageResult {
  width: number;
  height: number;
  channels: number;
  operations: string[];
  tiles: number;
  rounds: number;
}

/** Tiles of pixels, in order; or counts, summed. */
type Part = { pixels: Ordered<Tile> } | { counts: Uint32Array; tile: Tile };

export default defineHost<ImagePayload, Part, ImageResult>({
  decode(_payload, bytes) {
    const tile = decodeTile(bytes);
    return tile.kind === kinds.pixels ? { pixels: ordered([tile]) } : { counts: countsOf(tile), tile };
  },

  /** The frame of a tile; its contents are held against a replay. */
  check(payload, round, lo, _hi, part) {
    const { rounds } = programOf(payload);
    const due = rounds[round];
    const tile = "pixels" in part ? itemsOf(part.pixels, 1)[0] : part.tile;
    if (!due || !tile) return "there is no such round";
    const { x0, y0, x1, y1 } = tileRegion(payload, round, cutOf(payload).edge, lo);
    const grid = due.table?.grid ?? 1;
    const cells = due.kind === kinds.cells ? 512 * grid * grid : tile.data.length;
    const right =
      tile.tile === lo &&
      tile.kind === due.kind &&
      tile.channels === due.output.channels &&
      tile.width === x1 - x0 &&
      tile.height === y1 - y0 &&
      tile.data.length === cells;
    return right ? null : `it is no tile ${lo} of round ${round}`;
  },

  merge(a, b) {
    if ("pixels" in a && "pixels" in b) return { pixels: joined(a.pixels, b.pixels) };
    if (!("counts" in a && "counts" in b)) throw new Error("counts and pixels do not merge");
    return { counts: a.counts.map((count, at) => count + (b.counts[at] ?? 0)), tile: a.tile };
  },

  preview: (_payload, part) =>
    "pixels" in part ? { tiles_done: part.pixels.count } : { looking_at: "the whole image" },

  next(payload, round, part, earlier): Round | null {
    const { rounds } = programOf(payload);
    const due = rounds[round];
    if (!due?.table || !("counts" in part)) return null;
    const { width, height } = due.output;
    const made = tableOf(due.table, part.counts, width, height);
    // Later rounds translate by all of them.
    const input = new Uint8Array(due.table.offset + made.length);
    if (earlier) input.set(earlier);
    input.set(made, due.table.offset);
    return { tasks: tilesOf(payload, round + 1, cutOf(payload).edge).count, grainTasks: 1, input };
  },

  finish(payload, part) {
    const { rounds } = programOf(payload);
    const { width, height, channels } = outputOf(payload);
    return {
      width,
      height,
      channels,
      operations: payload.operations.map(({ op }) => op),
      tiles: "pixels" in part ? part.pixels.count : 0,
      rounds: rounds.length,
    };
  },

  async files(payload, part) {
    const size = outputOf(payload);
    const pixels = assembled(payload, "pixels" in part ? itemsOf(part.pixels) : []);
    const after = { name: "after.webp", mediaType: "image/webp", bytes: await preview(pixels, size) };
    return [await encode(payload, pixels, size), await beforeOf(payload), after];
  },
});

const outputOf = (payload: ImagePayload): Size => (programOf(payload).rounds.at(-1) as { output: Size }).output;

/** The picture that the last round's tiles make, Canny's edges followed. */
export function assembled(payload: ImagePayload, tiles: readonly Tile[]): Uint8Array {
  const { width, height, channels } = outputOf(payload);
  const { stages, rounds } = programOf(payload);
  const { edge } = cutOf(payload);
  const pixels = new Uint8Array(width * height * channels);
  for (const { tile, width: columns, height: rows, data } of tiles) {
    const { x0, y0 } = tileRegion(payload, rounds.length - 1, edge, tile);
    const bytes = columns * channels;
    for (let y = 0; y < rows; y++) {
      pixels.set(data.subarray(y * bytes, (y + 1) * bytes), ((y0 + y) * width + x0) * channels);
    }
  }
  if (stages.at(-1)?.code === codes.canny) follow(pixels, width, height);
  return pixels;
}

/** What it looked like: kept since the upload, or drawn anew. */
async function beforeOf(payload: ImagePayload): Promise<OutputFile> {
  const file = { name: "before.webp", mediaType: "image/webp" };
  const { admitted } = payload;
  if (!isDrawn(payload) && admitted)
    return { ...file, kept: { sha256: admitted.before, bytes: admitted.before_bytes } };
  const {
    width,
    height,
    seed = 0,
  } = (payload.image as { drawn: { width: number; height: number; seed?: number } }).drawn;
  const step = Math.max(1, Math.ceil(Math.max(width, height) / previewSide));
  const size = { width: Math.ceil(width / step), height: Math.ceil(height / step), channels: 3 };
  return { ...file, bytes: await preview(draw(width, height, seed, step), size) };
}
