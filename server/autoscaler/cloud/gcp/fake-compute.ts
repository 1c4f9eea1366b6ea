/** Compute Engine as far as its v1 reference goes: instances of zones, machine types, and the operations that made and ended them. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface Resource {
  name: string;
  machineType: string;
  labels: Record<string, string>;
  scheduling: Record<string, unknown>;
  metadata: { items: { key: string; value: string }[] };
}

interface Operation {
  operationType: string;
  targetLink: string;
}

/** Two pages of the price list, as its reference has them. */
function skus(page: string): { status: number; body: unknown } {
  const sku = (description: string, usageType: string, usageUnit: string, nanos: number, regions: string[]) => ({
    name: "services/6F81-5844-456A/skus/0000",
    description,
    category: { serviceDisplayName: "Compute Engine", resourceFamily: "Compute", resourceGroup: "CPU", usageType },
    serviceRegions: regions,
    pricingInfo: [
      {
        effectiveTime: "2026-11-20T00:00:00Z",
        pricingExpression: {
          usageUnit,
          tieredRates: [{ startUsageAmount: 0, unitPrice: { currencyCode: "USD", units: "0", nanos } }],
        },
      },
    ],
  });
  const america = ["us-central1", "us-east1"];
  const pages: Readonly<Record<string, unknown>> = {
    "": {
      skus: [
        sku("E2 Instance Core running in Americas", "OnDemand", "h", 21_811_590, america),
        sku("E2 Instance Ram running in Americas", "OnDemand", "GiBy.h", 2_923_530, america),
        sku("E2 Custom Instance Core running in Americas", "OnDemand", "h", 99_000_000, america),
        sku("Commitment v1: E2 Cpu in Americas for 1 Year", "Commit1Yr", "h", 13_740_000, america),
      ],
      nextPageToken: "more",
    },
    more: {
      skus: [
        sku("Spot Preemptible E2 Instance Core running in Americas", "Preemptible", "h", 6_543_000, america),
        sku("Spot Preemptible E2 Instance Ram running in Americas", "Preemptible", "GiBy.h", 877_000, america),
        sku("N2D AMD Instance Core running in Belgium", "OnDemand", "h", 30_237_000, ["europe-west1"]),
        sku("N2D AMD Instance Ram running in Belgium", "OnDemand", "GiBy.h", 4_052_000, ["europe-west1"]),
      ],
      nextPageToken: "",
    },
  };
  return { status: 200, body: pages[page] ?? {} };
}

const cpus: Readonly<Record<string, number>> = { "e2-standard-2": 2, "e2-standard-4": 4 };

export class FakeCompute {
  readonly instances = new Map<string, Resource & { zone: string; creationTimestamp: string }>();
  readonly operations: Operation[] = [];
  /** Answers the next insertion with this. */
  refusal: { status: number; reason: string; message: string } | null = null;
  readonly #requests = new Set<string>();
  readonly #server: Server = createServer((request, response) => {
    void this.#answer(request).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    });
  });

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "http://compute");
    const [, zone = "", kind, name] =
      /^\/compute\/v1\/projects\/p\/zones\/([^/]+)\/(instances|machineTypes|operations)(?:\/([^/]+))?$/.exec(
        url.pathname,
      ) ?? [];
    if (url.pathname === "/v1/services/6F81-5844-456A/skus") return skus(url.searchParams.get("pageToken") ?? "");
    if (kind === "machineTypes") return this.#machineType(name ?? "");
    if (kind === "operations") return this.#listOperations(url.searchParams.get("filter") ?? "");
    if (request.method === "POST")
      return this.#insert(zone, url.searchParams.get("requestId") ?? "", JSON.parse(Buffer.concat(chunks).toString()));
    if (request.method === "DELETE") return this.#delete(zone, name ?? "");
    const [, cluster] = /^labels\.queztl-cluster = (\S+)$/.exec(url.searchParams.get("filter") ?? "") ?? [];
    const items = [...this.instances.values()]
      .filter((each) => each.zone === zone && each.labels["queztl-cluster"] === cluster)
      .map((each) => ({ ...each, status: "RUNNING" }));
    return { status: 200, body: { kind: "compute#instanceList", items } };
  }

  #machineType(name: string): { status: number; body: unknown } {
    const guestCpus = cpus[name];
    if (guestCpus === undefined) return fault(404, "notFound", `The resource '${name}' was not found`);
    return { status: 200, body: { kind: "compute#machineType", name, guestCpus, memoryMb: guestCpus * 4096 } };
  }

  #listOperations(filter: string): { status: number; body: unknown } {
    const [, type] = /operationType = "(\w+)"/.exec(filter) ?? [];
    const [, target] = /targetLink = "([^"]+)"/.exec(filter) ?? [];
    const items = this.operations.filter((each) => each.operationType === type && each.targetLink === target);
    return { status: 200, body: { kind: "compute#operationList", items } };
  }

  #insert(zone: string, requestId: string, resource: Resource): { status: number; body: unknown } {
    if (this.refusal) {
      const { status, reason, message } = this.refusal;
      this.refusal = null;
      return fault(status, reason, message);
    }
    // A repeated request is answered as the first was.
    if (this.#requests.has(requestId)) return this.#operation("insert", zone, resource.name, false);
    if (this.instances.has(resource.name)) return fault(409, "alreadyExists", `${resource.name} already exists`);
    this.#requests.add(requestId);
    this.instances.set(resource.name, { ...resource, zone, creationTimestamp: new Date().toISOString() });
    return this.#operation("insert", zone, resource.name, true);
  }

  #delete(zone: string, name: string): { status: number; body: unknown } {
    if (this.instances.get(name)?.zone !== zone) return fault(404, "notFound", `${name} was not found`);
    this.instances.delete(name);
    return this.#operation("delete", zone, name, true);
  }

  #operation(operationType: string, zone: string, name: string, isNew: boolean): { status: number; body: unknown } {
    const targetLink = `https://www.googleapis.com/compute/v1/projects/p/zones/${zone}/instances/${name}`;
    if (isNew) this.operations.push({ operationType, targetLink });
    const at = { zone: `https://www.googleapis.com/compute/v1/projects/p/zones/${zone}`, targetLink };
    return {
      status: 200,
      body: { kind: "compute#operation", name: `operation-${name}`, status: "DONE", operationType, ...at },
    };
  }
}

const fault = (code: number, reason: string, message: string): { status: number; body: unknown } => ({
  status: code,
  body: { error: { code, message, errors: [{ reason, message, domain: "global" }] } },
});
