/** The outputs of a grain's tasks as one partial: for each a 16-bit little-endian length, then its bytes. */
import { packPartials, unpackPartials } from "../../../protocol/partials.ts";

export const packOutputs = (outputs: readonly Uint8Array[]): Uint8Array => packPartials(outputs);
/** Throws RangeError where the bytes are none. */
export const unpackOutputs = (partial: Uint8Array): Uint8Array[] => unpackPartials(partial);

/** Outputs that one task of a merging round folds. */
export const groupSize = 64;

/** What a merging round is handed: all outputs of the one before. Read once for all of its tasks. */
const read = new WeakMap<Uint8Array, Uint8Array[]>();

export function groupOf(input: Uint8Array, index: number): Uint8Array[] {
  let all = read.get(input);
  if (!all) {
    all = unpackOutputs(input);
    read.set(input, all);
  }
  return all.slice(index * groupSize, (index + 1) * groupSize);
}
