/** How much must be bought: paid work against what volunteers will probably do of it, and what instances do already. */
import type { Offering } from "./cloud/provider.ts";
import type { Demand, Needs, Observation, Volunteer } from "./model.ts";
import type { Settings } from "./settings.ts";

/** A kind of work, and what of it nobody does yet. */
export interface Shortfall {
  demand: Demand;
  backlog: Backlog;
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
 * Work cumulated by when it is due, less what is done by then. The rate that it needs is the steepest of the lines to its
 * points: the least that is in time for all of them (Yao, Demers and Shenker 1995, "optimal available").
 */
export class Backlog {
  constructor(private readonly dues: { inS: number; coreSeconds: number }[]) {}

  /** Core-seconds per second that who is ready in `readyS` seconds would have to do; 0 when all is in time. */
  rate(readyS = 0): number {
    let rate = 0;
    for (const { inS, coreSeconds } of this.dues) rate = Math.max(rate, coreSeconds / Math.max(1, inS - readyS));
    return rate > 1e-9 ? rate : 0;
  }

  serve(rate: number, readyS = 0): void {
    for (const due of this.dues) due.coreSeconds -= rate * Math.max(1, due.inS - readyS);
  }

  copy(): Backlog {
    return new Backlog(this.dues.map((due) => ({ ...due })));
  }
}

/** What is not due before is due in `drainMs`; what is late, as soon as makes sense once an instance has booted. */
function backlogOf(demand: Demand, nowMs: number, settings: Settings, bootMs: number): Backlog {
  const soonest = bootMs + settings.leadMs;
  const dues = demand.deadlines.map(({ atMs, coreSeconds }) => ({
    inS: Math.max(soonest, atMs - nowMs) / 1_000,
    coreSeconds,
  }));
  dues.push({ inS: Math.max(soonest, settings.drainMs) / 1_000, coreSeconds: demand.coreSeconds });
  return new Backlog(dues);
}

/** What will arrive has no end. */
const lastingS = 86_400;

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
export function need(observation: Observation, settings: Settings, bootMs: number): Needed {
  const supply = volunteerSupply(observation);
  const shortfalls: Shortfall[] = [];
  let [rate, volunteerRate] = [0, 0];
  const add = (demand: Demand, backlog: Backlog, slots: number): void => {
    const wanted = backlog.rate();
    const given = supply.take(demand.needs, wanted);
    rate += wanted;
    volunteerRate += given;
    backlog.serve(given);
    if (backlog.rate() > 0) shortfalls.push({ demand, backlog, slots });
  };
  const classes = [...observation.demand].filter((demand) => demand.coreSeconds > 0).sort(byConstraint);
  for (const demand of classes) {
    add(demand, backlogOf(demand, observation.nowMs, settings, bootMs), Math.max(1, demand.grains));
  }
  if (observation.arrivals.rate > 0) {
    const lasting = [{ inS: lastingS, coreSeconds: observation.arrivals.rate * lastingS }];
    add(arrivalsDemand(observation), new Backlog(lasting), Number.POSITIVE_INFINITY);
  }
  return { rate, volunteerRate, shortfalls };
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
