/**
 * What an instance of EC2 takes from the decision to its first accepted slice, in parts: an EC2 that stands in answers at
 * once, and each of its machines is a real shell with the real start-up script and the real worker. What Amazon itself takes
 * to have a machine run its script is not in these figures, nor is the fetching of Node where the image has none.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeEc2 } from "../../server/autoscaler/cloud/aws/fake-ec2.ts";
import { FakeMachines } from "../../server/autoscaler/cloud/aws/fake-machines.ts";
import { ScalingProgram } from "./program.ts";

/** Milliseconds of one boot. */
export interface BootParts {
  /** From the decision to EC2's answer: the record, a template, a fleet. */
  order: number;
  /** From the script's first line until the worker is there. */
  download: number;
  /** From the worker's start to its hello. */
  join: number;
  /** From its hello to its first accepted slice. */
  slice: number;
}

export async function bootParts(rounds: number): Promise<BootParts[]> {
  const folder = mkdtempSync(join(tmpdir(), "queztl-bench-boot-"));
  const cloud = await new FakeEc2().start();
  const machines = await new FakeMachines(cloud, folder, process.env.PATH ?? "").start();
  const env = { AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench", AWS_REGION: "us-east-1" };
  const program = new ScalingProgram(["--scale-provider=aws", "--max-nodes=1"], {
    ...{ ...env, AWS_ENDPOINT_URL: cloud.url, QUEZTL_EC2_TYPES: "t3.medium" },
  });
  const found: BootParts[] = [];
  try {
    await program.until("the coordinator decides", async () => (await program.status()).desired !== null);
    for (let round = 0; round < rounds; round++) {
      const { task_id } = await program.submit(200_000_000_000);
      const acceptedMs = await program.firstSlice();
      const [instance] = (await program.status()).instances;
      const machine = [...machines.booted.values()].at(-1);
      if (!instance?.registered_at || !machine) throw new Error("An instance is not what it was.");
      const at = (line: string): number => {
        const ms = machines.reached(machine.id, line);
        if (ms === null) throw new Error(`The start-up script has no line "${line}".`);
        return ms;
      };
      const registeredMs = Date.parse(instance.registered_at);
      found.push({
        order: machine.madeMs - Date.parse(instance.ordered_at),
        download: at("metadata instance-id") - at("shutdown -h"),
        join: registeredMs - at("node worker.mjs"),
        slice: acceptedMs - registeredMs,
      });
      await program.cancel(task_id);
      await program.scale("down");
      await program.until("it is given back", async () => (await program.status()).managed_instances === 0);
      await program.scale("release");
    }
    return found;
  } finally {
    await program.stop();
    await machines.stop();
    await cloud.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
