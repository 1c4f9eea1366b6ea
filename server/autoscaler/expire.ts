/** What time alone decides: late registrations, lost contact, ends of drains, ends of lives, calls made again. */
import { isOpen } from "./ledger.ts";
import { learn } from "./memory.ts";
import type { InstanceRow } from "./model.ts";
import { reason, type Turn } from "./turn.ts";

export function expire(turn: Turn): void {
  for (const row of turn.living) {
    if (turn.isTaken(row)) continue;
    switch (row.state) {
      case "LAUNCHED":
        neverRegistered(turn, row);
        break;
      case "REGISTERED":
        lostOrOld(turn, row);
        break;
      case "DRAINING":
        endOfDrain(turn, row);
        break;
      case "TERMINATING":
        if (row.nextTerminationAtMs <= turn.nowMs) terminate(turn, row, row.reason.code, row.reason.message);
        break;
      default:
        break;
    }
  }
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

function neverRegistered(turn: Turn, row: InstanceRow): void {
  const waitedMs = turn.nowMs - (row.launchedAtMs ?? row.stateAtMs);
  if (waitedMs < turn.settings.registrationMs) return;
  learn(turn.memory, { type: "never_registered", offering: row.offering.id }, turn.nowMs, turn.settings);
  terminate(turn, row, "never_registered", `No worker came from it within ${seconds(waitedMs)}.`);
}

function lostOrOld(turn: Turn, row: InstanceRow): void {
  const node = turn.nodeOf(row);
  const silentMs = turn.nowMs - Math.max(row.registeredAtMs ?? 0, row.stateAtMs, node?.lastSeenMs ?? 0);
  if (node?.online !== true && silentMs > turn.settings.lostMs) {
    terminate(turn, row, "lost", `Its worker is silent for ${seconds(silentMs)}.`);
    return;
  }
  const endsAtMs = (row.launchedAtMs ?? row.createdAtMs) + turn.settings.lifetimeMs;
  const untilMs = turn.nowMs + turn.settings.drainDeadlineMs;
  if (untilMs + turn.settings.drainDeadlineMs >= endsAtMs) {
    turn.act({ type: "drain", instance: row.id, untilMs, reason: reason("lifetime", "Its lifetime is nearly over.") });
  }
}

function endOfDrain(turn: Turn, row: InstanceRow): void {
  const node = turn.nodeOf(row);
  const { code, message } = row.reason;
  if (!node?.online) terminate(turn, row, code, `${message} Its worker has gone.`);
  else if (node.leases === 0) terminate(turn, row, code, `${message} It holds no lease.`);
  else if ((row.drainUntilMs ?? 0) <= turn.nowMs) {
    terminate(turn, row, code, `${message} Its drain took too long; ${node.leases} leases are cut again.`);
  }
}

function terminate(turn: Turn, row: InstanceRow, code: string, message: string): void {
  turn.act({ type: "terminate", instance: row.id, reason: reason(code, message) });
}

/** Orders whose outcome is not known: asked about with the same token while somebody needs them. */
export function replay(turn: Turn, needed: ReadonlySet<string>): void {
  const { orders } = turn.observation;
  if (turn.memory.throttledUntilMs > turn.nowMs) return;
  const openOf = new Map<string, InstanceRow[]>();
  for (const row of turn.living) {
    if (isOpen(row) && !turn.isTaken(row)) openOf.set(row.order, [...(openOf.get(row.order) ?? []), row]);
  }
  for (const order of openOf.size > 0 ? orders : []) {
    const open = openOf.get(order.token);
    if (!open || order.nextAttemptAtMs > turn.nowMs) continue;
    const ageMs = turn.nowMs - order.createdAtMs;
    const wanted = open.some((row) => needed.has(row.id));
    if (wanted && ageMs < turn.settings.orderMsMax) {
      const message = `The outcome of the order is not known after ${order.attempts} calls.`;
      turn.do({ type: "replay", order: order.token, reason: reason("unknown_outcome", message) });
      continue;
    }
    // Nobody wants it: no call could start what was not started. What was started, a listing finds.
    for (const row of open) {
      if (row.state === "UNKNOWN" && row.misses < 2) continue;
      const why = wanted ? `No outcome after ${seconds(ageMs)}` : "No longer needed";
      turn.act({ type: "abandon", instance: row.id, reason: reason("abandoned", `${why}, and no listing has it.`) });
    }
  }
}
