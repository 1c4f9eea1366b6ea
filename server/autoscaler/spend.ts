/** What instances have cost, reckoned from the ledger's rows: nothing that a restart could lose. */
import type { InstanceRow } from "./model.ts";

const hourMs = 3_600_000;
export const dayMs = 86_400_000;

export const startOfDay = (nowMs: number): number => Math.floor(nowMs / dayMs) * dayMs;

/** Dollars of one instance between two times. From its launch until it is known to be gone. */
export function dollarsOf(row: InstanceRow, fromMs: number, toMs: number): number {
  if (row.launchedAtMs === null) return 0;
  const start = Math.max(fromMs, row.launchedAtMs);
  const end = Math.min(toMs, row.goneAtMs ?? toMs);
  return (Math.max(0, end - start) / hourMs) * row.offering.price.dollarsPerHour;
}

export function dollarsBetween(rows: Iterable<InstanceRow>, fromMs: number, toMs: number): number {
  let sum = 0;
  for (const row of rows) sum += dollarsOf(row, fromMs, toMs);
  return sum;
}
