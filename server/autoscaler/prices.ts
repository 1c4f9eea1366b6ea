/**
 * Prices that are known without asking a cloud: for estimates, and for what volunteers save. Each says where it is from
 * and of when; a provider's own offerings, asked of the cloud, go before them.
 */
export interface ListedPrice {
  type: string;
  provider: "aws";
  market: "spot" | "on_demand";
  cores: number;
  memoryGib: number;
  gpu: string | null;
  dollarsPerHour: number;
  source: string;
  asOf: string;
}

const document = { source: "Queztl-Core v1.2, Cost (AWS Spot Instances)", asOf: "v1.2" };
const list = { source: "EC2 on-demand list price, Linux, us-east-1, from public copies of it", asOf: "2024-2026" };

const spot = (type: string, cores: number, memoryGib: number, dollarsPerHour: number, gpu: string | null = null) =>
  ({ type, provider: "aws", market: "spot", cores, memoryGib, gpu, dollarsPerHour, ...document }) as const;
const onDemand = (type: string, cores: number, memoryGib: number, dollarsPerHour: number, gpu: string | null = null) =>
  ({ type, provider: "aws", market: "on_demand", cores, memoryGib, gpu, dollarsPerHour, ...list }) as const;

export const listedPrices: readonly ListedPrice[] = [
  spot("t3.medium", 2, 4, 0.0104),
  spot("c5.2xlarge", 8, 16, 0.085),
  spot("g4dn.xlarge", 4, 16, 0.156, "NVIDIA T4"),
  onDemand("t3.medium", 2, 4, 0.0416),
  onDemand("t3.large", 2, 8, 0.0832),
  onDemand("c5.large", 2, 4, 0.085),
  onDemand("c5.2xlarge", 8, 16, 0.34),
  onDemand("g4dn.xlarge", 4, 16, 0.526, "NVIDIA T4"),
];

/** Volunteers' work is valued at what its core-hours would cost on the cheapest spot machine of the list. */
export const volunteersPrice: ListedPrice = listedPrices
  .filter(({ market, gpu }) => market === "spot" && gpu === null)
  .reduce((least, price) => (price.dollarsPerHour / price.cores < least.dollarsPerHour / least.cores ? price : least));
