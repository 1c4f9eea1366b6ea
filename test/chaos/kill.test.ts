/**
 * The real coordinator and real workers, killed at random instants again and again while they work. Whatever was
 * acknowledged is there at the end, is right, and was counted once. CHAOS_SEED replays the random choices of a
 * run (the system's own timing stays free), CHAOS_KILLS sets their number.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFailed } from "vitest";
import { decodePartial } from "../../kernels/workloads/crypto_mining/layout.ts";
import { decodeTally } from "../../kernels/workloads/monte_carlo/layout.ts";
import { parse } from "../../kernels/workloads/monte_carlo/testing.ts";
import type { JobList, JobView } from "../../protocol/rest.ts";
import { randomOf } from "../faults/process.ts";
import { type Acknowledged, Client, type JobBody } from "./client.ts";
import { Killer } from "./killer.ts";
import { type Expected, fastPi, hit, noHit, pi, searchWithHit, searchWithoutHit, slowPi } from "./oracle.ts";
import { CoordinatorProgram, type Program, sleep, workerProgram } from "./processes.ts";
import { type RecordedJob, readRecord } from "./record.ts";

const seed = Number(process.env.CHAOS_SEED ?? Date.now() % 2 ** 31);
const killsMin = Number(process.env.CHAOS_KILLS ?? 60);
const openJobsMax = 5;
const finishMsMax = 120_000;

/** One for the kills and one for the jobs, so that neither depends on when the other draws. */
const random = randomOf(seed);
const jobRandom = randomOf(seed + 1);
const folder = mkdtempSync(join(tmpdir(), "queztl-chaos-"));
const coordinator = new CoordinatorProgram(join(folder, "data"));
const client = new Client(() => coordinator.url);
let workers: Program[] = [];

afterAll(async () => {
  await Promise.all([coordinator, ...workers].map((program) => program.kill()));
  rmSync(folder, { recursive: true, force: true });
});

const small = pi(1, 100_000);
const search = searchWithoutHit(1_000_000, 2 ** 19);
/** About 0.8 s of one core each; the grid cuts them into 16 grains. */
const large = [2, 3, 4].map((number) => pi(number, 200_000_000));

function someJob(): JobBody {
  const dice = jobRandom();
  if (dice < 0.1) return small;
  if (dice < 0.2) return searchWithHit;
  if (dice < 0.3) return search;
  return large[Math.floor(jobRandom() * large.length)] as JobBody;
}

/** Keeps some jobs open until told to stop. */
async function keepBusy(isOver: () => boolean): Promise<void> {
  const open = new Set<string>();
  while (!isOver()) {
    for (const id of open) {
      const job = await client.get<JobView>(`/api/v1.2/workload/${id}`);
      if (job?.status === "completed") open.delete(id);
    }
    if (open.size < openJobsMax) open.add((await client.submit(someJob())).id);
    else await sleep(100);
  }
}

