/** Azure as far as its REST reference goes: virtual machines of a resource group, sizes, schedules of shutdown, retail prices. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Machine {
  location: string;
  tags: Record<string, string>;
  properties: { hardwareProfile: { vmSize: string }; [other: string]: unknown };
}

const sizes = [
  { name: "Standard_D2s_v5", numberOfCores: 2, memoryInMB: 8192 },
  { name: "Standard_D4s_v5", numberOfCores: 4, memoryInMB: 16384 },
  { name: "Standard_M128", numberOfCores: 128, memoryInMB: 2_000_000 },
];

const priceOf = (
  armSkuName: string,
  skuName: string,
  retailPrice: number,
  productName = "Virtual Machines Dsv5 Series",
) => ({
  ...{ armSkuName, skuName, retailPrice, productName, currencyCode: "USD", effectiveStartDate: "2026-10-01T00:00:00Z" },
});
const prices = [
  priceOf("Standard_D2s_v5", "D2s v5", 0.096),
  priceOf("Standard_D2s_v5", "D2s v5 Spot", 0.019),
  priceOf("Standard_D2s_v5", "D2s v5 Low Priority", 0.018),
  priceOf("Standard_D2s_v5", "D2s v5", 0.188, "Virtual Machines Dsv5 Series Windows"),
  priceOf("Standard_D4s_v5", "D4s v5", 0.192),
];

export class FakeAzure {
  readonly machines = new Map<string, Machine & { timeCreated: string; power: string }>();
  readonly schedules = new Map<string, { properties: { dailyRecurrence: { time: string } } }>();
  /** Answers the next request that makes a machine, or a schedule, with this. */
  refusal: { of: "machine" | "schedule"; status: number; code: string; message: string } | null = null;
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(body === undefined ? "" : JSON.stringify(body));
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body?: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const url = new URL(request.url ?? "/", "http://azure");
    if (url.pathname === "/api/retail/prices") return this.#prices(url);
    if (/\/locations\/[^/]+\/vmSizes$/.test(url.pathname)) return { status: 200, body: { value: sizes } };
    const [, schedule] = /Microsoft\.DevTestLab\/schedules\/shutdown-computevm-([^/]+)$/.exec(url.pathname) ?? [];
    if (schedule) {
      const refused = this.#refused("schedule");
      if (!refused) this.schedules.set(schedule, JSON.parse(text));
      return refused ?? { status: 201, body: {} };
    }
    const [, name] = /\/virtualMachines(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (name === undefined) return { status: 200, body: { value: [...this.machines].map(viewOf) } };
    if (request.method === "PUT") return this.#put(name, JSON.parse(text));
    if (request.method === "DELETE") return { status: this.machines.delete(name) ? 200 : 204 };
    const machine = this.machines.get(name);
    return machine ? { status: 200, body: viewOf([name, machine]) } : fault(404, "ResourceNotFound", name);
  }

  #refused(of: "machine" | "schedule"): { status: number; body: unknown } | null {
    if (this.refusal?.of !== of) return null;
    const { status, code, message } = this.refusal;
    this.refusal = null;
    return fault(status, code, message);
  }

  #put(name: string, machine: Machine): { status: number; body: unknown } {
    const refused = this.#refused("machine");
    if (refused) return refused;
    const known = this.machines.get(name);
    const made = known ?? { ...machine, timeCreated: new Date().toISOString(), power: "running" };
    this.machines.set(name, made);
    return { status: known ? 200 : 201, body: viewOf([name, made]) };
  }

  /** In two pages. */
  #prices(url: URL): { status: number; body: unknown } {
    const second = url.searchParams.get("$skip") === "2";
    const next = `${this.url}/api/retail/prices?$skip=2`;
    return {
      status: 200,
      body: { Items: second ? prices.slice(2) : prices.slice(0, 2), NextPageLink: second ? null : next },
    };
  }
}

function viewOf([name, { location, tags, properties, timeCreated, power }]: [
  string,
  Machine & { timeCreated: string; power: string },
]) {
  const instanceView = { statuses: [{ code: "ProvisioningState/succeeded" }, { code: `PowerState/${power}` }] };
  return {
    id: `/vms/${name}`,
    name,
    location,
    tags,
    properties: { ...properties, provisioningState: "Succeeded", timeCreated, instanceView },
  };
}

const fault = (status: number, code: string, message: string): { status: number; body: unknown } => ({
  status,
  body: { error: { code, message } },
});
