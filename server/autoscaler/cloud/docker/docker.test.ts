/** The Docker adapter, by dockerode, against the engine's API. */
import Dockerode from "dockerode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { providerConformance } from "../conformance.ts";
import type { CloudError, LaunchOrder } from "../provider.ts";
import { DockerProvider, dockerOptions } from "./docker.ts";
import { FakeEngine } from "./fake-engine.ts";

const providerOf = (port: number, env: Record<string, string> = {}) =>
  new DockerProvider({
    ...dockerOptions({ QUEZTL_DOCKER_SIZES: "1x512,2x2048", ...env }),
    docker: new Dockerode({ host: "127.0.0.1", port, protocol: "http" }),
  });

providerConformance("docker", async () => {
  const engine = await new FakeEngine().start();
  return {
    provider: providerOf(engine.port),
    again: () => providerOf(engine.port),
    until: async (done) => expect.poll(done, { timeout: 5_000 }).toBe(true),
    remove: () => engine.stop(),
  };
});

describe("Docker", () => {
  let engine: FakeEngine;
  beforeEach(async () => {
    engine = await new FakeEngine().start();
  });
  afterEach(() => engine.stop());
  const boot = { coordinatorUrl: "http://grid/", joinToken: "t", lifetimeMs: 90_500, silenceMs: 60_000 };
  const order = async (provider: DockerProvider, change: Partial<LaunchOrder> = {}): Promise<LaunchOrder> => ({
    ...{ token: "order-1", cluster: "c", offerings: await provider.offerings(), count: 1, boot },
    ...change,
  });
  const failure = (promise: Promise<unknown>): Promise<CloudError> =>
    promise.then(
      () => Promise.reject(new Error("it went well")),
      (error: CloudError) => error,
    );

  it("pulls the image once, and starts a bounded container that ends by itself", async () => {
    const provider = providerOf(engine.port, { QUEZTL_DOCKER_NETWORK: "grid" });
    const { instances } = await provider.launch(await order(provider, { count: 2 }));
    expect(engine.pulls).toBe(1);
    const made = engine.containers.get(instances[1]?.id as string);
    expect(made).toMatchObject({
      state: "running",
      body: {
        Image: "node:22-slim",
        Labels: { "queztl-cluster": "c", "queztl-order": "order-1", "queztl-size": "1x512" },
        HostConfig: { NanoCpus: 1e9, Memory: 512 * 2 ** 20, NetworkMode: "grid", CapDrop: ["ALL"] },
      },
    });
    expect(made?.body.Env).toContain(`QUEZTL_JOIN_TOKEN=t:${instances[1]?.id}`);
    const command = made?.body.Cmd.join(" ");
    expect(command).toContain("--end-after 91 --end-if-silent 60");
    expect(made?.body.Cmd).toContain("http://grid");
  });

  it("says what is wrong in the port's own words", async () => {
    const provider = providerOf(engine.port);
    engine.refusal = { status: 500, message: "not enough memory" };
    expect(await failure(provider.launch(await order(provider)))).toMatchObject({ code: "capacity" });
    const gone = await failure(providerOf(9).list("c"));
    expect(gone).toMatchObject({ code: "unavailable", message: expect.stringContaining("set DOCKER_HOST") });
  });

  it("forgets what ended a day ago", async () => {
    const provider = providerOf(engine.port);
    const { instances } = await provider.launch(await order(provider));
    const id = instances[0]?.id as string;
    await provider.terminate([id]);
    expect(await provider.list("c")).toMatchObject([{ id, state: "gone" }]);
    (engine.containers.get(id) as { created: number }).created -= 25 * 3_600;
    await provider.list("c");
    expect(engine.containers.size).toBe(0);
  });

  it("refuses sizes that are none", () => {
    expect(() => dockerOptions({ QUEZTL_DOCKER_SIZES: "2 cores" })).toThrow(/as "2x4096"/);
  });
});
