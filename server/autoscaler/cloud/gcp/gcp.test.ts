/** The Compute Engine adapter, by Google's own library, against the shapes of its REST reference. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installCloud } from "../clouds-on-demand.ts";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder } from "../provider.ts";
import { FakeCompute } from "./fake-compute.ts";
import { GcpProvider, gcpOptions } from "./gcp.ts";
import { clientsOf, type GcpLibrary } from "./library.ts";
import { catalogPrices } from "./prices.ts";

let library: GcpLibrary;
let authClient: object;
beforeAll(async () => {
  const load = installCloud("gcp");
  library = (await load("@google-cloud/compute")) as GcpLibrary;
  const { OAuth2Client } = (await load("google-auth-library")) as {
    OAuth2Client: new () => { setCredentials(of: object): void };
  };
  const client = new OAuth2Client();
  client.setCredentials({ access_token: "test", expiry_date: Date.now() + 1e9 });
  authClient = client;
}, 180_000);

const env = {
  GCP_PROJECT: "p",
  QUEZTL_GCP_ZONES: "us-central1-a,europe-west1-b",
  QUEZTL_GCP_TYPES: "e2-standard-2=0.067/0.02,e2-standard-4=0.134",
};
const prices = (port: number) => () =>
  catalogPrices(async (url) => (await fetch(url)).json(), `http://127.0.0.1:${port}`);

function providerOf(port: number, more: Record<string, string> = {}): GcpProvider {
  const endpoint = { apiEndpoint: "127.0.0.1", port, protocol: "http", authClient, projectId: "p" };
  return new GcpProvider(clientsOf(library, endpoint), gcpOptions({ ...env, ...more }, prices(port)));
}

providerConformance("gcp", async () => {
  const cloud = await new FakeCompute().start();
  return {
    provider: providerOf(cloud.port),
    again: () => providerOf(cloud.port),
    until: async (done) => expect.poll(done, { timeout: 5_000 }).toBe(true),
    remove: () => cloud.stop(),
  };
});

describe("Compute Engine", () => {
  let cloud: FakeCompute;
  let provider: GcpProvider;
  beforeEach(async () => {
    cloud = await new FakeCompute().start();
    provider = providerOf(cloud.port);
  });
  afterEach(async () => {
    await provider.close();
    await cloud.stop();
  });
  const boot = {
    coordinatorUrl: "https://grid.example/",
    joinToken: "it's",
    lifetimeMs: 3_600_000,
    silenceMs: 600_000,
  };
  const order = async (change: Partial<LaunchOrder> = {}): Promise<LaunchOrder> => ({
    ...{ token: "order-1", cluster: "c", offerings: await provider.offerings(), count: 1, boot },
    ...change,
  });
  const failure = (promise: Promise<unknown>): Promise<CloudError> =>
    promise.then(
      () => Promise.reject(new Error("it went well")),
      (error: CloudError) => error,
    );

  it("offers the operator's types in each zone, at the operator's prices", async () => {
    const offerings = await provider.offerings();
    expect(offerings.map(({ id, price }) => [id, price.dollarsPerHour])).toEqual(
      ["us-central1-a", "europe-west1-b"].flatMap((zone) => [
        [`spot:e2-standard-2:${zone}`, 0.02],
        [`on_demand:e2-standard-2:${zone}`, 0.067],
        [`on_demand:e2-standard-4:${zone}`, 0.134],
      ]),
    );
    expect(offerings[0]).toMatchObject({ region: "us-central1", cores: 2, memoryBytes: 8 * 2 ** 30 });
  });

  it("offers types without a price of the operator's at what Google's list has for their parts", async () => {
    const asking = providerOf(cloud.port, { QUEZTL_GCP_TYPES: "e2-standard-4,e2-standard-2=0.067" });
    const offerings = (await asking.offerings()).map(({ id, price }) => [id, price.dollarsPerHour.toFixed(4)]);
    // Four cores and 16 GiB. The list has no E2 in Belgium.
    expect(offerings).toEqual([
      ["spot:e2-standard-4:us-central1-a", "0.0402"],
      ["on_demand:e2-standard-4:us-central1-a", "0.1340"],
      ["on_demand:e2-standard-2:us-central1-a", "0.0670"],
      ["on_demand:e2-standard-2:europe-west1-b", "0.0670"],
    ]);
    const [{ price } = { price: null }] = await asking.offerings();
    expect(price).toMatchObject({ source: "Google Cloud Billing Catalog API", asOfMs: Date.UTC(2026, 10, 20) });
    await asking.close();
  });

  it("knows what the list says of families and of shared cores, and of what it does not", async () => {
    const list = await prices(cloud.port)();
    expect(list.of("n2d-standard-2", "europe-west1", "on_demand", 2, 8_192)).toBeCloseTo(0.09289, 5);
    expect(list.of("e2-medium", "us-east1", "on_demand", 2, 4_096)).toBeCloseTo(0.0335, 4);
    expect(list.of("e2-custom-2-4096", "us-east1", "on_demand", 2, 4_096)).toBeNull();
    expect(list.of("n2d-standard-2", "us-central1", "on_demand", 2, 8_192)).toBeNull();
    expect(list.of("f1-micro", "us-central1", "on_demand", 1, 600)).toBeNull();
  });

  it("says that the price list is not to be had, where it is needed", async () => {
    const provider = new GcpProvider(
      clientsOf(library, { apiEndpoint: "127.0.0.1", port: cloud.port, protocol: "http", authClient, projectId: "p" }),
      {
        ...gcpOptions({ GCP_PROJECT: "p" }, () => Promise.reject(Object.assign(new Error("no"), { code: 403 }))),
      },
    );
    expect((await failure(provider.offerings())).code).toBe("unauthorized");
    await provider.close();
  });

  it("starts an instance that Google itself deletes when its time is over", async () => {
    const { instances } = await provider.launch(await order());
    const made = cloud.instances.get(instances[0]?.id as string);
    expect(made).toMatchObject({
      zone: "us-central1-a",
      machineType: "zones/us-central1-a/machineTypes/e2-standard-2",
      labels: { "queztl-cluster": "c", "queztl-order": "order-1", "queztl-market": "spot" },
      scheduling: {
        provisioningModel: "SPOT",
        instanceTerminationAction: "DELETE",
        maxRunDuration: { seconds: "3600" },
      },
    });
    const script = made?.metadata.items[0]?.value ?? "";
    expect(script).toContain("metadata.google.internal");
    expect(script).toContain(`JOIN_TOKEN='it'\\''s'`);
    expect(await provider.list("c")).toMatchObject([
      { state: "running", offering: "spot:e2-standard-2:us-central1-a" },
    ]);
  });

  it("says what is wrong in the port's own words", async () => {
    const refused = async (status: number, reason: string, message: string): Promise<CloudError> => {
      cloud.refusal = { status, reason, message };
      return failure(provider.launch(await order({ token: `order-${reason}` })));
    };
    expect((await refused(403, "quotaExceeded", "Quota 'CPUS' exceeded")).code).toBe("quota");
    expect((await refused(503, "stockout", "The zone does not have enough resources available")).code).toBe("capacity");
    expect((await refused(400, "invalid", "Invalid value for field")).code).toBe("invalid");
    expect((await refused(403, "forbidden", "Required permission")).code).toBe("unauthorized");
  });

  it("needs a project, and prices that can be read", () => {
    const none = prices(cloud.port);
    expect(() => gcpOptions({}, none)).toThrow(/set GCP_PROJECT/);
    expect(() => gcpOptions({ GCP_PROJECT: "p", QUEZTL_GCP_TYPES: "e2-standard-2=" }, none)).toThrow(
      /what an hour costs/,
    );
    expect(gcpOptions({ GCP_PROJECT: "p" }, none).types.map(({ type }) => type)).toContain("e2-standard-2");
  });
});
