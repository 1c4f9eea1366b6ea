/** What EC2 offers: the operator's types, as EC2 describes them, at what they cost now. */
import {
  DescribeInstanceTypesCommand,
  DescribeSpotPriceHistoryCommand,
  type EC2Client,
  type InstanceTypeInfo,
  type SpotPrice,
} from "@aws-sdk/client-ec2";
import { type Market, type Offering, offeringId, type Price } from "../provider.ts";
import type { OnDemandPrices } from "./prices.ts";

const machineMs = 24 * 3_600_000;
const priceMs = 5 * 60_000;
/** From order to hello, until the autoscaler has measured it. */
const bootMs = 90_000;
/** EC2's Spot Instance Advisor publishes bands for a month: its middle one, 5 to 10% a month, until own experience says more. */
const interruptionsPerHour = 0.075 / 730;
const pagesMax = 20;

interface Machine {
  type: string;
  cores: number;
  memoryBytes: number;
  gpu: Offering["gpu"];
}

interface Kept<T> {
  atMs: number;
  value: T;
}

export class Machines {
  #machines: Kept<Machine[]> | null = null;
  #spot: Kept<Offering[]> | null = null;

  constructor(
    private readonly client: EC2Client,
    private readonly region: string,
    private readonly types: readonly string[],
    private readonly prices: OnDemandPrices,
    private readonly now: () => number,
  ) {}

  async offerings(): Promise<Offering[]> {
    const machines = await this.#describe();
    const [spot, prices] = await Promise.all([
      this.#spotOfferings(machines),
      this.prices.of(machines.map(({ type }) => type)),
    ]);
    // Of an on-demand machine EC2 chooses the zone.
    const onDemand = machines.flatMap((machine) => {
      const price = prices.get(machine.type);
      return price ? [this.#offering(machine, "on_demand", null, price)] : [];
    });
    return [...spot, ...onDemand];
  }

  async #describe(): Promise<Machine[]> {
    if (this.#machines && this.now() - this.#machines.atMs < machineMs) return this.#machines.value;
    const found: InstanceTypeInfo[] = [];
    let next: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const command = new DescribeInstanceTypesCommand({ InstanceTypes: [...this.types] as never, NextToken: next });
      const answer = await this.client.send(command);
      found.push(...(answer.InstanceTypes ?? []));
      next = answer.NextToken;
      if (!next) break;
    }
    const value = found.flatMap(machineOf);
    this.#machines = { atMs: this.now(), value };
    return value;
  }

  async #spotOfferings(machines: readonly Machine[]): Promise<Offering[]> {
    if (this.#spot && this.now() - this.#spot.atMs < priceMs) return this.#spot.value;
    const prices = await this.#spotPrices();
    const value = prices.flatMap(
      ({ InstanceType: type, AvailabilityZone: zone, SpotPrice: dollars, Timestamp: at }) => {
        const machine = machines.find((each) => each.type === type);
        if (!machine || !zone || !dollars) return [];
        const price = {
          dollarsPerHour: Number(dollars),
          source: "EC2 DescribeSpotPriceHistory",
          asOfMs: at?.getTime() ?? this.now(),
        };
        return [this.#offering(machine, "spot", zone, price)];
      },
    );
    this.#spot = { atMs: this.now(), value };
    return value;
  }

  /** The newest of each type and zone. */
  async #spotPrices(): Promise<SpotPrice[]> {
    const newest = new Map<string, SpotPrice>();
    let next: string | undefined;
    for (let page = 0; page < pagesMax; page++) {
      const answer = await this.client.send(
        new DescribeSpotPriceHistoryCommand({
          InstanceTypes: [...this.types] as never,
          ProductDescriptions: ["Linux/UNIX"],
          StartTime: new Date(this.now()),
          NextToken: next,
        }),
      );
      for (const price of answer.SpotPriceHistory ?? []) {
        const key = `${price.InstanceType}/${price.AvailabilityZone}`;
        const known = newest.get(key);
        if (!known || (price.Timestamp?.getTime() ?? 0) > (known.Timestamp?.getTime() ?? 0)) newest.set(key, price);
      }
      next = answer.NextToken;
      if (!next) break;
    }
    return [...newest.values()];
  }

  #offering(machine: Machine, market: Market, zone: string | null, price: Price): Offering {
    return {
      ...machine,
      id: offeringId(market, machine.type, zone ?? this.region),
      region: this.region,
      zone,
      market,
      engines: [],
      price,
      bootMs,
      interruptionsPerHour: market === "spot" ? interruptionsPerHour : 0,
    };
  }
}

function machineOf(info: InstanceTypeInfo): Machine[] {
  const { InstanceType: type, VCpuInfo: cpu, MemoryInfo: memory, GpuInfo: gpu } = info;
  if (!type || !cpu?.DefaultVCpus || !memory?.SizeInMiB) return [];
  const [card] = gpu?.Gpus ?? [];
  return [
    {
      type,
      cores: cpu.DefaultVCpus,
      memoryBytes: memory.SizeInMiB * 2 ** 20,
      gpu: card
        ? {
            name: `${card.Manufacturer ?? ""} ${card.Name ?? "GPU"}`.trim(),
            count: card.Count ?? 1,
            memoryBytes: (card.MemoryInfo?.SizeInMiB ?? 0) * 2 ** 20,
          }
        : null,
    },
  ];
}
