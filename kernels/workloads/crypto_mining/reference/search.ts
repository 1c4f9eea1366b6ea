/** The search as its definition reads, with the system's SHA-256. */
import { hashOf, headerOf } from "../host.ts";
import type { Found } from "../layout.ts";
import { type MiningPayload, placeOf, rangeOf, shareTargetOf } from "../payload.ts";

export function searchRange(payload: MiningPayload, lo: number, hi: number): Found {
  const limit = shareTargetOf(payload).toString(16).padStart(64, "0");
  const [first, end] = rangeOf(payload, lo, hi);
  const shares = [];
  let header = headerOf(payload, placeOf(payload, first));
  for (let index = first; index < end; index++) {
    const place = placeOf(payload, index);
    // Only a new extranonce changes more than the nonce.
    if (place.nonce === 0) header = headerOf(payload, place);
    header.writeUInt32LE(place.nonce, 76);
    if (hashOf(header) <= limit) shares.push(place);
  }
  return { searched: end - first, shares };
}
