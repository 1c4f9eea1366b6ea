/** The Azure adapter, by Microsoft's own library, against the shapes of its REST reference. */
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { installCloud } from "../clouds-on-demand.ts";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder } from "../provider.ts";
import { AzureProvider, azureOptions } from "./azure.ts";
import { FakeAzure } from "./fake-azure.ts";
import type { AzureClient } from "./library.ts";

type Client = AzureClient & { pipeline: { removePolicy(of: { name: string }): void } };
let make: new (credential: object, subscription: string, options: object) => Client;
beforeAll(async () => {
  const library = (await installCloud("azure")("@azure/arm-compute")) as { ComputeManagementClient: typeof make };
  make = library.ComputeManagementClient;
}, 180_000);

const subscription = "00000000-0000-0000-0000-000000000000";
const env = { AZURE_SUBSCRIPTION: subscription, AZURE_RESOURCE_GROUP: "grid", QUEZTL_AZURE_SUBNET: "/subnets/s" };

function providerOf(url: string): AzureProvider {
  const credential = { getToken: async () => ({ token: "test", expiresOnTimestamp: Date.now() + 1e9 }) };
  const client = new make(credential, subscription, { endpoint: url, allowInsecureConnection: true });
  // It refuses to send tokens over plain http.
  client.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
  return new AzureProvider(client, {
    ...azureOptions(env),
    ...{ endpoint: url, pricesEndpoint: url, token: async () => "test" },
  });
}

providerConformance("azure", async () => {
  const cloud = await new FakeAzure().start();
  return {
    provider: providerOf(cloud.url),
    again: () => providerOf(cloud.url),
    until: async (done) => expect.poll(done, { timeout: 5_000 }).toBe(true),
    remove: () => cloud.stop(),
  };
});

describe("Azure", () => {
  let cloud: FakeAzure;
  let provider: AzureProvider;
  beforeEach(async () => {
    cloud = await new FakeAzure().start();
    provider = providerOf(cloud.url);
  });
  afterEach(() => cloud.stop());
  const boot = { coordinatorUrl: "https://grid.example/", joinToken: "t", lifetimeMs: 3_600_000, silenceMs: 600_000 };
  const order = async (change: Partial<LaunchOrder> = {}): Promise<LaunchOrder> => ({
    ...{ token: "order-1", cluster: "c", offerings: await provider.offerings(), count: 1, boot },
    ...change,
  });
  const failure = (promise: Promise<unknown>): Promise<CloudError> =>
    promise.then(
      () => Promise.reject(new Error("it went well")),
      (error: CloudError) => error,
    );

  it("offers the operator's sizes at Azure's own prices, of Linux", async () => {
    const offerings = await provider.offerings();
    expect(offerings.map(({ id, price, cores }) => [id, price.dollarsPerHour, cores])).toEqual([
      ["on_demand:Standard_D2s_v5:eastus", 0.096, 2],
      ["spot:Standard_D2s_v5:eastus", 0.019, 2],
      ["on_demand:Standard_D4s_v5:eastus", 0.192, 4],
    ]);
    expect(offerings[0]?.price).toMatchObject({ source: "Azure retail prices", asOfMs: Date.UTC(2026, 9, 1) });
  });

  it("makes a machine whose parts go with it, and which Azure shuts down at the end of its life", async () => {
    const spot = (await provider.offerings()).filter(({ market }) => market === "spot");
    const { instances } = await provider.launch(await order({ offerings: spot }));
    const id = instances[0]?.id as string;
    expect(cloud.machines.get(id)).toMatchObject({
      tags: { "queztl-cluster": "c", "queztl-order": "order-1", "queztl-market": "spot" },
      properties: {
        priority: "Spot",
        evictionPolicy: "Delete",
        hardwareProfile: { vmSize: "Standard_D2s_v5" },
        storageProfile: { osDisk: { deleteOption: "Delete" } },
        networkProfile: { networkInterfaceConfigurations: [{ properties: { deleteOption: "Delete" } }] },
      },
    });
    const { osProfile } = (cloud.machines.get(id)?.properties ?? {}) as unknown as {
      osProfile: { customData: string; linuxConfiguration: { ssh: { publicKeys: { keyData: string }[] } } };
    };
    expect(Buffer.from(osProfile.customData, "base64").toString()).toContain("scheduledevents");
    expect(osProfile.linuxConfiguration.ssh.publicKeys[0]?.keyData).toMatch(
      /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI\S+ queztl$/,
    );
    const due = new Date(Date.now() + 3_660_000).toISOString().slice(11, 16).replace(":", "");
    expect(
      Math.abs(Number(cloud.schedules.get(id)?.properties.dailyRecurrence.time) - Number(due)),
    ).toBeLessThanOrEqual(1);
  });

  it("lets no machine live that has no end of its own, and deletes what has shut down", async () => {
    cloud.refusal = { of: "schedule", status: 403, code: "AuthorizationFailed", message: "no schedules" };
    expect(await failure(provider.launch(await order()))).toMatchObject({ code: "unauthorized" });
    expect(cloud.machines.size).toBe(0);
    const { instances } = await provider.launch(await order({ token: "order-2" }));
    const machine = cloud.machines.get(instances[0]?.id as string);
    if (machine) machine.power = "deallocated";
    expect(await provider.list("c")).toMatchObject([{ state: "ending" }]);
    expect(cloud.machines.size).toBe(0);
  });

  it("says what is wrong in the port's own words", async () => {
    const refused = async (status: number, code: string): Promise<CloudError> => {
      cloud.refusal = { of: "machine", status, code, message: "no" };
      return failure(provider.launch(await order({ token: `order-${code}` })));
    };
    expect((await refused(409, "SkuNotAvailable")).code).toBe("capacity");
    expect((await refused(409, "OperationNotAllowed")).code).toBe("quota");
    expect((await refused(400, "InvalidParameter")).code).toBe("invalid");
    expect((await refused(403, "AuthorizationFailed")).code).toBe("unauthorized");
  });

  it("needs to be told where", () => {
    expect(() => azureOptions({})).toThrow(/set AZURE_SUBSCRIPTION/);
    expect(() => azureOptions({ AZURE_SUBSCRIPTION: "s", AZURE_RESOURCE_GROUP: "g" })).toThrow(/QUEZTL_AZURE_SUBNET/);
  });
});
