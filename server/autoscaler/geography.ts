/**
 * Where instances should be: near to where their work comes from, as far as that is worth its price, and not all in one
 * place. What it answers is added to an instance's price when machines are ranked; no bill has it.
 */
import { counts } from "./ledger.ts";
import type { InstanceRow } from "./model.ts";
import { regionOf, roundTripMs } from "./regions.ts";

/** Dollars an hour that a millisecond of round trip is worth: 100 ms are worth two cents an hour. */
const dollarsPerMs = 0.0002;
/** Share of all instances that one region may hold, once there are so many. */
const shareMax = 0.6;
const spreadFrom = 3;
/** Dearer than any price on the list: taken only where every other region is out. */
const crowded = 1_000;

/** Dollars an hour to be added to the price of an instance in `region` for work that comes from `origin`. */
export function regionCosts(instances: readonly InstanceRow[]): (region: string, origin: string | null) => number {
  const living = instances.filter(counts);
  const byRegion = new Map<string, number>();
  for (const { offering } of living) byRegion.set(offering.region, (byRegion.get(offering.region) ?? 0) + 1);
  return (region, origin) => {
    const here = byRegion.get(region) ?? 0;
    const isCrowded = living.length >= spreadFrom && here / living.length >= shareMax;
    const at = regionOf(region);
    const from = origin === null ? null : regionOf(origin);
    return (at && from ? roundTripMs(at, from) * dollarsPerMs : 0) + (isCrowded ? crowded : 0);
  };
}
