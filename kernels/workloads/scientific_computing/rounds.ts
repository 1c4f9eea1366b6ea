/** Of a distributed LU: a column of blocks each. */
import { BLOCK, paddedOf } from "./factors.ts";
import { type LuPayload, orderOf } from "./payload.ts";

export const roundsOf = (payload: LuPayload): number => paddedOf(orderOf(payload)) / BLOCK;
