/**
 * The real coordinator on a disk that loses power: SIGKILL, and everything that was not synced is gone. Whatever it
 * acknowledged to its client and to its nodes is in the record. CHAOS_SEED replays the random choices of a run.
 */
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFailed } from "vitest";
import { randomOf } from "../faults/process.ts";
import { buildShim, FaultyDisk } from "../faults/shim.ts";
import { Client } from "./client.ts";
import { CountingNode } from "./node.ts";
import { pi, slowPi } from "./oracle.ts";
import { CoordinatorProgram, sleep, until } from "./processes.ts";
import { brokenPromises } from "./promises.ts";

const shim = buildShim();
if ("reason" in shim) console.warn(`Power cuts of the coordinator are not tested: ${shim.reason}.`);

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31);
const cuts = 16;
const submitters = 3;
/** Every submitter has at most so many open jobs, so that the end is near whenever it comes. */
const openJobsMax = 4;
/** 16 grains of some hundred darts. */
const body = pi(7, 2_000);
Object.assign(body.payload as object, { samples: 100 });

describe.skipIf("reason" in shim)(`power cuts (CHAOS_SEED=${seed})`, () => {
  let disk: FaultyDisk;
  let coordinator: CoordinatorProgram;
  let client: Client;
  let nodes: CountingNode[];
  let over = false;
  let busy: Promise<unknown> = Promise.resolve();

  beforeEach(() => {
    disk = new FaultyDisk();
    nodes = [new CountingNode(), new CountingNode()];
    over = false;
  });

  afterEach(async () => {
    over = true;
    client?.giveUp();
    await coordinator?.kill();
    await busy.catch(() => {});
    await Promise.all(nodes.map((node) => node.stop()));
    disk.remove();
  });

  async function start(): Promise<void> {
    onTestFailed(() => console.log([...coordinator.surprises, coordinator.story()].join("\n")));
    coordinator = new CoordinatorProgram(join(disk.folder, "data"), { env: disk.env });
    client = new Client(() => coordinator.url);
    await coordinator.start();
    await Promise.all(
      nodes.map((node, index) => node.start(coordinator.url, coordinator.secrets.joinToken, `counting-${index + 1}`)),
    );
    busy = Promise.all(Array.from({ length: submitters }, submitForEver));
    busy.catch(() => {});
  }

  async function submitForEver(): Promise<void> {
    while (!over) {
      const status = await client.status();
      if (!status) continue;
      const { pending_tasks, active_tasks } = status.scheduler;
      if (pending_tasks + active_tasks >= openJobsMax * submitters) await sleep(20);
      else await client.submit(body);
    }
  }

  const results = () => nodes.flatMap((node) => node.acknowledged);
  const broken = () => brokenPromises(coordinator.dataDir, client.acknowledged.values(), results());
  const acknowledgements = () => client.acknowledged.size + results().length;
  const heardMore = (than: number, by: number) =>
    until(
      () => acknowledgements() >= than + by,
      60_000,
      () => `${acknowledgements()} acknowledgements; ${nodes.map((node) => node.phase)}; ${coordinator.story()}`,
    );

  it(`loses nothing acknowledged in ${cuts} cuts at random instants`, async () => {
    const random = randomOf(seed);
    await start();
    let taken = 0;
    for (let cut = 0; cut < cuts; cut++) {
      // Most cuts come amid commits of both kinds, some soon after the start.
      if (cut % 4 !== 3) {
        const before = results().length;
        await heardMore(acknowledgements(), 3);
        await until(
          () => results().length > before,
          60_000,
          () => `no result was acknowledged: ${coordinator.story()}`,
        );
      }
      await sleep(random() * 300);
      await coordinator.kill();
      // Every other time the disk had written some of what it was not told to.
      taken += disk.cutPower(cut % 2 ? { random } : {}).changes;
      expect(broken(), `cut ${cut + 1}, CHAOS_SEED=${seed}`).toEqual([]);
      await coordinator.start();
    }
    over = true;
    await busy;
    expect(taken, "no cut met an unsynced write").toBeGreaterThan(0);
    const { output } = slowPi(body);
    for (const { id } of client.acknowledged.values()) expect(await client.output(id, 60_000)).toMatchObject(output);
    expect(client.doubled).toEqual([]);
    console.log(
      `CHAOS_SEED=${seed}: ${cuts} power cuts took back ${taken} unsynced writes; ` +
        `${client.acknowledged.size} jobs and ${results().length} results were acknowledged, none lost`,
    );
    expect(nodes.flatMap((node) => node.defects)).toEqual([]);
    expect(coordinator.surprises).toEqual([]);
  });

  it("is seen to lose when it does not sync", async () => {
    await start();
    await heardMore(0, 5);
    await coordinator.kill();
    disk.cutPower();
    expect(broken()).toEqual([]);
    coordinator.env.QUEZTL_TEST_SYNCHRONOUS = "OFF";
    await coordinator.start();
    const [jobs, grains] = [client.acknowledged.size, results().length];
    await until(
      () => client.acknowledged.size > jobs + 10 && results().length > grains + 10,
      60_000,
      () => coordinator.story(),
    );
    await coordinator.kill();
    disk.cutPower();
    const lost = broken();
    expect(lost.filter((line) => line.startsWith("job")).length, "no job was lost without a sync").toBeGreaterThan(0);
    expect(lost.filter((line) => line.startsWith("of grains")).length, "no result was lost").toBeGreaterThan(0);
  });
});
