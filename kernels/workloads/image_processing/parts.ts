/** Several images in one job: each is a part, with tiles of its own that follow those of the parts before. */
import type { ImagePayload } from "./payload.ts";
import { cutOf, tilesOf } from "./regions.ts";

const made = new WeakMap<ImagePayload, readonly ImagePayload[]>();

/** The job of each image alone. */
export function partsOf(payload: ImagePayload): readonly ImagePayload[] {
  const { image, admitted_each, ...rest } = payload;
  if (!("blobs" in image)) return [payload];
  let parts = made.get(payload);
  if (!parts) {
    parts = image.blobs.map((blob, at) => ({ ...rest, image: { blob }, admitted: admitted_each?.[at] }));
    made.set(payload, parts);
  }
  return parts;
}

export const firstPart = (payload: ImagePayload): ImagePayload => partsOf(payload)[0] as ImagePayload;

const tilesOfPart = (part: ImagePayload, round: number): number => tilesOf(part, round, cutOf(part).edge).count;

export const tilesIn = (payload: ImagePayload, round: number): number =>
  partsOf(payload).reduce((sum, part) => sum + tilesOfPart(part, round), 0);

export interface Place {
  /** Number of the image, and its own job. */
  image: number;
  part: ImagePayload;
  /** Its first tile among all, and the tile's number within it. */
  first: number;
  tile: number;
}

/** Throws RangeError beyond the last tile. */
export function placeOf(payload: ImagePayload, round: number, tile: number): Place {
  let first = 0;
  for (const [image, part] of partsOf(payload).entries()) {
    const count = tilesOfPart(part, round);
    if (tile < first + count) return { image, part, first, tile: tile - first };
    first += count;
  }
  throw new RangeError(`there are ${first} tiles, and none is number ${tile}`);
}

/** Each part's first tile. */
export function firstsOf(payload: ImagePayload, round: number): number[] {
  let first = 0;
  return partsOf(payload).map((part) => {
    const own = first;
    first += tilesOfPart(part, round);
    return own;
  });
}
