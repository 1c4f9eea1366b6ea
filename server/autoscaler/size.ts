/** How many instances, of what: existing ones are filled first, what is left over is bought. */
import { budget } from "./budget.ts";
import type { Offering } from "./cloud/provider.ts";
import { bootMs } from "./memory.ts";
import type { InstanceRow, Needs, Observation } from "./model.ts";
import { fits, need, offered, type Shortfall } from "./needs.ts";
import { choose } from "./rank.ts";
import type { Turn } from "./turn.ts";

/** A run of instances to buy. */
export interface Purchase {
  offerings: Offering[];
  count: number;
}

export interface Plan {
  neededRate: number;
  volunteerRate: number;
  shortfallRate: number;
  /** Load of what there is: needed over capacity; infinite where there is need and no capacity. */
  load: number;
  /** Instances that have something to do, by id. */
  used: Set<string>;
  purchases: Purchase[];
  /** What booting an instance takes. */
  bootMs: number;
  /** Instances wanted, within minimum, maximum and a person's wish. */
  desired: number;
}

/** Work of any kind, for instances that are wanted for their number. */
const anything: Needs = { gpu: false, cpu: true, memoryBytes: 0, engines: [] };

export function plan(turn: Turn): Plan {
  const { observation, memory, settings, input } = turn;
  const have = turn.capacity();
  const lead = bootMs(memory, typicalBoot(observation));
  const needed = need(observation, settings, lead);
  const { targetCpu, scaleUpThreshold } = input.target;
  const paces = new Paces(turn);
  const dollarsRoom = dollarsRoomOf(turn);
  const shortfallRate = needed.shortfalls.reduce((sum, { backlog }) => sum + backlog.rate(), 0);
  const capacity = have.reduce((sum, row) => sum + paces.of(row), 0);
  const load = shortfallRate === 0 ? 0 : capacity > 0 ? shortfallRate / capacity : Number.POSITIVE_INFINITY;
  const readyS = (row: InstanceRow): number => readyIn(row, observation.nowMs, lead) / 1_000;
  const filled = fill(needed.shortfalls, have, readyS, (row) => paces.of(row) * targetCpu);
  // What there is may be loaded a little above the plan before more is bought.
  const stretched = fill(
    needed.shortfalls,
    have,
    readyS,
    (row) => paces.of(row) * Math.max(targetCpu, scaleUpThreshold),
  );
  const [least, most] = limits(turn);
  let room = Math.max(0, most - have.length);
  const purchases: Purchase[] = [];
  if (room === 0 && stretched.left.length > 0) {
    turn.hold("max_nodes", `More instances would be of use; at most ${most} are allowed.`);
  }
  if (room > 0) {
    for (const left of stretched.left) {
      // Sized to the plan, not to the stretch.
      const same = filled.left.find(({ demand }) => demand.class === left.demand.class) ?? left;
      const rate = same.backlog.rate(lead / 1_000);
      const choice = choose(
        observation.offerings,
        { needs: same.demand.needs, rate, slots: same.slots },
        {
          memory,
          policy: input.policy,
          nowMs: turn.nowMs,
          room,
          dollarsRoom,
          ratePerCore: paces.perCore * targetCpu,
          lifeHours: lifeHours(turn),
          regionCost: (region) => input.regionCost?.(region, same.demand.region ?? null) ?? 0,
        },
      );
      if ("none" in choice) {
        const { code, message } = unmet[choice.none];
        turn.hold(code, `${message} (${same.demand.class})`);
        continue;
      }
      const count = Math.min(choice.count, room);
      const cores = choice.offerings[0]?.cores ?? 1;
      if (count === room && count * cores < same.slots && count * cores * paces.perCore * targetCpu < rate) {
        turn.hold("max_nodes", `More instances would be of use; at most ${most} are allowed.`);
      }
      purchases.push({ offerings: choice.offerings, count });
      room -= count;
      if (room <= 0) break;
    }
  }
  const bought = purchases.reduce((sum, { count }) => sum + count, 0);
  const wanted = filled.used.size + bought;
  const desired = Math.min(most, Math.max(least, wanted));
  if (desired > Math.max(wanted, have.length))
    buyForNumber(turn, purchases, desired - Math.max(wanted, have.length), paces);
  return {
    neededRate: needed.rate,
    volunteerRate: needed.volunteerRate,
    shortfallRate,
    load,
    used: filled.used,
    purchases,
    bootMs: lead,
    desired,
  };
}

const dollarsRoomOf = ({ input, living, observation, nowMs }: Turn): number =>
  budget(input.target, living, observation.dollarsToday, nowMs).room;

const unmet = {
  unfit: { code: "unfit", message: "No machine on offer can do this work" },
  blocked: { code: "no_capacity", message: "Every machine that could do this work was refused lately" },
};

