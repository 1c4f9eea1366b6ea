import { limits } from "./limits.ts";

/**
 * The partials of a contiguous run of grains, packed as one byte string: for each
 * grain a 16-bit little-endian length, then that many bytes. A result travels, is
 * signed, stored and hashed in this form, so it is packed once and never re-encoded.
 */
export function packPartials(partials: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const partial of partials) {
    if (partial.length > limits.partialBytesMax) {
      throw new RangeError(`a partial has ${partial.length} bytes; at most ${limits.partialBytesMax} travel inline`);
    }
    length += 2 + partial.length;
  }
  const packed = new Uint8Array(length);
  let offset = 0;
  for (const partial of partials) {
    packed[offset] = partial.length & 0xff;
    packed[offset + 1] = partial.length >> 8;
    packed.set(partial, offset + 2);
    offset += 2 + partial.length;
  }
  return packed;
}

/** Counts the partials in a packed byte string, or returns -1 when it is malformed. */
export function countPartials(packed: Uint8Array): number {
  let count = 0;
  let offset = 0;
  while (offset < packed.length) {
    if (offset + 2 > packed.length) return -1;
    const length = (packed[offset] as number) | ((packed[offset + 1] as number) << 8);
    if (length > limits.partialBytesMax) return -1;
    offset += 2 + length;
    if (offset > packed.length) return -1;
    count++;
  }
  return count;
}

/** Views on the packed bytes (no copy), one after the other. Throws RangeError on malformed input. */
export function* eachPartial(packed: Uint8Array): Generator<Uint8Array, void> {
  if (countPartials(packed) < 0) throw new RangeError("malformed packed partials");
  let offset = 0;
  while (offset < packed.length) {
    const length = (packed[offset] as number) | ((packed[offset + 1] as number) << 8);
    yield packed.subarray(offset + 2, offset + 2 + length);
    offset += 2 + length;
  }
}

/** Unpacks to views on the packed bytes (no copy). Throws RangeError on malformed input. */
export const unpackPartials = (packed: Uint8Array): Uint8Array[] => [...eachPartial(packed)];

/** The packed bytes of the partials `from` (inclusive) to `to` (exclusive), as a view. */
export function slicePartials(packed: Uint8Array, from: number, to: number): Uint8Array {
  let offset = 0;
  let start = 0;
  for (let index = 0; index < to; index++) {
    if (index === from) start = offset;
    offset += 2 + ((packed[offset] as number) | ((packed[offset + 1] as number) << 8));
  }
  return from >= to ? packed.subarray(0, 0) : packed.subarray(start, offset);
}
