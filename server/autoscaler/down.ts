/**
 * Giving back: idle instances that are not worth keeping (idle.ts), and busy ones that the highest need of the whole window
 * leaves over; never one with a lease undrained.
 */
import type { Budget } from "./budget.ts";
import { keptIdle, noteWanted } from "./idle.ts";
import type { InstanceRow } from "./model.ts";
import { limits, type Plan } from "./size.ts";
import { reason, type Turn } from "./turn.ts";

export function scaleDown(turn: Turn, plan: Plan, money: Budget): void {
  const { memory, nowMs, input } = turn;
  memory.wants.push({ atMs: nowMs, nodes: plan.desired });
  memory.wants = memory.wants.filter(({ atMs }) => nowMs - atMs <= input.target.cooldownMs).slice(-4_096);
  const have = turn.capacity();
  overBudget(turn, have, money);
  overMaximum(turn);
  const manual = manualDown(turn, plan);
  const highest = Math.max(...memory.wants.map(({ nodes }) => nodes));
  const busy = have.filter((row) => (turn.nodeOf(row)?.leases ?? 0) > 0).length;
  const wanted = Math.max(plan.desired, busy);
  noteWanted(memory.levels, wanted, have.length, nowMs);
  const kept = keptIdle(memory.levels, wanted, have.length, nowMs, plan.bootMs, turn.settings);
  const surplusOver = (needed: number): number => turn.capacity().length - (manual ?? needed);
  const surplus = { idle: surplusOver(kept), busy: surplusOver(highest) };
  if (surplus.busy > 0 && plan.load >= input.target.scaleDownThreshold && manual === null) {
    turn.hold("within_band", `The load of ${(plan.load * 100).toFixed(0)} % is above the threshold of giving back.`);
    surplus.busy = 0;
  }
  giveBack(turn, plan, surplus, manual !== null);
}

/** A person wants fewer now: the window is not waited for. */
function manualDown(turn: Turn, plan: Plan): number | null {
  const { manual } = turn.observation;
  if (!manual || manual.untilMs <= turn.nowMs || manual.atMost === null) return null;
  const most = limits(turn)[1];
  return turn.capacity().length > most ? Math.max(most, Math.min(plan.desired, most)) : null;
}

function giveBack(turn: Turn, plan: Plan, surplus: { idle: number; busy: number }, manual: boolean): void {
  const { settings, nowMs } = turn;
  let left = Math.max(surplus.idle, surplus.busy);
  let idle = surplus.idle;
  let busy = manual ? surplus.busy : Math.min(surplus.busy, busyAllowed(turn));
  for (const row of killOrder(turn, turn.capacity())) {
    if (left <= 0) return;
    if (turn.isTaken(row)) continue;
    if (row.state === "LAUNCHED") {
      if (idle-- <= 0) continue;
      turn.act({ type: "terminate", instance: row.id, reason: reason("surplus", "Not needed before it was there.") });
      left--;
      continue;
    }
    if (row.state !== "REGISTERED") continue;
    const node = turn.nodeOf(row);
    const idleMs = node?.idleSinceMs == null ? 0 : nowMs - node.idleSinceMs;
    const isIdle = node !== undefined && node.leases === 0 && (manual || idleMs >= settings.idleMsMin);
    if (isIdle ? idle <= 0 : busy <= 0 || (node?.leases === 0 && !manual)) continue;
    if (isIdle) idle--;
    else {
      busy--;
      turn.memory.drains.push({ atMs: nowMs, count: 1 });
    }
    const untilMs = nowMs + settings.drainDeadlineMs;
    const why = isIdle ? `idle for ${Math.round(idleMs / 1000)} s` : `${node?.leases ?? 0} leases to finish`;
    const message = `${plan.desired} instances are wanted; this one is ${why}.`;
    turn.act({ type: "drain", instance: row.id, untilMs, reason: reason(manual ? "manual_down" : "surplus", message) });
    left--;
  }
}

/** Busy instances that may be drained now: a share of all in a minute. */
function busyAllowed(turn: Turn): number {
  const { memory, settings, nowMs } = turn;
  memory.drains = memory.drains.filter(({ atMs }) => nowMs - atMs < 60_000);
  const lately = memory.drains.reduce((sum, { count }) => sum + count, 0);
  const all = turn.capacity().length + lately;
  return Math.max(1, Math.floor(all * settings.downShareOfMinute)) - lately;
}

/** Never registered, idle for longest, least busy, dearest for what it can do. */
export function killOrder(turn: Turn, rows: readonly InstanceRow[]): InstanceRow[] {
  return [...rows].sort((a, b) => {
    const [x, y] = [turn.nodeOf(a), turn.nodeOf(b)];
    return (
      Number(b.state === "LAUNCHED") - Number(a.state === "LAUNCHED") ||
      (x?.idleSinceMs ?? Number.POSITIVE_INFINITY) - (y?.idleSinceMs ?? Number.POSITIVE_INFINITY) ||
      (x?.utilisation ?? 0) - (y?.utilisation ?? 0) ||
      perCore(b) - perCore(a) ||
      (a.id < b.id ? -1 : 1)
    );
  });
}

const perCore = ({ offering }: InstanceRow): number => offering.price.dollarsPerHour / Math.max(1, offering.cores);

/** A limit was lowered, a day began, or prices rose: the dearest go until the rest is within it. */
function overBudget(turn: Turn, have: readonly InstanceRow[], money: Budget): void {
  if (money.excess <= 1e-9) return;
  turn.alert(
    "over_budget",
    `Instances cost $${money.excess.toFixed(4)}/h more than the budget of the ${money.by} allows.`,
  );
  let excess = money.excess;
  for (const row of killOrder(turn, have)) {
    if (excess <= 1e-9) return;
    if (turn.isTaken(row) || (row.state !== "LAUNCHED" && row.state !== "REGISTERED")) continue;
    if (row.offering.price.dollarsPerHour <= 0) continue;
    excess -= row.offering.price.dollarsPerHour;
    const why = reason("budget", `The budget of the ${money.by} no longer covers it.`);
    if (row.state === "LAUNCHED") turn.act({ type: "terminate", instance: row.id, reason: why });
    else {
      const untilMs = turn.nowMs + turn.settings.drainDeadlineMs;
      turn.act({ type: "drain", instance: row.id, untilMs, reason: why });
    }
  }
}

/** The maximum was lowered below what there is. */
function overMaximum(turn: Turn): void {
  const { maxNodes } = turn.input.target;
  const have = turn.capacity();
  let over = have.length - maxNodes;
  for (const row of over > 0 ? killOrder(turn, have) : []) {
    if (over <= 0) return;
    if (turn.isTaken(row) || (row.state !== "LAUNCHED" && row.state !== "REGISTERED")) continue;
    const why = reason("max_nodes", `At most ${maxNodes} instances are allowed.`);
    if (row.state === "LAUNCHED") turn.act({ type: "terminate", instance: row.id, reason: why });
    else {
      const untilMs = turn.nowMs + turn.settings.drainDeadlineMs;
      turn.act({ type: "drain", instance: row.id, untilMs, reason: why });
    }
    over--;
  }
}
