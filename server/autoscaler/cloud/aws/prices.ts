/**
 * On-demand prices, from AWS's Price List Query API, a day old at most. It wants credentials that allow `pricing:GetProducts`;
 * without them the listed prices serve, which are Virginia's alone: elsewhere a budget would be held against wrong ones.
 * Shapes: https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/using-price-list-query-api.html
 */
import { GetProductsCommand, type PricingClient } from "@aws-sdk/client-pricing";
import * as z from "zod";
import { listedPrices } from "../../prices.ts";
import type { Price } from "../provider.ts";

/** The API answers for all regions from few of them. */
export const pricingRegion = "us-east-1";

const keptMs = 24 * 3_600_000;
/** After a failure it is asked again so soon. */
const retryMs = 15 * 60_000;
const listedRegion = "us-east-1";

const productSchema = z.object({
  product: z.object({ attributes: z.object({ instanceType: z.string(), regionCode: z.string() }) }),
  terms: z.object({
    OnDemand: z.record(
      z.string(),
      z.object({
        effectiveDate: z.string(),
        priceDimensions: z.record(
          z.string(),
          z.object({ unit: z.string(), pricePerUnit: z.record(z.string(), z.string()) }),
        ),
      }),
    ),
  }),
});

export class OnDemandPrices {
  #kept: { untilMs: number; prices: ReadonlyMap<string, Price> } | null = null;

  constructor(
    private readonly client: PricingClient,
    private readonly region: string,
    private readonly now: () => number,
  ) {}

  /** By type; types without a known price are left out. Never rejects. */
  async of(types: readonly string[]): Promise<ReadonlyMap<string, Price>> {
    if (this.#kept && this.now() < this.#kept.untilMs) return this.#kept.prices;
    const answers = await Promise.allSettled(types.map((type) => this.#ask(type)));
    const prices = new Map<string, Price>();
    for (const [at, type] of types.entries()) {
      const answer = answers[at];
      const price = answer?.status === "fulfilled" ? answer.value : this.#listed(type);
      if (price) prices.set(type, price);
    }
    const failed = answers.some(({ status }) => status === "rejected");
    this.#kept = { untilMs: this.now() + (failed ? retryMs : keptMs), prices };
    return prices;
  }

  async #ask(type: string): Promise<Price | null> {
    const wanted = {
      instanceType: type,
      regionCode: this.region,
      operatingSystem: "Linux",
      preInstalledSw: "NA",
      tenancy: "Shared",
      capacitystatus: "Used",
    };
    const Filters = Object.entries(wanted).map(([Field, Value]) => ({ Type: "TERM_MATCH" as const, Field, Value }));
    const { PriceList = [] } = await this.client.send(
      new GetProductsCommand({ ServiceCode: "AmazonEC2", Filters, MaxResults: 20 }),
    );
    // A type that the region does not have is in no list.
    const prices = (PriceList as unknown[]).map((text) => priceOf(String(text), type, this.region));
    return prices.find((price) => price !== null) ?? null;
  }

  #listed(type: string): Price | null {
    if (this.region !== listedRegion) return null;
    const listed = listedPrices.find((each) => each.type === type && each.market === "on_demand");
    if (!listed) return null;
    const { dollarsPerHour, source, asOf } = listed;
    return { dollarsPerHour, source: `${source} (${asOf})`, asOfMs: Date.UTC(2026, 0, 1) };
  }
}

function priceOf(text: string, type: string, region: string): Price | null {
  const { product, terms } = productSchema.parse(JSON.parse(text));
  if (product.attributes.instanceType !== type || product.attributes.regionCode !== region) return null;
  for (const { effectiveDate, priceDimensions } of Object.values(terms.OnDemand)) {
    for (const { unit, pricePerUnit } of Object.values(priceDimensions)) {
      const dollarsPerHour = Number(pricePerUnit.USD);
      if (unit !== "Hrs" || !(dollarsPerHour > 0)) continue;
      return { dollarsPerHour, source: "AWS Price List API", asOfMs: Date.parse(effectiveDate) || 0 };
    }
  }
  return null;
}
