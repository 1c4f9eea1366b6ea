/** No order beyond what the operator allowed: reckoned before the call, as if everything ordered ran to its end. */
import { costs, hourlyRate } from "./ledger.ts";
import type { InstanceRow, Target } from "./model.ts";

const dayMs = 86_400_000;

/** Hours until the day (UTC) ends. */
export const hoursLeft = (nowMs: number): number => (dayMs - (((nowMs % dayMs) + dayMs) % dayMs)) / 3_600_000;

export interface Budget {
  /** Dollars an hour that may still be ordered; infinite without a limit. */
  room: number;
  /** Dollars an hour that run beyond the limit: to be given back. */
  excess: number;
  /** Which limit it is. */
  by: "hour" | "day" | null;
}

export function budget(target: Target, instances: readonly InstanceRow[], dollarsToday: number, nowMs: number): Budget {
  const rate = hourlyRate(instances);
  const hour = target.dollarsPerHourMax ?? Number.POSITIVE_INFINITY;
  const day =
    target.dollarsPerDayMax === null
      ? Number.POSITIVE_INFINITY
      : Math.max(0, target.dollarsPerDayMax - dollarsToday) / Math.max(hoursLeft(nowMs), 1 / 60);
  const limit = Math.min(hour, day);
  if (limit === Number.POSITIVE_INFINITY) return { room: limit, excess: 0, by: null };
  // What is on its way out still counts against new orders, but need not be given back twice.
  const staying = instances.filter((row) => costs(row) && row.state !== "TERMINATING" && row.state !== "DRAINING");
  const by = hour <= day ? "hour" : "day";
  return { room: Math.max(0, limit - rate), excess: Math.max(0, hourlyRate(staying) - limit), by };
}

/** Instances of this price that the budget has room for. */
export const affordable = (room: number, dollarsPerHour: number): number =>
  dollarsPerHour > 0 ? Math.floor(room / dollarsPerHour + 1e-9) : Number.POSITIVE_INFINITY;
