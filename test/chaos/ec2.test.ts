/**
 * The coordinator with `--scale-provider=aws`, Amazon's own library, an EC2 that stands in, and machines that really boot: the
 * real start-up script in a real shell fetches the real worker, which joins and computes. EC2 takes one back in the middle.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import { type AutoscalerStatus, autoscalerStatusSchema } from "../../protocol/scaling.ts";
import { FakeEc2 } from "../../server/autoscaler/cloud/aws/fake-ec2.ts";
import { FakeMachines } from "../../server/autoscaler/cloud/aws/fake-machines.ts";
import { Client } from "./client.ts";
import { fastPi, pi } from "./oracle.ts";
import { CoordinatorProgram, until } from "./processes.ts";

const isWindows = process.platform === "win32";
if (isWindows) console.warn("Instances of EC2 are not tested: Windows has no bash.");

describe.skipIf(isWindows)("npm start -- --scale-provider=aws", () => {
  let folder: string;
  let cloud: FakeEc2;
  let machines: FakeMachines;
  let coordinator: CoordinatorProgram;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "queztl-ec2-"));
    cloud = await new FakeEc2().start();
    machines = await new FakeMachines(cloud, folder, process.env.PATH ?? "").start();
    const args = ["--no-worker", "--scale-provider=aws", "--max-nodes=2", "--scale-policy=cost_optimized"];
    const env = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "us-east-1" };
    coordinator = new CoordinatorProgram(join(folder, "data"), {
      args,
      env: { ...env, AWS_ENDPOINT_URL: cloud.url, QUEZTL_EC2_TYPES: "t3.medium,c5.2xlarge" },
    });
    onTestFailed(() => console.log(coordinator.story(), cloud.calls.join(" ")));
  });

  afterEach(async () => {
    await coordinator.kill();
    await machines.stop();
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${coordinator.secrets.operatorToken}`,
    };
    const answer = await fetch(`${coordinator.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as Record<string, unknown>;
  };

  const status = async (): Promise<AutoscalerStatus> =>
    autoscalerStatusSchema.parse(await (await fetch(`${coordinator.url}/api/v1.2/autoscaler/status`)).json());

  it("boots an instance for paid work, goes on with another when EC2 takes it back, and ends that one", async () => {
    await coordinator.start();
    const client = new Client(() => coordinator.url);
    const job = pi(51, 3_000_000_000);
    const { task_id: id } = await post("/api/v1.2/workload/submit", { ...job, supply: "paid" });
    const busy = (before: string | null) =>
      until(
        async () => {
          const { instances } = await status();
          return instances.find((each) => each.state === "REGISTERED" && each.instance_id !== before) ?? null;
        },
        120_000,
        () => `no instance came: ${cloud.calls.join(" ")}`,
      );
    const first = await busy(null);
    expect(first).toMatchObject({ market: "spot", zone: "us-east-1a" });
    const [machine] = [...machines.booted.keys()];
    machines.interrupted.add(machine as string);
    await until(
      () => cloud.machines.get(machine as string)?.state === "terminated",
      20_000,
      () => "it does not end",
    );
    const second = await busy(first.instance_id);
    expect(second.node_id).not.toBe(first.node_id);
    expect(await client.output(id as string, 120_000)).toMatchObject((await fastPi(job)).output);
    await post("/api/v1.2/scale/manual", { action: "down", count: 1 });
    await until(
      () => [...cloud.machines.values()].every(({ state }) => state === "terminated"),
      60_000,
      () => "an instance is left",
    );
    expect(cloud.machines.size).toBe(2);
    expect(coordinator.surprises).toEqual([]);
  });
});
