/**
 * The autoscaler's decision: an observation in, actions with reasons out. No clock, no randomness, no I/O; what it
 * remembers between decisions is in `memory`, which is changed in place and may be lost at any time.
 *
 * The steps, in order: what the provider lists is held against the ledger; what is late, lost or over is ended; the
 * need is reckoned; what is over budget or left over is given back; what is missing is bought; orders whose outcome is
 * not known are asked about.
 */
import { budget } from "./budget.ts";
import { scaleDown } from "./down.ts";
import { expire, replay } from "./expire.ts";
import { counts, isOpen } from "./ledger.ts";
import { type ScalerMemory, watchClock } from "./memory.ts";
import type { Decision, Observation } from "./model.ts";
import { reconcile } from "./reconcile.ts";
import { plan } from "./size.ts";
import { type DecideInput, Turn } from "./turn.ts";
import { scaleUp } from "./up.ts";

export type { DecideInput } from "./turn.ts";

export function decide(memory: ScalerMemory, observation: Observation, input: DecideInput): Decision {
  const turn = new Turn(observation, memory, input);
  const unsettled = watchClock(memory, observation.nowMs);
  const have = turn.living.filter(counts).length;
  const blind = whyBlind(turn);
  if (blind !== null || unsettled) {
    if (blind !== null) turn.hold("stale", blind);
    if (unsettled) {
      turn.hold("clock_jump", "The clock jumped; nothing is begun or ended until it has settled.");
      turn.alert("clock_jump", "The clock of this machine jumped.");
    }
    if (blind !== null) turn.alert("stale", blind);
    return { ...decision(turn), desired: have, have, neededRate: 0, volunteerRate: 0, shortfallRate: 0 };
  }
  // Whether a late instance is welcome is known from the need, which does not depend on it.
  const first = plan(new Turn(observation, memory, input));
  reconcile(turn, first.desired > have);
  expire(turn);
  const wanted = plan(turn);
  const money = budget(input.target, turn.living, observation.dollarsToday, observation.nowMs);
  scaleDown(turn, wanted, money);
  scaleUp(turn, wanted, money);
  replay(turn, neededOrders(turn, wanted));
  return {
    ...decision(turn),
    desired: wanted.desired,
    have,
    neededRate: wanted.neededRate,
    volunteerRate: wanted.volunteerRate,
    shortfallRate: wanted.shortfallRate,
  };
}

const decision = (turn: Turn) => ({
  atMs: turn.nowMs,
  policy: turn.input.policy,
  holds: turn.holds,
  alerts: turn.alerts,
  actions: turn.actions,
});

/** Open rows that are of use: filled with work, or needed for the number asked for. */
function neededOrders(turn: Turn, wanted: ReturnType<typeof plan>): Set<string> {
  const needed = new Set(wanted.used);
  let short = wanted.desired - turn.capacity().filter((row) => !isOpen(row)).length;
  for (const row of turn.capacity().filter(isOpen)) {
    if (short-- <= 0) break;
    needed.add(row.id);
  }
  return needed;
}

/** Missing or absurd figures decide nothing: neither more nor less. */
function whyBlind({ observation, settings }: Turn): string | null {
  const ageMs = observation.nowMs - observation.measuredAtMs;
  if (!Number.isFinite(ageMs) || ageMs > settings.staleMs) {
    return `What the grid is doing was last seen ${Number.isFinite(ageMs) ? `${Math.round(ageMs / 1000)} s ago` : "never"}.`;
  }
  const figures = [
    observation.arrivals.rate,
    observation.volunteerShare,
    observation.replication,
    observation.dollarsToday,
    ...observation.demand.flatMap((demand) => [
      demand.coreSeconds,
      demand.grains,
      ...demand.deadlines.flatMap((due) => [due.atMs, due.coreSeconds]),
    ]),
    ...observation.volunteers.flatMap((volunteer) => [volunteer.rate, volunteer.survival]),
  ];
  return figures.every((figure) => Number.isFinite(figure) && figure >= 0)
    ? null
    : "A figure of the observation is not a number.";
}
