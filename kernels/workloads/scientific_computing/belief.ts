/** How tiles and systems of two nodes are compared: to the bit between WASM builds, within rounding where a GPU took part. */
import type { Belief } from "../../contract.ts";
import { CLAIMED, decodeSolution, decodeTile } from "./layout.ts";
import { entriesOf, type GivenMatrix, type MatmulPayload, sizesOf } from "./payload.ts";

const difference =
  (from: number) =>
  (a: Uint8Array, b: Uint8Array): string | null => {
    if (a.length !== b.length) return `${a.length} bytes against ${b.length}`;
    for (let at = from; at < a.length; at++) if (a[at] !== b[at]) return `they differ from byte ${at} on`;
    return null;
  };

export const exact: Belief = { kind: "exact", certificate: "evidence", disagreement: difference(0) };
export const exactButTime: Belief = {
  kind: "exact",
  certificate: "evidence",
  claimedBytes: CLAIMED,
  disagreement: difference(CLAIMED),
};

/** Solutions of two GPUs: each has its residual checked by the coordinator, and they differ in their last digits. */
export const solved: Belief = {
  kind: "tolerance",
  certificate: "complete",
  claimedBytes: CLAIMED,
  disagreement(a, b) {
    const [mine, theirs] = [decodeSolution(a), decodeSolution(b)];
    if (mine.run !== theirs.run || mine.x.length !== theirs.x.length)
      return `run ${mine.run} of ${mine.x.length} equations against ${theirs.run} of ${theirs.x.length}`;
    const size = mine.x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const odd = mine.x.findIndex((value, at) => !(Math.abs(value - (theirs.x[at] as number)) <= 1e-6 * size));
    return odd < 0 ? null : `number ${odd} is ${mine.x[odd]} and ${theirs.x[odd]}`;
  },
};

/** Entries of a row's or column's size are at most this. */
const largest = (given: GivenMatrix | undefined): number =>
  given === undefined ? 0.5 : entriesOf(given).reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Two sums of `inner` products in f32, each off by at most 8 sqrt(k) u |a| |b| (see freivalds.ts). */
export function within(payload: MatmulPayload): Belief {
  const { inner } = sizesOf(payload);
  const allowed =
    16 * Math.sqrt(inner) * 2 ** -24 * inner * largest(payload.a) * largest(payload.b) + inner * 2 ** -148;
  return {
    kind: "tolerance",
    certificate: "evidence",
    disagreement(a, b) {
      const [mine, theirs] = [decodeTile(a, true), decodeTile(b, true)];
      if (mine.tile !== theirs.tile || mine.height !== theirs.height || mine.width !== theirs.width)
        return `tile ${mine.tile} of ${mine.height} x ${mine.width} against ${theirs.tile} of ${theirs.height} x ${theirs.width}`;
      const odd = mine.entries.findIndex((value, at) => !(Math.abs(value - (theirs.entries[at] as number)) <= allowed));
      return odd < 0
        ? null
        : `entry ${odd}: ${mine.entries[odd]} against ${theirs.entries[odd]}, of which rounding explains ${allowed.toExponential(1)}`;
    },
  };
}
