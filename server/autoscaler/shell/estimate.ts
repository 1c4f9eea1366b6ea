/** What instances would cost, before any is launched: from what the cloud offers now, else from the listed prices. */
import type { Estimate, EstimateBody } from "../../../protocol/scaling.ts";
import { ScalerRefusal } from "../../transport/scaler.ts";
import type { Offering } from "../cloud/provider.ts";
import { listedPrices } from "../prices.ts";

export interface EstimateInput {
  /** What the provider offers; empty where it sends no bill. */
  offerings: readonly Offering[];
  /** Dollars an hour that the budget leaves. */
  room: number;
  targetCpu: number;
}

interface Priced {
  type: string;
  market: string;
  region: string | null;
  cores: number;
  dollarsPerHour: number;
  source: string;
  asOf: string;
}

const estimatesMax = 20;

/** Throws ScalerRefusal where the machine is not known, or the body says neither size nor work. */
export function estimate(body: EstimateBody, input: EstimateInput): Estimate {
  const { core_seconds: work, instances, hours } = body;
  if (work === undefined && (instances === undefined || hours === undefined)) {
    const remedy = 'Send {"type": "t3.medium", "instances": 50, "hours": 1}, or {"core_seconds": 100000}.';
    throw new ScalerRefusal("Neither instances and hours nor work is given.", "instances", remedy);
  }
  const all = input.offerings.length > 0 ? input.offerings.map(ofOffering) : listedPrices.map(ofListed);
  const known = body.type === undefined ? all : all.filter(({ type }) => type === body.type);
  if (known.length === 0) {
    const types = [...new Set(all.map(({ type }) => type))];
    throw new ScalerRefusal(`No price of "${body.type}" is known.`, "type", "Use one of those available.", types);
  }
  const estimates = known
    .map((price) => line(price, body, input))
    .sort((a, b) => a.dollars - b.dollars)
    .slice(0, estimatesMax);
  return {
    estimates,
    assumes: [
      "One core does one core-second of work in a second; its real pace is measured once it runs.",
      `Plans count on ${Math.round(input.targetCpu * 100)} % of an instance.`,
      "Disks, addresses and traffic are not in the price.",
      ...(input.offerings.length > 0
        ? []
        : ["No cloud was asked: the prices are listed ones, of the date beside them."]),
    ],
  };
}

function line(price: Priced, body: EstimateBody, { room, targetCpu }: EstimateInput): Estimate["estimates"][number] {
  const rate = price.cores * targetCpu;
  const work = body.core_seconds;
  const instances =
    work === undefined ? (body.instances as number) : Math.max(1, Math.ceil(work / (rate * body.deadline_seconds)));
  const hours = work === undefined ? (body.hours as number) : work / (rate * instances) / 3_600;
  return {
    type: price.type,
    market: price.market,
    region: price.region,
    cores: price.cores,
    instances,
    hours,
    dollars_per_hour: price.dollarsPerHour,
    // To the cent's hundredth: prices have four decimals.
    dollars: Math.round(instances * hours * price.dollarsPerHour * 1e4) / 1e4,
    price_source: price.source,
    price_as_of: price.asOf,
    within_budget: instances * price.dollarsPerHour <= room,
  };
}

const ofOffering = ({ type, market, region, cores, price }: Offering): Priced => ({
  type,
  market,
  region,
  cores,
  dollarsPerHour: price.dollarsPerHour,
  source: price.source,
  asOf: new Date(price.asOfMs).toISOString(),
});

const ofListed = ({ type, market, cores, dollarsPerHour, source, asOf }: (typeof listedPrices)[number]): Priced => ({
  type,
  market,
  region: null,
  cores,
  dollarsPerHour,
  source,
  asOf,
});
