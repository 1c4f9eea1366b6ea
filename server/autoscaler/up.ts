/** Buying: drains undone first, then orders, within rates, breakers and budgets. */
import { affordable, type Budget } from "./budget.ts";
import { orderInstancesMax } from "./cloud/provider.ts";
import { dearest, isOpen } from "./ledger.ts";
import { isUnhealthy } from "./memory.ts";
import type { InstanceRow } from "./model.ts";
import { limits, type Plan, type Purchase } from "./size.ts";
import { reason, type Turn } from "./turn.ts";

/** Drains that were only for want of work: what comes back undoes them. */
const undoable = new Set(["surplus", "manual_down"]);

export function scaleUp(turn: Turn, plan: Plan, money: Budget): void {
  const have = turn.capacity();
  let wanted = plan.purchases.reduce((sum, { count }) => sum + count, 0);
  if (wanted <= 0) return;
  wanted -= undrain(turn, plan, wanted);
  if (wanted <= 0) return;
  const allowed = Math.min(wanted, rateLimit(turn, have), countLimit(turn, wanted), breaker(turn));
  let left = allowed;
  let room = money.room;
  for (const purchase of plan.purchases) {
    if (left <= 0) return;
    const count = Math.min(purchase.count, left, orderInstancesMax);
    const bought = buy(turn, plan, purchase, count, room, money);
    left -= bought.count;
    room -= bought.dollars;
  }
}

function buy(
  turn: Turn,
  plan: Plan,
  { offerings }: Purchase,
  wanted: number,
  room: number,
  money: Budget,
): { count: number; dollars: number } {
  // The whole order must be affordable even if the dearest of its machines comes.
  const payable = offerings.filter((offering) => affordable(room, offering.price.dollarsPerHour) >= 1);
  if (payable.length === 0) {
    const price = Math.min(...offerings.map((offering) => offering.price.dollarsPerHour));
    turn.hold(
      "budget",
      `The budget of the ${money.by} leaves $${money.room.toFixed(4)}/h; the cheapest machine costs $${price.toFixed(4)}/h.`,
    );
    return { count: 0, dollars: 0 };
  }
  const best = payable[0] as (typeof payable)[number];
  const count = Math.min(wanted, affordable(room, best.price.dollarsPerHour));
  const chosen = payable.filter((offering) => affordable(room, offering.price.dollarsPerHour) >= count);
  if (count < wanted) turn.hold("budget", `The budget of the ${money.by} allows ${count} of ${wanted} instances.`);
  turn.memory.launches.push({ atMs: turn.nowMs, count });
  const why = plan.shortfallRate > 0 ? "shortfall" : "minimum";
  const message =
    plan.shortfallRate > 0
      ? `Paid work needs ${plan.neededRate.toFixed(2)} core-s/s, volunteers give ${plan.volunteerRate.toFixed(2)}; ${plan.desired} instances are wanted.`
      : `At least ${plan.desired} instances are asked for.`;
  turn.do({ type: "launch", offerings: chosen, count, reason: reason(why, message) });
  return { count, dollars: count * dearest(chosen).price.dollarsPerHour };
}

function undrain(turn: Turn, plan: Plan, wanted: number): number {
  let undone = 0;
  for (const row of turn.living) {
    if (undone >= wanted) break;
    if (row.state !== "DRAINING" || turn.isTaken(row) || !turn.isOnline(row) || !undoable.has(row.reason.code))
      continue;
    const message = `${plan.desired} instances are wanted again.`;
    turn.act({ type: "undrain", instance: row.id, reason: reason("wanted_again", message) });
    undone++;
  }
  return undone;
}

function rateLimit(turn: Turn, have: readonly InstanceRow[]): number {
  const { memory, settings, nowMs } = turn;
  memory.launches = memory.launches.filter(({ atMs }) => nowMs - atMs < settings.upWindowMs);
  const lately = memory.launches.reduce((sum, { count }) => sum + count, 0);
  const before = Math.max(0, have.length - lately);
  const inFlight = have.filter((row) => isOpen(row) || row.state === "LAUNCHED").length;
  const allowed = Math.min(Math.max(settings.upNodesMin, before) - lately, settings.inFlightMax - inFlight);
  if (allowed <= 0)
    turn.hold("up_rate", `${lately} instances were ordered in the last ${settings.upWindowMs / 1000} s.`);
  return Math.max(0, allowed);
}

/** Everything that may still cost money counts against the maximum, what is being ended included. */
function countLimit(turn: Turn, wanted: number): number {
  const living = turn.living.length;
  const allowed = limits(turn)[1] - living;
  if (allowed < wanted) turn.hold("max_nodes", `${living} instances are there or on their way out.`);
  return Math.max(0, allowed);
}

function breaker(turn: Turn): number {
  const { memory, nowMs, settings } = turn;
  if (memory.throttledUntilMs > nowMs) {
    turn.hold("throttled", "The provider asked for fewer calls.");
    return 0;
  }
  if (memory.breakerUntilMs > nowMs) {
    turn.hold("breaker", `${memory.failuresInRow} launches in a row came to nothing.`);
    turn.alert(
      "launches_fail",
      `${memory.failuresInRow} launches in a row came to nothing; the next is tried in ${Math.ceil((memory.breakerUntilMs - nowMs) / 1000)} s. Look at the reasons of the last instances.`,
    );
    return 0;
  }
  if (memory.failuresInRow >= settings.failuresMax || isUnhealthy(memory)) {
    // One at a time, until one comes.
    const trying = turn.living.some((row) => isOpen(row) || row.state === "LAUNCHED");
    if (trying) turn.hold("probing", "Launches have failed lately; one is tried at a time.");
    return trying ? 0 : 1;
  }
  return Number.POSITIVE_INFINITY;
}
