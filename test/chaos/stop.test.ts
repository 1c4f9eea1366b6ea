/** How the coordinator that `npm start` runs ends: in order on Ctrl-C, and never leaving its worker behind. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import type { NetworkStatus } from "../../protocol/rest.ts";
import { Client } from "./client.ts";
import { fastPi, pi } from "./oracle.ts";
import { CoordinatorProgram, until } from "./processes.ts";

const isWindows = process.platform === "win32";
if (isWindows) console.warn("The end of the coordinator is not tested: Windows has no signals, and no ps.");

const stopMsMax = 6_000;
/** Some seconds of one core. */
const job = pi(21, 1_000_000_000);

describe.skipIf(isWindows)("the coordinator with a worker of its own", () => {
  let folder: string;
  let coordinator: CoordinatorProgram;
  let client: Client;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "queztl-stop-"));
    coordinator = new CoordinatorProgram(join(folder, "data"), { args: ["--threads", "1"] });
    client = new Client(() => coordinator.url);
  });

  afterEach(async () => {
    const left = coordinator.isUp ? childrenOf(coordinator.pid) : [];
    await coordinator.kill();
    for (const pid of left.filter(isAlive)) process.kill(pid, "SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  /** Starts it and waits until its worker computes; answers the worker's process. */
  async function startBusy(): Promise<{ id: string; worker: number }> {
    onTestFailed(() => console.log(coordinator.story()));
    await coordinator.start();
    const { id } = await client.submit(job);
    let last: NetworkStatus | null = null;
    await until(
      async () => {
        last = await client.status();
        return last !== null && last.scheduler.leased_slices > 0 && last.scheduler.accepted_grains > 0;
      },
      30_000,
      () => `the worker does not compute: ${JSON.stringify(last?.registry)}\n${coordinator.story()}`,
    );
    const [worker, ...others] = workers();
    expect(others).toEqual([]);
    return { id, worker: worker! };
  }

  const workers = () => childrenOf(coordinator.pid).filter((pid) => /worker\.mjs/.test(commandOf(pid)));

  it("drains on Ctrl-C, says what it kept, is gone within 6 s with its worker, and goes on at the next start", async () => {
    const { id, worker } = await startBusy();
    const startedMs = performance.now();
    const end = await coordinator.signal("SIGINT");
    const tookMs = performance.now() - startedMs;
    expect(end).toBe(0);
    expect(tookMs).toBeLessThan(stopMsMax);
    expect(isAlive(worker)).toBe(false);
    expect(coordinator.story()).toMatch(/1 open job goes on at the next start; everything acknowledged is kept in /);
    expect(coordinator.story()).toContain(coordinator.dataDir);
    console.log(`Ctrl-C with a job under way took ${(tookMs / 1000).toFixed(1)} s`);

    await coordinator.start();
    expect(await client.output(id, 60_000)).toMatchObject((await fastPi(job)).output);
  });

  it("takes its worker along when it is killed", async () => {
    const { worker } = await startBusy();
    await coordinator.kill();
    await until(
      () => !isAlive(worker),
      5_000,
      () => `worker ${worker} is still there`,
    );
  });

  it("starts its worker again when that is killed, and finishes what it computed", async () => {
    const { id, worker } = await startBusy();
    process.kill(worker, "SIGKILL");
    await until(
      () => workers().some((pid) => pid !== worker),
      10_000,
      () => `no worker came after ${worker}: ${coordinator.story()}`,
    );
    expect(await client.output(id, 60_000)).toMatchObject((await fastPi(job)).output);
    expect(workers()).toHaveLength(1);
  });

  it("stops at once on a second Ctrl-C", async () => {
    const { worker } = await startBusy();
    const end = coordinator.signal("SIGINT");
    await until(
      () => coordinator.lines.some((line) => line.includes("once more to stop at once")),
      2_000,
      () => coordinator.story(),
    );
    if (coordinator.isUp) await coordinator.signal("SIGINT");
    expect([0, 130]).toContain(await end);
    await until(
      () => !isAlive(worker),
      5_000,
      () => `worker ${worker} is still there`,
    );
  });
});

const ps = (...args: string[]): string => execFileSync("ps", args, { encoding: "utf8" });

function childrenOf(parent: number): number[] {
  return ps("-A", "-o", "pid=,ppid=")
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (ppid === parent ? [pid as number] : []));
}

/** Empty for a process that is gone. */
function commandOf(pid: number): string {
  try {
    return ps("-o", "args=", "-p", String(pid));
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
