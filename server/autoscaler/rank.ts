/** Which machine to buy: the one whose useful core-seconds cost the least, of those that can do the work. */
import { affordable } from "./budget.ts";
import type { Offering } from "./cloud/provider.ts";
import { orderOfferingsMax } from "./cloud/provider.ts";
import type { ScalerMemory } from "./memory.ts";
import type { Needs, PolicyName } from "./model.ts";
import { fits, offered } from "./needs.ts";

/** Hours over which the published rate of interruptions is believed against one's own experience. */
const priorHours = 20;
/** Work that an interruption costs: unfinished slices, in hours of the instance. */
const lostHours = 10 / 3600;
/** Spot pools that must have refused before on-demand is bought in their place. */
const spotPoolsRefused = 3;

/** Interruptions of one instance in an hour, as published and as seen. */
export function interruptionRate(memory: ScalerMemory, offering: Offering): number {
  const seen = memory.interruptions.get(offering.id);
  if (!seen) return offering.interruptionsPerHour;
  return (offering.interruptionsPerHour * priorHours + seen.count) / (priorHours + seen.hours);
}

/** Share of an instance's life that does useful work: not booting, not computing what is lost. */
export function usefulShare(memory: ScalerMemory, offering: Offering, lifeHours: number): number {
  const rate = interruptionRate(memory, offering);
  const life = rate > 0 ? Math.min(lifeHours, 1 / rate) : lifeHours;
  const boot = Math.min(0.9, offering.bootMs / 3_600_000 / Math.max(life, 1e-3));
  return Math.max(0.05, (1 - boot) * (1 - Math.min(0.9, rate * lostHours)));
}

export interface Wanted {
  needs: Needs;
  /** Core-seconds per second. */
  rate: number;
  slots: number;
}

export interface Choice {
  /** Best first, one region and one market. */
  offerings: Offering[];
  /** Instances of the best one that the work needs. */
  count: number;
}

export interface RankInput {
  memory: ScalerMemory;
  policy: PolicyName;
  nowMs: number;
  /** Instances that may still be bought. */
  room: number;
  /** Dollars an hour that may still be ordered. */
  dollarsRoom: number;
  /** Core-seconds per second of one core at the planned load. */
  ratePerCore: number;
  /** How long an instance will probably be needed. */
  lifeHours: number;
  /** Score of a region, to be added to the price: dollars an hour. Lower is better. */
  regionCost(region: string): number;
}

/** Null where nothing on offer can do it; `blocked` says whether something could if there were capacity. */
export function choose(
  offerings: readonly Offering[],
  wanted: Wanted,
  input: RankInput,
): Choice | { none: "unfit" | "blocked" } {
  const fit = offerings.filter((offering) => fits(wanted.needs, offered(offering)));
  if (fit.length === 0) return { none: "unfit" };
  const open = marketsOf(fit, input).filter((offering) => !isBlocked(input, offering));
  if (open.length === 0) return { none: "blocked" };
  // What the budget leaves no room for is no choice, unless there is nothing else: then the budget is what holds.
  const payable = open.filter(({ price }) => affordable(input.dollarsRoom, price.dollarsPerHour) >= 1);
  const ranked = (payable.length > 0 ? payable : open)
    .map((offering) => ({ offering, ...score(offering, wanted, input) }))
    .sort(
      (a, b) => b.met - a.met || a.dollars - b.dollars || a.count - b.count || compare(a.offering.id, b.offering.id),
    );
  const best = ranked[0] as (typeof ranked)[number];
  const like = ranked.filter(
    ({ offering, count }) =>
      offering.region === best.offering.region && offering.market === best.offering.market && count <= best.count,
  );
  return { offerings: like.slice(0, orderOfferingsMax).map(({ offering }) => offering), count: best.count };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function score(offering: Offering, wanted: Wanted, input: RankInput): { count: number; dollars: number; met: number } {
  const rate = offering.cores * input.ratePerCore;
  const slots = Math.ceil(wanted.slots / Math.max(1, offering.cores));
  const count = Math.max(1, Math.min(Math.ceil(wanted.rate / rate - 1e-9), slots, input.room));
  // The order itself is cut to the budget later, and says so; here it tells how much each machine could do within it.
  const paid = Math.max(1, Math.min(count, affordable(input.dollarsRoom, offering.price.dollarsPerHour)));
  const useful = usefulShare(input.memory, offering, input.lifeHours);
  const price = offering.price.dollarsPerHour + input.regionCost(offering.region);
  // How much of the need is met matters only where the number of instances, or the budget, is the limit.
  const met = paid === count && count < input.room ? 1 : Math.min(1, (paid * rate) / wanted.rate);
  return { count, dollars: (paid * price) / useful, met: Math.round(met * 100) };
}

const isBlocked = (input: RankInput, offering: Offering): boolean =>
  (input.memory.blocked.get(offering.id)?.untilMs ?? 0) > input.nowMs;

/**
 * Spot only where cost decides, and never dearer than the cheapest on-demand; on-demand then only where there is no
 * spot to be had: enough pools refused, or there are none.
 */
function marketsOf(fit: readonly Offering[], input: RankInput): Offering[] {
  const onDemand = fit.filter((offering) => offering.market === "on_demand");
  if (input.policy !== "cost_optimized") return onDemand.length > 0 ? onDemand : [...fit];
  const ceiling = Math.min(...onDemand.map((offering) => perCore(offering)));
  const spot = fit.filter((offering) => offering.market === "spot" && perCore(offering) <= ceiling);
  const refused = spot.filter((offering) => isBlocked(input, offering)).length;
  if (spot.length === 0 || refused === spot.length || refused >= spotPoolsRefused) return [...spot, ...onDemand];
  return spot;
}

const perCore = (offering: Offering): number => offering.price.dollarsPerHour / Math.max(1, offering.cores);
