/**
 * A tile's partial, little-endian: u32 number of the tile, u8 kind, u8 channels, u16 width, u16 height, u16 number of the image; then its
 * pixels (row by row, channels of a pixel together), or 256 u32 counts, or 256 u16 counts for each cell.
 */
import { kinds } from "./program.ts";

export interface Tile {
  tile: number;
  kind: number;
  channels: number;
  width: number;
  height: number;
  image: number;
  data: Uint8Array;
}

export const HEAD = 12;

/** Throws RangeError where the bytes are no tile. */
export function decodeTile(bytes: Uint8Array): Tile {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tile = {
    tile: view.getUint32(0, true),
    kind: view.getUint8(4),
    channels: view.getUint8(5),
    width: view.getUint16(6, true),
    height: view.getUint16(8, true),
    image: view.getUint16(10, true),
    data: bytes.subarray(HEAD),
  };
  const { kind, channels, width, height, data } = tile;
  const due = kind === kinds.pixels ? width * height * channels : kind === kinds.histogram ? 1024 : data.length;
  if (data.length !== due) throw new RangeError(`${data.length} bytes, and ${due} are due`);
  return tile;
}

/** The counts of a tile that gives some. */
export function countsOf({ kind, data }: Tile): Uint32Array {
  const copy = data.slice().buffer;
  return kind === kinds.histogram ? new Uint32Array(copy) : Uint32Array.from(new Uint16Array(copy));
}
