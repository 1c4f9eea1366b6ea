/** What outlives a SIGKILL beside jobs and results: a cancellation that was acknowledged, and a watcher's place in a job's events. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { JobView } from "../../protocol/rest.ts";
import { Client } from "./client.ts";
import { pi } from "./oracle.ts";
import { CoordinatorProgram, type Program, until, workerProgram } from "./processes.ts";

let folder: string;
let coordinator: CoordinatorProgram;
let worker: Program;
let client: Client;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "queztl-chaos-"));
  coordinator = new CoordinatorProgram(join(folder, "data"));
  client = new Client(() => coordinator.url);
  await coordinator.start();
  worker = workerProgram(coordinator, "own", join(folder, "own"), coordinator.secrets.joinToken);
});

afterEach(async () => {
  await Promise.all([coordinator.kill(), worker.kill()]);
  rmSync(folder, { recursive: true, force: true });
});

/** Some ten seconds of one core. */
const long = pi(5, 2_500_000_000);

it("a cancellation that was answered stays, however soon the coordinator is killed", async () => {
  worker.spawn();
  for (let round = 0; round < 5; round++) {
    const { id } = await client.submit(long);
    await until(
      async () => (await client.get<JobView>(`/api/v1.2/workload/${id}`))?.status === "running",
      30_000,
      () => worker.story(),
    );
    const answer = await client.request(`/api/v1.2/workload/${id}`, { method: "DELETE" });
    await coordinator.kill();
    expect(answer).toMatchObject({ status: 200, body: { status: "cancelled" } });
    await coordinator.start();
    expect(await client.get(`/api/v1.2/workload/${id}`)).toMatchObject({ status: "cancelled" });
  }
  expect(coordinator.surprises).toEqual([]);
});

interface Seen {
  id: string;
  event: string;
  data: { event: string; job?: JobView };
}

/** Reads a job's events until the connection ends or `enough` says so. */
async function watch(id: string, after: string | null, enough: (seen: Seen[]) => boolean): Promise<Seen[]> {
  const cut = new AbortController();
  const headers: Record<string, string> = after === null ? {} : { "last-event-id": after };
  const response = await fetch(`${coordinator.url}/api/v1.2/workload/${id}/events`, { headers, signal: cut.signal });
  const seen: Seen[] = [];
  let text = "";
  try {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
        const data = field("data");
        if (data !== undefined) seen.push({ id: field("id")!, event: field("event")!, data: JSON.parse(data) });
      }
      if (enough(seen)) break;
    }
  } catch {
    // The coordinator was killed.
  }
  cut.abort();
  return seen;
}

it("who watches a job comes back after a kill with the last number it saw, and sees the job to its end", async () => {
  worker.spawn();
  const { id } = await client.submit(pi(6, 1_000_000_000));
  const watching = watch(id, null, () => false);
  await until(
    async () => ((await client.get<JobView>(`/api/v1.2/workload/${id}`))?.progress.grains_accepted ?? 0) > 0,
    60_000,
    () => worker.story(),
  );
  await coordinator.kill();
  const before = await watching;
  expect(before.length).toBeGreaterThan(0);
  await coordinator.start();
  const last = before.at(-1) as Seen;
  const after = await watch(id, last.id, (seen) => seen.at(-1)?.data.job?.status === "completed");
  // It begins with how the job stands now, under a number that no earlier life gave out.
  expect(after[0]).toMatchObject({ event: "state", data: { job: { task_id: id } } });
  const numbers = [...before, ...after].map((seen) => Number(seen.id));
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(after.at(-1)?.data.job).toMatchObject({ status: "completed", progress: { fraction: 1 } });
  expect(coordinator.surprises).toEqual([]);
});