async function allJobs(): Promise<JobView[]> {
  const jobs: JobView[] = [];
  let cursor: string | null = null;
  do {
    const page: JobList | null = await client.get(`/api/v1.2/workload?limit=100${cursor ? `&cursor=${cursor}` : ""}`);
    if (!page) throw new Error("The coordinator does not answer.");
    jobs.push(...page.jobs);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return jobs;
}

/** What the job's accepted partials add up to, each grain once. */
function countedOf({ body }: Acknowledged, partials: readonly Uint8Array[]): Expected["counted"] {
  if (body.workload_type === "crypto_mining") {
    const decoded = partials.map(decodePartial);
    return {
      searched: decoded.reduce((sum, { searched }) => sum + searched, 0),
      shares: decoded.reduce((sum, { shares }) => sum + shares.length, 0),
    };
  }
  const tallies = partials.map((partial) => decodeTally(parse(body.payload), partial));
  return {
    paths: tallies.reduce((sum, { paths }) => sum + paths, 0n),
    hits: tallies.reduce((sum, { hits }) => sum + hits, 0n),
  };
}

describe(`SIGKILL at random instants (CHAOS_SEED=${seed})`, () => {
  it(`loses nothing acknowledged and counts nothing twice over ${killsMin} kills`, async () => {
    onTestFailed(() => {
      const programs = [coordinator, ...workers];
      console.log(
        programs.flatMap((program) => [`-- ${program.name}`, ...program.surprises, program.story()]).join("\n"),
      );
    });
    await coordinator.start();
    const { joinToken } = coordinator.secrets;
    workers = [
      workerProgram(coordinator, "own-1", join(folder, "own-1"), joinToken),
      workerProgram(coordinator, "own-2", join(folder, "own-2"), joinToken),
      workerProgram(coordinator, "volunteer", join(folder, "volunteer"), null),
    ];
    for (const worker of workers) worker.spawn();

    const killer = new Killer({ coordinator, workers, client, random, job: () => (random() < 0.5 ? small : search) });
    let over = false;
    const busy = keepBusy(() => over);
    busy.catch(() => {});
    const startedMs = performance.now();
    try {
      while (killer.kills.length < killsMin) await killer.strike();
    } finally {
      over = true;
    }
    await killer.settled();
    await Promise.all([busy, ...killer.submissions]);
    const tally = [coordinator, ...workers].map(
      ({ name }) => `${name} ${killer.kills.filter(({ victim }) => victim === name).length}`,
    );
    console.log(
      `CHAOS_SEED=${seed}: ${killer.kills.length} kills (${tally.join(", ")}) in ${((performance.now() - startedMs) / 1000).toFixed(0)} s, ` +
        `${client.acknowledged.size} jobs acknowledged, ${client.unanswered} requests without an answer`,
    );
    expect(killer.kills.filter(({ leases, submissions }) => leases + submissions === 0)).toEqual([]);

    const expected = new Map<JobBody, Expected>([
      [small, slowPi(small)],
      [searchWithHit, hit],
    ]);
    for (const body of large) expected.set(body, await fastPi(body));
    const views = new Map<string, JobView>();
    for (const { id, body } of client.acknowledged.values()) {
      const output = await client.output(id, finishMsMax);
      if (body === search && !expected.has(search)) expected.set(search, noHit(search, String(output.share_target)));
      expect(output, `job ${id} (CHAOS_SEED=${seed})`).toMatchObject(expected.get(body)!.output);
    }
    // Whoever asks again with a key of long ago gets the job of that time.
    for (const { key, body } of [...client.acknowledged.values()]) await client.attempt(key, body);
    for (const view of await allJobs()) views.set(view.task_id, view);
    expect(await coordinator.signal("SIGTERM")).toBe(0);

    expect([...views.keys()].sort()).toEqual([...client.acknowledged.values()].map(({ id }) => id).sort());
    expect(client.doubled).toEqual([]);
    for (const view of views.values()) expect(view.verification.rejected_results, view.task_id).toBe(0);
    const sum = (of: (view: JobView) => number) => [...views.values()].reduce((total, view) => total + of(view), 0);
    console.log(
      `${sum((view) => view.verification.accepted_results)} results counted, ` +
        `${sum((view) => view.verification.audited_results)} of them after an audit`,
    );
    readRecord(coordinator.dataDir, (record) => {
      const recorded = new Map<string, RecordedJob>(record.jobs().map((job) => [job.id, job]));
      expect(recorded.size).toBe(client.acknowledged.size);
      for (const acknowledged of client.acknowledged.values()) {
        const job = recorded.get(acknowledged.id)!;
        const { counted } = expected.get(acknowledged.body)!;
        expect(job, job.id).toMatchObject({ key: acknowledged.key, state: "completed" });
        if (counted === null) continue;
        const partials = record.partials(job, ["confirmed"]).filter((partial) => partial !== null);
        expect([partials.length, job.acceptedGrains], job.id).toEqual([job.grains, job.grains]);
        expect(countedOf(acknowledged, partials), job.id).toEqual(counted);
      }
    });
    for (const program of [coordinator, ...workers]) expect(program.surprises).toEqual([]);
  });
});
