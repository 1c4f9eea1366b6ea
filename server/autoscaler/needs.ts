/** How much must be bought: paid work against what volunteers will probably do of it, and what instances do already. */
import type { Offering } from "./cloud/provider.ts";
import type { Demand, Needs, Observation, Volunteer } from "./model.ts";
import type { Settings } from "./settings.ts";

/** A kind of work, and the rate that it still needs. */
export interface Shortfall {
  demand: Demand;
  /** Core-seconds per second. */
  rate: number;
  /** More slots than grains are of no use. */
  slots: number;
}

export interface Needed {
  rate: number;
  volunteerRate: number;
  shortfalls: Shortfall[];
}

/** 10 % quantile of a normal deviate: what volunteers give is counted on with nine chances in ten. */
const cautiousDeviate = 1.2816;

/**
 * The rate that finishes everything queued within `drainMs` and each deadline in time: the steepest of the lines from
 * now to the cumulated work due at each (earliest deadline first is optimal on one machine; Liu and Layland 1973).
 */
export function neededRate(demand: Demand, nowMs: number, settings: Settings, leadMs: number): number {
  let rate = demand.coreSeconds / (settings.drainMs / 1000);
  for (const due of demand.deadlines) {
    const seconds = Math.max(due.atMs - nowMs - leadMs, settings.leadMs / 4, 1_000) / 1000;
    rate = Math.max(rate, due.coreSeconds / seconds);
  }
  return rate;
}

/** Most constrained first, so that what fits little is not given what fits all. */
export const byConstraint = (a: Demand, b: Demand): number =>
  constraint(b.needs) - constraint(a.needs) || b.needs.memoryBytes - a.needs.memoryBytes;

const constraint = (needs: Needs): number => (needs.cpu ? 0 : 4) + Math.min(3, needs.engines.length);

/** Whether a node that has `has` can do what needs `needs`. */
export const fits = (needs: Needs, has: Needs): boolean =>
  (needs.cpu ? has.cpu : has.gpu) &&
  has.memoryBytes >= needs.memoryBytes &&
  needs.engines.every((engine) => has.engines.includes(engine));

export const offered = (offering: Offering): Needs => ({
  gpu: offering.gpu !== null,
  cpu: offering.cores > 0,
  memoryBytes: offering.memoryBytes,
  engines: offering.engines,
});

/** What is needed in all, and what of it volunteers will probably leave undone. */
export function need(observation: Observation, settings: Settings, leadMs: number): Needed {
  const supply = volunteerSupply(observation);
  const classes = [...observation.demand].filter((demand) => demand.coreSeconds > 0).sort(byConstraint);
  const shortfalls: Shortfall[] = [];
  let rate = 0;
  let used = 0;
  for (const demand of classes) {
    const wanted = neededRate(demand, observation.nowMs, settings, leadMs);
    rate += wanted;
    const given = supply.take(demand.needs, wanted);
    used += given;
    shortfalls.push({ demand, rate: wanted - given, slots: Math.max(1, demand.grains) });
  }
  if (observation.arrivals.rate > 0) {
    rate += observation.arrivals.rate;
    const arriving = arrivalsDemand(observation);
    const given = supply.take(arriving.needs, observation.arrivals.rate);
    used += given;
    shortfalls.push({
      demand: arriving,
      rate: observation.arrivals.rate - given,
      slots: Number.POSITIVE_INFINITY,
    });
  }
  return { rate, volunteerRate: used, shortfalls: shortfalls.filter((shortfall) => shortfall.rate > 1e-9) };
}

/** What is to arrive is taken to be like what is here, where it is of one kind; else like anything. */
function arrivalsDemand({ demand }: Observation): Demand {
  const only = demand.length === 1 ? demand[0] : undefined;
  return {
    class: "arrivals",
    needs: only?.needs ?? { gpu: false, cpu: true, memoryBytes: 0, engines: [] },
    coreSeconds: 0,
    grains: Number.POSITIVE_INFINITY,
    deadlines: [],
  };
}

interface Supply {
  /** Gives up to `rate` to work with these needs; returns how much. */
  take(needs: Needs, rate: number): number;
}

function volunteerSupply(observation: Observation): Supply {
  const left = observation.volunteers.map((volunteer) => ({ volunteer, rate: worth(observation, volunteer) }));
  const caution = cautiousShare(observation.volunteers);
  for (const entry of left) if (!entry.volunteer.own) entry.rate *= caution;
  // Those that can do the least first, so that the able ones are left for what only they can do.
  left.sort((a, b) => able(a.volunteer.needs) - able(b.volunteer.needs));
  return {
    take(needs, rate) {
      let given = 0;
      for (const entry of left) {
        if (given >= rate) break;
        if (entry.rate <= 0 || !fits(needs, entry.volunteer.needs)) continue;
        const part = Math.min(entry.rate, rate - given);
        entry.rate -= part;
        given += part;
      }
      return given;
    },
  };
}

const able = (needs: Needs): number => (needs.gpu ? 2 : 0) + needs.engines.length;

function worth(observation: Observation, volunteer: Volunteer): number {
  if (!Number.isFinite(volunteer.rate) || volunteer.rate <= 0) return 0;
  const cost = volunteer.own ? 1 : Math.max(1, observation.replication);
  return (volunteer.rate * observation.volunteerShare * (volunteer.own ? 1 : volunteer.survival)) / cost;
}

/** Share of the strangers' expected supply that is there in nine cases of ten, each staying or going by itself. */
function cautiousShare(volunteers: readonly Volunteer[]): number {
  let mean = 0;
  let variance = 0;
  for (const { own, rate, survival } of volunteers) {
    if (own || !(rate > 0)) continue;
    mean += rate * survival;
    variance += rate * rate * survival * (1 - survival);
  }
  return mean > 0 ? Math.max(0, 1 - (cautiousDeviate * Math.sqrt(variance)) / mean) : 1;
}
