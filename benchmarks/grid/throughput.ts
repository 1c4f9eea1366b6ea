/** One cell of the table: so many nodes, slices of so many tasks, from submission to the check of every result. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import { makeInputs } from "./echo/data.ts";
import { ask } from "./probe.ts";
import type { CoordinatorSetup, NodesSetup, RunTimes, Usage } from "./setup.ts";
import { verifyStore } from "./verify.ts";

export interface Cell {
  nodes: number;
  slice: number;
  sign: boolean;
  tasks: number;
  frames: NodesSetup["frames"];
}

export interface CellResult extends Cell {
  /** From the first lease that a node received to the last acknowledgement it read. */
  tasksPerSecond: number;
  /** From the first POST to the last 202. */
  submittedPerSecond: number;
  /** CPU of the coordinator's process, all threads, while it processed. */
  coordinatorUsPerTask: number;
  nodesUsPerTask: number;
  eventLoopUtilisation: number;
  /** CPU of both processes together, in cores. */
  coresBusy: number;
  commitsPerSecond: number;
  framesPerTask: number;
  /** Results found in the database afterwards, and compared byte for byte. */
  verifiedTasks: number;
}

/** Bodies of about 13 MB: a submission is at most 16 MiB. */
const jobTasksMax = 100_000;

/**
 * Leases in flight over all nodes, two for each slot: enough that the coordinator always has results to take in, and
 * with large slices not so many that megabytes wait for one socket.
 */
function slotsOf({ nodes, slice }: Cell): number {
  const leases = slice >= 100 ? 256 : slice >= 10 ? 800 : 1_200;
  return Math.max(2, Math.min(256, Math.ceil(leases / 2 / nodes)));
}

export async function measureCell(cell: Cell, nodeFlags: string[] = []): Promise<CellResult> {
  const folder = mkdtempSync(join(tmpdir(), "queztl-bench-"));
  const coordinator = Child.start(new URL("./coordinator.ts", import.meta.url), "coordinator", nodeFlags);
  const nodes = Child.start(new URL("./nodes.ts", import.meta.url), "nodes");
  try {
    const port = await coordinator.call<number>("start", {
      folder,
      sliceGrains: cell.slice,
      sign: cell.sign,
    } satisfies CoordinatorSetup);
    await nodes.call("connect", {
      port,
      nodes: cell.nodes,
      slots: slotsOf(cell),
      frames: cell.frames,
    } satisfies NodesSetup);
    const { jobs, submittedPerSecond } = await submitAll(port, cell.tasks);
    const before = await coordinator.call<Usage>("usage");
    const times = await nodes.call<RunTimes>("run", { tasks: cell.tasks, msMax: 120_000 });
    const after = await coordinator.call<Usage>("usage");
    await nodes.call("disconnect");
    await coordinator.call("stop");
    const verifiedTasks = await verifyStore(folder, jobs);
    if (verifiedTasks !== cell.tasks) throw new Error(`${verifiedTasks} tasks are in the record, not ${cell.tasks}`);
    return { ...cell, ...figures(cell, times, before, after), submittedPerSecond, verifiedTasks };
  } finally {
    await Promise.all([coordinator.stop(), nodes.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

function figures(cell: Cell, times: RunTimes, before: Usage, after: Usage) {
  const cpuUs = after.cpuUs - before.cpuUs;
  const activeMs = after.activeMs - before.activeMs;
  return {
    tasksPerSecond: (cell.tasks * 1000) / times.ms,
    coordinatorUsPerTask: cpuUs / cell.tasks,
    nodesUsPerTask: times.cpuUs / cell.tasks,
    eventLoopUtilisation: activeMs / (activeMs + after.idleMs - before.idleMs),
    coresBusy: (cpuUs + times.cpuUs) / 1000 / times.ms,
    commitsPerSecond: ((after.batches - before.batches) * 1000) / times.ms,
    framesPerTask: (times.framesIn + times.framesOut) / cell.tasks,
  };
}

export interface SubmittedJob {
  id: string;
  first: number;
  tasks: number;
}

/** Submits all tasks in batch jobs, one POST after the other, and counts the time from first byte to last 202. */
async function submitAll(port: number, tasks: number): Promise<{ jobs: SubmittedJob[]; submittedPerSecond: number }> {
  const jobs: SubmittedJob[] = [];
  let ms = 0;
  for (let first = 0; first < tasks; first += jobTasksMax) {
    const count = Math.min(jobTasksMax, tasks - first);
    const payload = { inputs: makeInputs(first, count).toString("base64"), output: "rows" };
    const body = JSON.stringify({ workload_type: "benchmark_echo", payload });
    const fromMs = performance.now();
    const { task_id } = (await ask(port, "POST", "/api/v1.2/workload/submit", body)) as { task_id: string };
    ms += performance.now() - fromMs;
    jobs.push({ id: task_id, first, tasks: count });
  }
  return { jobs, submittedPerSecond: (tasks * 1000) / ms };
}
