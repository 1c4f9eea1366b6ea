/** The ledger against what the provider lists: lost replies found, strangers ended, the vanished written off. */
import type { CloudInstance } from "./cloud/provider.ts";
import { isOpen } from "./ledger.ts";
import { learn } from "./memory.ts";
import type { InstanceRow } from "./model.ts";
import { reason, type Turn } from "./turn.ts";

/** Listings in a row that must lack an instance before it counts as gone. */
const missesMax = 2;

/** `needed`: more instances are wanted than there are, so that a late one is welcome. */
export function reconcile(turn: Turn, needed: boolean): void {
  const { listing } = turn.observation;
  if (!listing) return;
  const listed = new Map(listing.instances.map((instance) => [instance.id, instance]));
  const rows = new Map<string, InstanceRow>();
  for (const row of turn.observation.instances) if (row.cloudId !== null) rows.set(row.cloudId, row);
  for (const instance of listing.instances) {
    if (instance.state === "gone" || instance.state === "ending") continue;
    const row = rows.get(instance.id);
    if (row) onKnown(turn, row, instance, needed);
    else onStranger(turn, instance, needed);
  }
  for (const row of turn.observation.instances) {
    if (turn.isTaken(row)) continue;
    const instance = row.cloudId === null ? undefined : listed.get(row.cloudId);
    if (instance?.state === "gone") onEnded(turn, row);
    else if (!instance) onMissing(turn, row, listing.atMs);
  }
}

function onKnown(turn: Turn, row: InstanceRow, instance: CloudInstance, needed: boolean): void {
  if (turn.isTaken(row)) return;
  if (row.state === "GONE" || (row.state === "FAILED" && !needed)) {
    const message = `Listed as ${instance.state} after it was written off (${row.reason.code}).`;
    turn.do({ type: "sweep", cloudId: instance.id, reason: reason("back_again", message) });
    return;
  }
  if (instance.interruptionAtMs !== null && row.state === "REGISTERED") {
    const untilMs = Math.min(instance.interruptionAtMs - 5_000, turn.nowMs + turn.settings.drainDeadlineMs);
    learn(
      turn.memory,
      { type: "interrupted", offering: row.offering.id, ranMs: ran(turn, row) },
      turn.nowMs,
      turn.settings,
    );
    const message = `The provider takes it back in ${Math.round((instance.interruptionAtMs - turn.nowMs) / 1000)} s.`;
    turn.act({ type: "drain", instance: row.id, untilMs, reason: reason("interruption", message) });
    return;
  }
  if (row.misses > 0) {
    turn.act({ type: "missed", instance: row.id, misses: 0, reason: reason("listed", "Listed again.") });
  }
}

/** No row has this id: an order of ours whose reply was lost, or an orphan. */
function onStranger(turn: Turn, instance: CloudInstance, needed: boolean): void {
  const { instances } = turn.observation;
  const row =
    instance.token === null
      ? undefined
      : (instances.find((each) => each.order === instance.token && isOpen(each) && !turn.isTaken(each)) ??
        (needed
          ? instances.find((each) => each.order === instance.token && each.state === "FAILED" && !turn.isTaken(each))
          : undefined));
  if (row) {
    turn.act({
      type: "adopt",
      instance: row.id,
      cloudId: instance.id,
      launchedAtMs: instance.launchedAtMs,
      offering: instance.offering,
      reason: reason("found", `Found by its tag; the order was ${row.state}.`),
    });
    return;
  }
  const ageMs = turn.nowMs - instance.launchedAtMs;
  // The row of an order that is being made is committed before the call: whoever is not in the ledger is not ours now.
  if (ageMs < turn.settings.listingLagMs && instance.token === null) return;
  const message = `Tagged as ours, ${Math.round(ageMs / 1000)} s old, and in no row of the ledger.`;
  turn.do({ type: "sweep", cloudId: instance.id, reason: reason("orphan", message) });
}

function onMissing(turn: Turn, row: InstanceRow, listedAtMs: number): void {
  const lagMs = turn.settings.listingLagMs;
  if (row.state === "GONE" || row.state === "FAILED") return;
  if (isOpen(row)) {
    // A listing that is older than the call says nothing about it.
    if (listedAtMs - row.stateAtMs < lagMs || row.state !== "UNKNOWN") return;
    miss(turn, row);
    return;
  }
  if (turn.isOnline(row)) return;
  if (row.state !== "TERMINATING" && listedAtMs - (row.launchedAtMs ?? row.createdAtMs) < lagMs) return;
  if (row.misses + 1 < missesMax) {
    miss(turn, row);
    return;
  }
  gone(turn, row, `${missesMax} listings in a row do not have it, and its worker is silent.`);
}

/** The provider says itself that it has ended: nothing is waited for, save a worker that is still heard. */
function onEnded(turn: Turn, row: InstanceRow): void {
  if (row.state === "GONE" || row.state === "FAILED" || isOpen(row) || turn.isOnline(row)) return;
  gone(turn, row, "The provider ended it.");
}

function gone(turn: Turn, row: InstanceRow, message: string): void {
  if (row.state === "TERMINATING") {
    turn.act({ type: "gone", instance: row.id, reason: reason("ended", `Ended: ${row.reason.message}`) });
    return;
  }
  // Of a machine that is not spot, an end that nobody asked for says nothing about others of its kind.
  if (row.offering.market === "spot" && (row.state === "REGISTERED" || row.state === "DRAINING")) {
    learn(
      turn.memory,
      { type: "interrupted", offering: row.offering.id, ranMs: ran(turn, row) },
      turn.nowMs,
      turn.settings,
    );
  }
  turn.act({ type: "gone", instance: row.id, reason: reason("vanished", message) });
}

function miss(turn: Turn, row: InstanceRow): void {
  const misses = row.misses + 1;
  const message = `Not in the listing (${misses}).`;
  turn.act({ type: "missed", instance: row.id, misses, reason: reason("not_listed", message) });
}

const ran = (turn: Turn, row: InstanceRow): number => Math.max(0, turn.nowMs - (row.launchedAtMs ?? turn.nowMs));
