/** The coordinator's side: joins what tiles counted, makes tables of it, and puts the picture together. */
import { defineHost, type OutputFile, type Round } from "../../contract.ts";
import { itemsOf, joined, type Ordered, ordered } from "../../ordered.ts";
import { encode, preview, previewSide } from "./encode.ts";
import { follow } from "./hysteresis.ts";
import { countsOf, decodeTile, type Tile } from "./layout.ts";
import { firstPart, partsOf, placeOf, tilesIn } from "./parts.ts";
import { type ImagePayload, isDrawn, type Size } from "./payload.ts";
import { draw } from "./picture.ts";
import { codes, kinds, programOf, type Stage } from "./program.ts";
import { cutOf, tileRegion } from "./regions.ts";
import { tableOf } from "./tables.ts";

export interface ImageResult {
  width: number;
  height: number;
  channels: number;
  operations: string[];
  tiles: number;
  rounds: number;
  /** Of each image, where there are several; the sizes above are the first's. */
  images?: Size[];
}

/** Tiles of pixels, in order; or counts of each image, summed. */
type Part = { pixels: Ordered<Tile> } | { counts: ReadonlyMap<number, Uint32Array>; tile: Tile };

export default defineHost<ImagePayload, Part, ImageResult>({
  decode(_payload, bytes) {
    const tile = decodeTile(bytes);
    return tile.kind === kinds.pixels
      ? { pixels: ordered([tile]) }
      : { counts: new Map([[tile.image, countsOf(tile)]]), tile };
  },

  /** The frame of a tile; its contents are held against a replay. */
  check(payload, round, lo, _hi, part) {
    const place = placeOf(payload, round, lo);
    const due = programOf(place.part).rounds[round];
    const tile = "pixels" in part ? itemsOf(part.pixels, 1)[0] : part.tile;
    if (!due || !tile) return "there is no such round";
    const { x0, y0, x1, y1 } = tileRegion(place.part, round, cutOf(place.part).edge, place.tile);
    const grid = due.table?.grid ?? 1;
    const cells = due.kind === kinds.cells ? 512 * grid * grid : tile.data.length;
    const right =
      tile.tile === lo &&
      tile.image === place.image &&
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
    const counts = new Map(a.counts);
    for (const [image, own] of b.counts) {
      const others = counts.get(image);
      counts.set(image, others ? others.map((count, at) => count + (own[at] ?? 0)) : own);
    }
    return { counts, tile: a.tile };
  },

  preview: (_payload, part) =>
    "pixels" in part ? { tiles_done: part.pixels.count } : { looking_at: "the whole image" },

  next(payload, round, part, earlier): Round | null {
    const parts = partsOf(payload);
    if (!("counts" in part) || !programOf(firstPart(payload)).rounds[round]?.table) return null;
    const kept = (earlier?.length ?? 0) / parts.length;
    // Later rounds translate by all of them.
    const tables = parts.map((one, image) => {
      const { table, output } = programOf(one).rounds[round] as { table: NonNullable<Stage["table"]>; output: Size };
      const made = tableOf(table, part.counts.get(image) as Uint32Array, output.width, output.height);
      const all = new Uint8Array(table.offset + made.length);
      if (earlier) all.set(earlier.subarray(image * kept, (image + 1) * kept));
      all.set(made, table.offset);
      return all;
    });
    const input = new Uint8Array(tables.reduce((sum, { length }) => sum + length, 0));
    for (const [image, table] of tables.entries()) input.set(table, image * table.length);
    return { tasks: tilesIn(payload, round + 1), grainTasks: 1, input };
  },

  finish(payload, part) {
    const sizes = partsOf(payload).map(outputOf);
    return {
      ...(sizes[0] as Size),
      operations: payload.operations.map(({ op }) => op),
      tiles: "pixels" in part ? part.pixels.count : 0,
      rounds: programOf(firstPart(payload)).rounds.length,
      ...(sizes.length > 1 ? { images: sizes } : {}),
    };
  },

  async files(payload, part) {
    const tiles = "pixels" in part ? itemsOf(part.pixels) : [];
    const parts = partsOf(payload);
    const files: OutputFile[] = [];
    for (const [image, one] of parts.entries()) {
      const own = tiles.filter((tile) => tile.image === image);
      const made = await filesOf(one, assembled(one, own));
      // As image-3.png: the third's.
      files.push(
        ...(parts.length === 1 ? made : made.map((file) => ({ ...file, name: numbered(file.name, image + 1) }))),
      );
    }
    return files;
  },
});

async function filesOf(payload: ImagePayload, pixels: Uint8Array): Promise<OutputFile[]> {
  const size = outputOf(payload);
  const after = { name: "after.webp", mediaType: "image/webp", bytes: await preview(pixels, size) };
  return [await encode(payload, pixels, size), await beforeOf(payload), after];
}

const numbered = (name: string, number: number): string => name.replace(".", `-${number}.`);

const outputOf = (payload: ImagePayload): Size => (programOf(payload).rounds.at(-1) as { output: Size }).output;

/** The picture that the last round's tiles of one image make, in order; Canny's edges followed. */
export function assembled(payload: ImagePayload, tiles: readonly Tile[]): Uint8Array {
  const { width, height, channels } = outputOf(payload);
  const { stages, rounds } = programOf(payload);
  const { edge } = cutOf(payload);
  const pixels = new Uint8Array(width * height * channels);
  for (const [tile, { width: columns, height: rows, data }] of tiles.entries()) {
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
