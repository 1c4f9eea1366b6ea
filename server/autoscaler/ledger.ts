/** The life of an instance: one transition table. A row is committed in its new state before what follows from it. */
import type { Reason } from "../../protocol/rest.ts";
import type { Offering } from "./cloud/provider.ts";
import type { InstanceRow, LedgerState, OrderRow } from "./model.ts";

const next: Record<LedgerState, readonly LedgerState[]> = {
  // Called off before a call, or found by a listing, or joined before the reply came.
  INTENT: ["REQUESTED", "UNKNOWN", "LAUNCHED", "FAILED"],
  REQUESTED: ["UNKNOWN", "LAUNCHED", "FAILED"],
  UNKNOWN: ["REQUESTED", "LAUNCHED", "FAILED"],
  LAUNCHED: ["REGISTERED", "TERMINATING", "GONE"],
  REGISTERED: ["DRAINING", "TERMINATING", "GONE"],
  DRAINING: ["REGISTERED", "TERMINATING", "GONE"],
  // The provider refused: it serves again.
  TERMINATING: ["REGISTERED", "LAUNCHED", "GONE"],
  // A late joiner, which is needed, or which is ended.
  FAILED: ["LAUNCHED", "TERMINATING"],
  // A listing that lagged: it was not gone after all.
  GONE: ["TERMINATING"],
};

export class InvalidMove extends Error {
  override name = "InvalidMove";
}

/** The row in its new state; the old one stays as it is. Throws on a move that the table does not have. */
export function moved(
  row: InstanceRow,
  state: LedgerState,
  nowMs: number,
  reason: Reason,
  change: Partial<InstanceRow> = {},
): InstanceRow {
  if (!next[row.state].includes(state)) {
    throw new InvalidMove(
      `instance ${row.id} ${row.state} -> ${state} (${reason.code}); it is ${row.state} since ${row.stateAtMs}: ${row.reason.code}`,
    );
  }
  return { ...row, ...change, state, stateAtMs: nowMs, reason };
}

/** Rows of a new order. They are priced as the dearest that the order may bring, until it is known which one came. */
export function intentRows(order: OrderRow): InstanceRow[] {
  const offering = dearest(order.offerings);
  return Array.from({ length: order.count }, (_, index) => ({
    id: `${order.token}-${index}`,
    order: order.token,
    state: "INTENT",
    offering,
    cloudId: null,
    node: null,
    createdAtMs: order.createdAtMs,
    stateAtMs: order.createdAtMs,
    launchedAtMs: null,
    registeredAtMs: null,
    drainUntilMs: null,
    goneAtMs: null,
    misses: 0,
    terminations: 0,
    nextTerminationAtMs: 0,
    reason: order.reason,
  }));
}

export const dearest = (offerings: readonly Offering[]): Offering =>
  offerings.reduce((most, offering) => (offering.price.dollarsPerHour > most.price.dollarsPerHour ? offering : most));

/** Ordered, and not known to have come yet. */
export const isOpen = (row: InstanceRow): boolean =>
  row.state === "INTENT" || row.state === "REQUESTED" || row.state === "UNKNOWN";
/** Counts as capacity, now or soon. */
export const counts = (row: InstanceRow): boolean =>
  isOpen(row) || row.state === "LAUNCHED" || row.state === "REGISTERED";
/** May cost money. */
export const costs = (row: InstanceRow): boolean => row.state !== "GONE" && row.state !== "FAILED";
/** The provider has it, as far as is known. */
export const exists = (row: InstanceRow): boolean => costs(row) && !isOpen(row);

/** Dollars an hour of all that may run. */
export const hourlyRate = (rows: readonly InstanceRow[]): number =>
  rows.reduce((sum, row) => sum + (costs(row) ? row.offering.price.dollarsPerHour : 0), 0);
