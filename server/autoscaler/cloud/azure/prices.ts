/** What machines cost, from Azure's public retail prices, which want no credentials. https://learn.microsoft.com/rest/api/cost-management/retail-prices/azure-retail-prices */
import * as z from "zod";
import type { Market } from "../provider.ts";

const pageSchema = z.object({
  Items: z.array(
    z.object({
      retailPrice: z.number(),
      currencyCode: z.string(),
      armSkuName: z.string(),
      skuName: z.string(),
      productName: z.string(),
      effectiveStartDate: z.string(),
    }),
  ),
  NextPageLink: z.string().nullish(),
});

export interface AzurePrice {
  size: string;
  market: Market;
  dollarsPerHour: number;
  asOfMs: number;
}

const pagesMax = 20;
const answerMsMax = 15_000;

export async function retailPrices(
  endpoint: string,
  location: string,
  sizes: readonly string[],
  get: typeof fetch = fetch,
): Promise<AzurePrice[]> {
  const names = sizes.map((size) => `armSkuName eq '${size}'`).join(" or ");
  const filter = `serviceName eq 'Virtual Machines' and priceType eq 'Consumption' and armRegionName eq '${location}' and (${names})`;
  const newest = new Map<string, AzurePrice>();
  let next: string | null = `${endpoint}/api/retail/prices?currencyCode='USD'&$filter=${encodeURIComponent(filter)}`;
  for (let page = 0; next !== null && page < pagesMax; page++) {
    const answer = await get(next, { signal: AbortSignal.timeout(answerMsMax) });
    if (!answer.ok) throw Object.assign(new Error(`Azure's prices: ${answer.status}`), { statusCode: answer.status });
    const { Items, NextPageLink } = pageSchema.parse(await answer.json());
    for (const { retailPrice, currencyCode, armSkuName: size, skuName, productName, effectiveStartDate } of Items) {
      if (currencyCode !== "USD" || /Windows/.test(productName) || /Low Priority/.test(skuName)) continue;
      const market = /Spot/.test(skuName) ? "spot" : "on_demand";
      const price = { size, market, dollarsPerHour: retailPrice, asOfMs: Date.parse(effectiveStartDate) || 0 } as const;
      const known = newest.get(`${market} ${size}`);
      if (!known || price.asOfMs > known.asOfMs) newest.set(`${market} ${size}`, price);
    }
    next = NextPageLink || null;
  }
  return [...newest.values()].filter(({ dollarsPerHour }) => dollarsPerHour > 0);
}
