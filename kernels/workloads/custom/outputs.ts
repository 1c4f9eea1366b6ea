/** The outputs of a grain's tasks as one partial: for each a 16-bit little-endian length, then its bytes. */
import { packPartials, unpackPartials } from "../../../protocol/partials.ts";

export const packOutputs = (outputs: readonly Uint8Array[]): Uint8Array => packPartials(outputs);
/** Throws RangeError where the bytes are none. */
export const unpackOutputs = (partial: Uint8Array): Uint8Array[] => unpackPartials(partial);
