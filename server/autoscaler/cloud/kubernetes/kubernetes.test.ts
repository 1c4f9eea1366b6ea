/** The Kubernetes adapter, by the project's own client, against an API server's Jobs. */
import { BatchV1Api, KubeConfig } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder } from "../provider.ts";
import { FakeCluster } from "./fake-cluster.ts";
import { KubernetesProvider, kubernetesOptions } from "./kubernetes.ts";

function providerOf(url: string, env: Record<string, string> = {}): KubernetesProvider {
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [{ name: "c", server: url, skipTLSVerify: true }],
    users: [{ name: "u" }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  const options = kubernetesOptions({ QUEZTL_K8S_NAMESPACE: "grid", ...env });
  return new KubernetesProvider({ ...options, batch: config.makeApiClient(BatchV1Api) });
}

providerConformance("kubernetes", async () => {
  const cluster = await new FakeCluster().start();
  return {
    provider: providerOf(cluster.url),
    again: () => providerOf(cluster.url),
    until: async (done) => expect.poll(done, { timeout: 5_000 }).toBe(true),
    remove: () => cluster.stop(),
  };
});

describe("Kubernetes", () => {
  let cluster: FakeCluster;
  beforeEach(async () => {
    cluster = await new FakeCluster().start();
  });
  afterEach(() => cluster.stop());
  const boot = { coordinatorUrl: "http://grid/", joinToken: "t", lifetimeMs: 90_500, silenceMs: 60_000 };
  const order = async (provider: KubernetesProvider, change: Partial<LaunchOrder> = {}): Promise<LaunchOrder> => ({
    ...{ token: "order-1", cluster: "c", offerings: await provider.offerings(), count: 1, boot },
    ...change,
  });
  const failure = (promise: Promise<unknown>): Promise<CloudError> =>
    promise.then(
      () => Promise.reject(new Error("it went well")),
      (error: CloudError) => error,
    );

  it("makes one Job for each worker, bounded in time, cores and memory", async () => {
    const provider = providerOf(cluster.url, { QUEZTL_K8S_SIZES: "2x4096" });
    const { instances } = await provider.launch(await order(provider, { count: 5 }));
    const made = cluster.jobs.get(instances[4]?.id as string);
    expect(made).toMatchObject({
      metadata: { labels: { "queztl-cluster": "c", "queztl-order": "order-1", "queztl-size": "2x4096" } },
      spec: { backoffLimit: 0, activeDeadlineSeconds: 91, template: { spec: { restartPolicy: "Never" } } },
    });
    const [worker] = made?.spec.template.spec.containers ?? [];
    expect(worker).toMatchObject({
      image: "node:22-slim",
      env: [{ name: "QUEZTL_JOIN_TOKEN", value: `t:${instances[4]?.id}` }, { name: "QUEZTL_MODE" }],
      resources: { limits: { cpu: "2", memory: "4096Mi" }, requests: { cpu: "2", memory: "4096Mi" } },
    });
    // Over several pages.
    expect((await provider.list("c")).map(({ state }) => state)).toEqual(new Array(5).fill("running"));
  });

  it("ends a worker by suspending its Job, and forgets it after a day", async () => {
    const provider = providerOf(cluster.url);
    const { instances } = await provider.launch(await order(provider));
    const id = instances[0]?.id as string;
    await provider.terminate([id]);
    expect(cluster.patchedAs).toBe("application/merge-patch+json");
    expect(await provider.list("c")).toMatchObject([{ id, state: "gone" }]);
    const job = cluster.jobs.get(id);
    if (job) job.metadata.creationTimestamp = new Date(Date.now() - 25 * 3_600_000).toISOString();
    await provider.list("c");
    expect(cluster.jobs.size).toBe(0);
  });

  it("says what is wrong in the port's own words", async () => {
    const provider = providerOf(cluster.url);
    const refused = async (status: number, message: string): Promise<CloudError> => {
      cluster.refusal = { status, message };
      return failure(provider.launch(await order(provider, { token: `order-${message}` })));
    };
    expect(await refused(403, "exceeded quota: compute")).toMatchObject({
      code: "quota",
      message: "exceeded quota: compute",
    });
    expect((await refused(403, "jobs is forbidden")).code).toBe("unauthorized");
    expect((await refused(422, "invalid value")).code).toBe("invalid");
    expect((await refused(429, "too many requests")).code).toBe("throttled");
    expect((await failure(providerOf("http://127.0.0.1:9").list("c"))).code).toBe("unavailable");
  });

  it("costs what the operator says that a core-hour does", async () => {
    const provider = providerOf(cluster.url, { QUEZTL_K8S_DOLLARS_PER_CORE_HOUR: "0.04", QUEZTL_K8S_SIZES: "4x8192" });
    expect([provider.priced, (await provider.offerings())[0]?.price.dollarsPerHour]).toEqual([true, 0.16]);
    expect(() => kubernetesOptions({ QUEZTL_K8S_DOLLARS_PER_CORE_HOUR: "cheap" })).toThrow(/write a number/);
  });
});
