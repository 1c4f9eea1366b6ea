/**
 * What machine types cost, from Google's public price list (Cloud Billing Catalog API), which has cores and memory by family and
 * region: a machine costs what its parts cost. It wants credentials, and the API enabled in the project. Shared-core types
 * other than E2's, custom ones and GPUs are not reckoned: their prices must be named.
 * https://cloud.google.com/billing/v1/how-tos/catalog-api
 */
import * as z from "zod";
import type { Market } from "../provider.ts";

/** Compute Engine among Google's services. */
const computeEngine = "services/6F81-5844-456A";
const pagesMax = 40;

const pageSchema = z.object({
  skus: z.array(
    z.object({
      description: z.string(),
      category: z.object({ resourceFamily: z.string(), usageType: z.string() }),
      serviceRegions: z.array(z.string()),
      pricingInfo: z.array(
        z.object({
          effectiveTime: z.string().default(""),
          pricingExpression: z.object({
            usageUnit: z.string(),
            tieredRates: z.array(
              z.object({
                startUsageAmount: z.number().default(0),
                unitPrice: z.object({
                  currencyCode: z.string(),
                  units: z.string().default("0"),
                  nanos: z.number().default(0),
                }),
              }),
            ),
          }),
        }),
      ),
    }),
  ),
  nextPageToken: z.string().default(""),
});
type Sku = z.infer<typeof pageSchema>["skus"][number];

/** Dollars an hour of a core, and of a GiB of memory. */
interface Parts {
  core: number | null;
  ram: number | null;
  asOfMs: number;
}

export class GcpPrices {
  constructor(private readonly parts: ReadonlyMap<string, Parts>) {}

  /** Dollars an hour; null where the list does not have the family there. */
  of(type: string, region: string, market: Market, cores: number, memoryMb: number): number | null {
    const [family = ""] = type.split("-");
    const parts = this.parts.get(`${region} ${market} ${family}`);
    const billed = billedShare(type);
    if (!parts?.core || !parts.ram || billed === null) return null;
    return billed * cores * parts.core + (memoryMb / 1_024) * parts.ram;
  }

  asOfMs(type: string, region: string, market: Market): number {
    return this.parts.get(`${region} ${market} ${type.split("-")[0]}`)?.asOfMs ?? 0;
  }
}

/** The share of its cores that a type is billed for: all, save for shared-core ones; null where it is not known. */
function billedShare(type: string): number | null {
  const shared: Readonly<Record<string, number | null>> = {
    "e2-micro": 0.125,
    "e2-small": 0.25,
    "e2-medium": 0.5,
    "f1-micro": null,
    "g1-small": null,
  };
  if (/-custom-|highgpu|megagpu|ultragpu/.test(type)) return null;
  return type in shared ? (shared[type] ?? null) : 1;
}

/** Descriptions as "Spot Preemptible N2D AMD Instance Core running in Iowa"; C2 is called after what it is for. */
const described =
  /^(Spot Preemptible )?(?:([A-Z]\d[A-Z]?)(?: Predefined| AMD| Arm)? Instance|(Compute optimized)) (Core|Ram) running in /;

/** `get` answers a page by its address, with the credentials that it has. Rejects as it does. */
export async function catalogPrices(get: (url: string) => Promise<unknown>, endpoint: string): Promise<GcpPrices> {
  const found = new Map<string, Parts>();
  let token = "";
  for (let page = 0; page < pagesMax; page++) {
    const query = new URLSearchParams({ pageSize: "5000", currencyCode: "USD", ...(token && { pageToken: token }) });
    const { skus, nextPageToken } = pageSchema.parse(await get(`${endpoint}/v1/${computeEngine}/skus?${query}`));
    for (const sku of skus) note(found, sku);
    token = nextPageToken;
    if (token === "") break;
  }
  return new GcpPrices(found);
}

function note(found: Map<string, Parts>, { description, category, serviceRegions, pricingInfo }: Sku): void {
  const [, spot, family, optimized, part] = described.exec(description) ?? [];
  if (category.resourceFamily !== "Compute" || !part) return;
  const market = spot ? "spot" : "on_demand";
  if (category.usageType !== (spot ? "Preemptible" : "OnDemand")) return;
  const newest = pricingInfo.at(-1);
  const rate = newest?.pricingExpression.tieredRates.find(({ startUsageAmount }) => startUsageAmount === 0);
  if (!newest || rate?.unitPrice.currencyCode !== "USD") return;
  if (newest.pricingExpression.usageUnit !== (part === "Core" ? "h" : "GiBy.h")) return;
  const dollars = Number(rate.unitPrice.units) + rate.unitPrice.nanos / 1e9;
  for (const region of serviceRegions) {
    const key = `${region} ${market} ${optimized ? "c2" : family?.toLowerCase()}`;
    const parts = found.get(key) ?? { core: null, ram: null, asOfMs: 0 };
    parts[part === "Core" ? "core" : "ram"] = dollars;
    parts.asOfMs = Math.max(parts.asOfMs, Date.parse(newest.effectiveTime) || 0);
    found.set(key, parts);
  }
}
