/**
 * Worker processes of this machine as instances: a burst of jobs, instances come, the work is done, instances go; and
 * the same with the coordinator killed in the middle. Nothing is launched twice, nothing is left.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import { type AutoscalerStatus, autoscalerStatusSchema } from "../../protocol/scaling.ts";
import { Client } from "./client.ts";
import { fastPi, pi } from "./oracle.ts";
import { CoordinatorProgram, until } from "./processes.ts";

const isWindows = process.platform === "win32";
if (isWindows) console.warn("Instances on this machine are not tested: Windows has no ps.");

const nodesMax = 3;
const jobs = [31, 32, 33, 34].map((seed) => pi(seed, 600_000_000));

describe.skipIf(isWindows)("npm start -- --scale-provider=local --max-nodes=3", () => {
  let folder: string;
  let coordinator: CoordinatorProgram;
  let client: Client;
  let watch: NodeJS.Timeout;
  let most = 0;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queztl-scaling-"));
    const args = ["--no-worker", "--scale-provider=local", `--max-nodes=${nodesMax}`, "--scale-cooldown=2"];
    coordinator = new CoordinatorProgram(join(folder, "data"), { args });
    client = new Client(() => coordinator.url);
    most = 0;
    watch = setInterval(() => {
      most = Math.max(most, processes().length);
    }, 200);
    onTestFailed(() => console.log(coordinator.story()));
  });

  afterEach(async () => {
    clearInterval(watch);
    await coordinator.kill();
    for (const { pid } of processes()) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Processes of instances of this test's grid, whoever their parent is now. */
  function processes(): { pid: number; instance: string }[] {
    const lines = execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n");
    return lines.flatMap((line) => {
      const match = /^\s*(\d+) .*--data (\S*\/instances\/(\S+))/.exec(line);
      return match?.[2]?.startsWith(folder) ? [{ pid: Number(match[1]), instance: match[3] as string }] : [];
    });
  }

  const status = async (): Promise<AutoscalerStatus> =>
    autoscalerStatusSchema.parse(await (await fetch(`${coordinator.url}/api/v1.2/autoscaler/status`)).json());

  const registered = async (least: number): Promise<AutoscalerStatus | null> => {
    const seen = await status();
    return (seen.states.REGISTERED ?? 0) >= least ? seen : null;
  };

  const submitAll = () => Promise.all(jobs.map((job) => client.submit(job)));

  async function allDone(ids: readonly { id: string }[]): Promise<void> {
    for (const [index, { id }] of ids.entries()) {
      expect(await client.output(id, 120_000)).toMatchObject((await fastPi(jobs[index]!)).output);
    }
  }

  const noneLeft = () =>
    until(
      async () => processes().length === 0 && (await status()).managed_instances === 0,
      60_000,
      () => `instances are left: ${JSON.stringify(processes())}`,
    );

  it("instances come for a burst of jobs, do them, and go", async () => {
    await coordinator.start();
    const ids = await submitAll();
    const seen = await until(
      () => registered(2),
      60_000,
      () => "no instances came",
    );
    expect(seen.instances.every(({ type }) => type === "process")).toBe(true);
    expect(seen.last_decisions.some(({ actions }) => actions.some(({ type }) => type === "launch"))).toBe(true);
    await allDone(ids);
    await noneLeft();
    expect(most).toBeLessThanOrEqual(nodesMax);
    const after = await status();
    expect(after.scale_down_count).toBeGreaterThanOrEqual(2);
    expect(after.last_decisions.flatMap(({ actions }) => actions).every(({ reason }) => reason.message !== "")).toBe(
      true,
    );
    expect(coordinator.surprises).toEqual([]);
  });

  it("a killed coordinator leaves no process, and the next one launches none twice and ends the work", async () => {
    await coordinator.start();
    const ids = await submitAll();
    await until(
      () => registered(2),
      60_000,
      () => "no instances came",
    );
    const before = processes();
    await coordinator.kill();
    await until(
      () => processes().every(({ pid }) => !before.some((each) => each.pid === pid)),
      15_000,
      () => `instances outlive their coordinator: ${JSON.stringify(processes())}`,
    );
    await coordinator.start();
    await allDone(ids);
    await noneLeft();
    expect(most).toBeLessThanOrEqual(nodesMax);
    const instances = (await status()).last_decisions.flatMap(({ actions }) => actions);
    expect(instances.some(({ type }) => type === "sweep")).toBe(false);
  });

  it("a coordinator killed while it launches neither loses nor doubles an instance", async () => {
    await coordinator.start();
    const ids = await submitAll();
    // The first process is there: its order is on record, its reply may not be.
    await until(
      () => processes().length > 0,
      60_000,
      () => "no instance came",
    );
    await coordinator.kill();
    await coordinator.start();
    await allDone(ids);
    await noneLeft();
    expect(most).toBeLessThanOrEqual(nodesMax);
  });

  it("a person asks for instances, within the maximum, and takes it back", async () => {
    await coordinator.start();
    const ask = (body: unknown) =>
      fetch(`${coordinator.url}/api/v1.2/scale/manual`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const answer = await ask({ action: "up", count: 50 });
    expect(answer.status).toBe(200);
    expect(autoscalerStatusSchema.parse(await answer.json()).manual).toMatchObject({ at_least: nodesMax });
    await until(
      () => registered(nodesMax),
      60_000,
      () => "no instances came",
    );
    await ask({ action: "down", count: 2 });
    await until(
      async () => processes().length === 1,
      30_000,
      () => `${processes().length} are there`,
    );
    await ask({ action: "release" });
    await noneLeft();
    expect(most).toBe(nodesMax);
  });
});
