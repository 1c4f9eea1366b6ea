/** The EC2 adapter, by Amazon's own library, against the wire shapes of EC2's API reference. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder, Offering } from "../provider.ts";
import { AwsProvider, awsOptions } from "./aws.ts";
import { codeOf } from "./errors.ts";
import { FakeEc2 } from "./fake-ec2.ts";

const credentials = { accessKeyId: "test", secretAccessKey: "test" };
const options = (endpoint: string) => ({
  ...awsOptions({ AWS_REGION: "us-east-1", QUEZTL_EC2_TYPES: "t3.medium,c5.2xlarge" }),
  endpoint,
  pricingEndpoint: endpoint,
  credentials,
});

providerConformance("aws", async () => {
  const cloud = await new FakeEc2().start();
  const make = () => new AwsProvider(options(cloud.url));
  return {
    provider: make(),
    again: make,
    until: async (done) => expect.poll(done, { timeout: 5_000 }).toBe(true),
    remove: () => cloud.stop(),
  };
});

describe("EC2", () => {
  let cloud: FakeEc2;
  let provider: AwsProvider;
  beforeEach(async () => {
    cloud = await new FakeEc2().start();
    provider = new AwsProvider(options(cloud.url));
  });
  afterEach(async () => {
    await provider.close();
    await cloud.stop();
  });
  let orders = 0;
  const order = (offerings: readonly Offering[], change: Partial<LaunchOrder> = {}): LaunchOrder => ({
    ...{ token: `order-${++orders}`, cluster: "c", offerings, count: 1 },
    boot: {
      coordinatorUrl: "https://grid.example/",
      joinToken: "it's-a-token",
      lifetimeMs: 3_600_000,
      silenceMs: 600_000,
    },
    ...change,
  });
  const failure = (promise: Promise<unknown>): Promise<CloudError> =>
    promise.then(
      () => Promise.reject(new Error("it went well")),
      (error: CloudError) => error,
    );

  it("offers spot machines at each zone's price, and on-demand ones at their own, with their sizes", async () => {
    const offerings = await provider.offerings();
    expect(offerings.map(({ id }) => id).sort()).toEqual([
      "on_demand:c5.2xlarge:us-east-1",
      "on_demand:t3.medium:us-east-1",
      ...["c5.2xlarge", "t3.medium"].flatMap((type) => [`spot:${type}:us-east-1a`, `spot:${type}:us-east-1b`]),
    ]);
    const spot = offerings.find(({ id }) => id === "spot:t3.medium:us-east-1b");
    expect(spot).toMatchObject({ cores: 2, memoryBytes: 2 ** 32, zone: "us-east-1b", gpu: null });
    expect(spot?.price).toMatchObject({ dollarsPerHour: 0.0127, source: "EC2 DescribeSpotPriceHistory" });
    const calls = cloud.calls.length;
    await provider.offerings();
    expect(cloud.calls).toHaveLength(calls);
  });

  it("offers on demand at the region's own price, as AWS's price list has it", async () => {
    const tokyo = new AwsProvider({ ...options(cloud.url), regions: ["ap-northeast-1"] });
    const onDemand = (await tokyo.offerings()).filter(({ market }) => market === "on_demand");
    expect(onDemand.map(({ type, price }) => [type, price])).toEqual([
      ["t3.medium", { dollarsPerHour: 0.0544, source: "AWS Price List API", asOfMs: Date.UTC(2026, 10, 1) }],
    ]);
    await tokyo.close();
  });

  it("falls back to the listed prices where the price list is not to be had, in Virginia alone, and says so", async () => {
    cloud.faults.push({ action: "GetProducts", code: "AccessDeniedException", status: 400, times: 1_000 });
    const found = (await provider.offerings()).filter(({ market }) => market === "on_demand");
    expect(found.map(({ type }) => type).sort()).toEqual(["c5.2xlarge", "t3.medium"]);
    expect(found[0]?.price.source).toMatch(/public copies/);
    const tokyo = new AwsProvider({ ...options(cloud.url), regions: ["ap-northeast-1"] });
    expect(new Set((await tokyo.offerings()).map(({ market }) => market))).toEqual(new Set(["spot"]));
    await tokyo.close();
  });

  it("knows a GPU machine by its card", async () => {
    const gpu = new AwsProvider({ ...options(cloud.url), types: ["g4dn.xlarge"] });
    expect((await gpu.offerings())[0]?.gpu).toEqual({ name: "NVIDIA T4", count: 1, memoryBytes: 2 ** 34 });
    await gpu.close();
  });

  it("asks for one fleet over all types and zones, whose start-up script joins and ends by itself", async () => {
    const spots = (await provider.offerings()).filter(({ market }) => market === "spot");
    // EC2 gives what it has of them.
    cloud.soldOut.add(spots[0]?.type ?? "");
    const made = order(spots, { count: 3 });
    const keep = cloud.templates.delete.bind(cloud.templates);
    let template: URLSearchParams | undefined;
    cloud.templates.delete = (name) => {
      template = cloud.templates.get(name)?.data;
      return keep(name);
    };
    const { instances, refusals } = await provider.launch(made);
    expect(instances).toHaveLength(3);
    expect(new Set(instances.map(({ offering }) => offering.split(":")[1]))).toEqual(new Set(["c5.2xlarge"]));
    expect(new Set(refusals.map(({ code }) => code))).toEqual(new Set(["capacity"]));
    expect(cloud.templates.size).toBe(0);
    const data = (name: string) => template?.get(`LaunchTemplateData.${name}`) ?? "";
    expect(data("InstanceInitiatedShutdownBehavior")).toBe("terminate");
    expect(data("MetadataOptions.HttpTokens")).toBe("required");
    expect(data("ImageId")).toMatch(/^resolve:ssm:/);
    const script = Buffer.from(data("UserData"), "base64").toString();
    expect(script).toContain("shutdown -h +60");
    expect(script).toContain("COORDINATOR='https://grid.example'");
    expect(script).toContain(`JOIN_TOKEN='it'\\''s-a-token'`);
    expect(script).toContain("--end-after 3600 --end-if-silent 600");
    expect(script).not.toMatch(/secretAccessKey|AWS_/);
  });

  it("finds the same instances for an order whose reply was lost", async () => {
    const [first] = await provider.offerings();
    const made = order([first as Offering], { count: 2 });
    // Amazon's library asks again by itself, with the same token.
    cloud.faults.push({ action: "CreateFleet", lost: true, times: 1 });
    const { instances } = await provider.launch(made);
    expect(instances).toHaveLength(2);
    expect(cloud.machines.size).toBe(2);
    // And so does the autoscaler, once the library has given up.
    cloud.faults.push({ action: "CreateFleet", lost: true, times: 3 });
    const other = order([first as Offering]);
    expect((await failure(provider.launch(other))).code).toBe("unknown");
    expect((await provider.launch(other)).instances).toHaveLength(1);
    expect(cloud.machines.size).toBe(3);
  });

  it("says of each refusal what it is", async () => {
    const [first] = await provider.offerings();
    for (const [code, status, found] of [
      ["UnauthorizedOperation", 403, "unauthorized"],
      ["VcpuLimitExceeded", 400, "quota"],
      ["RequestLimitExceeded", 503, "throttled"],
      ["InvalidParameterCombination", 400, "invalid"],
    ] as const) {
      cloud.faults.push({ action: "CreateFleet", code, status, times: 3 });
      expect([code, (await failure(provider.launch(order([first as Offering])))).code]).toEqual([code, found]);
      cloud.faults.length = 0;
    }
    cloud.soldOut.add(first?.type ?? "");
    expect((await failure(provider.launch(order([first as Offering])))).code).toBe("capacity");
    expect(cloud.machines.size).toBe(0);
    expect(codeOf("SomethingNew")).toBe("unknown");
  });

  it("lists over all pages, and ends the living among the dead", async () => {
    const [first] = await provider.offerings();
    const { instances } = await provider.launch(order([first as Offering], { count: 5 }));
    expect(await provider.list("c")).toHaveLength(5);
    const ids = [...instances.map(({ id }) => id), "i-00000000000000fff"];
    expect((await provider.terminate(ids)).accepted.sort()).toEqual([...ids].sort());
    expect((await provider.list("c")).map(({ state }) => state)).toEqual(Array(5).fill("gone"));
  });

  it("is unavailable where nobody answers, and looks empty to nobody", async () => {
    await cloud.stop();
    expect((await failure(provider.list("c"))).code).toBe("unavailable");
    expect((await failure(provider.offerings())).code).toBe("unavailable");
    await cloud.start();
  });
});