/** Least and most instances, from the target and from a person's wish, which stays within it. */
export function limits(turn: Turn): [number, number] {
  const { minNodes, maxNodes } = turn.input.target;
  const { manual } = turn.observation;
  if (!manual || manual.untilMs <= turn.nowMs) return [Math.min(minNodes, maxNodes), maxNodes];
  const most = manual.atMost === null ? maxNodes : Math.min(maxNodes, Math.max(minNodes, manual.atMost));
  return [Math.min(most, Math.max(minNodes, manual.atLeast)), most];
}

/** Minimum and manual instances are for no job in particular: the cheapest will do. */
function buyForNumber(turn: Turn, purchases: Purchase[], count: number, paces: Paces): void {
  const { observation, memory, input } = turn;
  const choice = choose(
    observation.offerings,
    { needs: anything, rate: 1e-6, slots: 1 },
    {
      memory,
      policy: input.policy,
      nowMs: turn.nowMs,
      room: count,
      dollarsRoom: dollarsRoomOf(turn),
      ratePerCore: paces.perCore,
      lifeHours: lifeHours(turn),
      regionCost: (region) => input.regionCost?.(region, null) ?? 0,
    },
  );
  if ("none" in choice) turn.hold(unmet[choice.none].code, unmet[choice.none].message);
  else purchases.push({ offerings: choice.offerings, count });
}

interface Filled {
  used: Set<string>;
  left: Shortfall[];
}

/** When an instance that boots will be there, in ms, if it boots as others did. */
const readyIn = (row: InstanceRow, nowMs: number, bootMs: number): number =>
  row.state === "REGISTERED" ? 0 : Math.max(0, (row.launchedAtMs ?? row.createdAtMs) + bootMs - nowMs);

/** Fills instances with work, the most constrained work first. */
function fill(
  shortfalls: readonly Shortfall[],
  have: readonly InstanceRow[],
  readyS: (row: InstanceRow) => number,
  rateOf: (row: InstanceRow) => number,
): Filled {
  // Running ones before those on their way, the least able first.
  const order = [...have].sort(
    (a, b) => readyS(a) - readyS(b) || able(a.offering) - able(b.offering) || a.createdAtMs - b.createdAtMs,
  );
  const free = new Map(order.map((row) => [row.id, rateOf(row)]));
  const used = new Set<string>();
  const left: Shortfall[] = [];
  for (const { demand, backlog: whole, slots: most } of shortfalls) {
    const backlog = whole.copy();
    let slots = most;
    for (const row of order) {
      const needed = backlog.rate(readyS(row));
      if (needed === 0 || slots <= 0) break;
      const rate = Math.min(free.get(row.id) as number, needed);
      if (rate <= 1e-9 || !fits(demand.needs, offered(row.offering))) continue;
      backlog.serve(rate, readyS(row));
      free.set(row.id, (free.get(row.id) as number) - rate);
      slots -= Math.max(1, row.offering.cores);
      used.add(row.id);
    }
    if (backlog.rate() > 0 && slots > 0) left.push({ demand, backlog, slots });
  }
  return { used, left };
}

const able = (offering: Offering): number => (offering.gpu ? 1 : 0) + offering.engines.length;

/** What instances reach, measured where they have computed, else as their kind does, else a core-second a second. */
class Paces {
  readonly #byType = new Map<string, number>();
  readonly perCore: number;

  constructor(private readonly turn: Turn) {
    const seen = new Map<string, { rate: number; count: number; cores: number }>();
    let rate = 0;
    let cores = 0;
    for (const row of turn.living) {
      const measured = this.#measured(row);
      if (measured === null) continue;
      const { type } = row.offering;
      const known = seen.get(type) ?? { rate: 0, count: 0, cores: 0 };
      seen.set(type, { rate: known.rate + measured, count: known.count + 1, cores: row.offering.cores });
      rate += measured;
      cores += row.offering.cores;
    }
    for (const [type, { rate: sum, count }] of seen) this.#byType.set(type, sum / count);
    this.perCore = cores > 0 ? rate / cores : 1;
  }

  of(row: InstanceRow): number {
    const measured = this.#measured(row);
    if (measured !== null) return measured;
    return this.#byType.get(row.offering.type) ?? row.offering.cores * this.perCore;
  }

  #measured(row: InstanceRow): number | null {
    const rate = this.turn.nodeOf(row)?.rate ?? 0;
    return rate > 0 ? rate : null;
  }
}

const typicalBoot = (observation: Observation): number => {
  const boots = observation.offerings.map(({ bootMs: ms }) => ms).sort((a, b) => a - b);
  return boots[Math.floor(boots.length / 2)] ?? 0;
};

/** How long what is bought now will probably be of use: what ranks boot times and interruptions. */
const lifeHours = (turn: Turn): number =>
  Math.max(turn.settings.drainMs + turn.input.target.cooldownMs, 300_000) / 3_600_000;
