/** The Compute Engine adapter, by Google's own library, against the shapes of its REST reference. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installCloud } from "../clouds-on-demand.ts";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder } from "../provider.ts";
import { FakeCompute } from "./fake-compute.ts";
import { GcpProvider, gcpOptions } from "./gcp.ts";
import { clientsOf, type GcpLibrary } from "./library.ts";

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
function providerOf(port: number): GcpProvider {
  const endpoint = { apiEndpoint: "127.0.0.1", port, protocol: "http", authClient, projectId: "p" };
  return new GcpProvider(clientsOf(library, endpoint), gcpOptions(env));
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

  it("needs a project, and prices to hold a budget against", () => {
    expect(() => gcpOptions({})).toThrow(/set GCP_PROJECT/);
    expect(() => gcpOptions({ GCP_PROJECT: "p" })).toThrow(/QUEZTL_GCP_TYPES/);
    expect(() => gcpOptions({ GCP_PROJECT: "p", QUEZTL_GCP_TYPES: "e2-standard-2" })).toThrow(/what an hour costs/);
  });
});
