/** The whole measurement: every cell and every peer, several times in turn, so that a noisy minute strikes all alike. */
import { measureIdleLatency, measureIdleMemory } from "./idle.ts";
import { installPeers, measureBullmq, measureGraphile, type Peer } from "./peers.ts";
import type { Latencies } from "./probe.ts";
import { type Cell, type CellResult, measureCell } from "./throughput.ts";

export interface Plan {
  rounds: number;
  /** Tasks of a cell, by slice size: some seconds' worth. */
  tasks: Record<number, number>;
  nodes: number[];
  /** Cells with signed results, and those where every result has a frame of its own, run with so many nodes. */
  variantNodes: number;
  peerTasks: number;
  latencyJobs: number;
  idleNodes: number;
}

export const fullPlan: Plan = {
  rounds: 3,
  tasks: { 1: 60_000, 10: 300_000, 100: 1_000_000 },
  nodes: [1, 100, 1_000],
  variantNodes: 100,
  peerTasks: 50_000,
  latencyJobs: 300,
  idleNodes: 10_000,
};

export const quickPlan: Plan = {
  rounds: 1,
  tasks: { 1: 5_000, 10: 20_000, 100: 50_000 },
  nodes: [1, 20],
  variantNodes: 20,
  peerTasks: 5_000,
  latencyJobs: 30,
  idleNodes: 500,
};

export interface LatencyFigures {
  startP50: number;
  startP99: number;
  acceptedP50: number;
  resultP50: number;
  resultP99: number;
}

export interface Measured {
  cells: CellResult[];
  /** Cells of some round that did not end well, and why. */
  failures: string[];
  bullmq: Peer;
  graphile: Peer;
  /** Milliseconds. "rows": told that the job is completed. "reduce": answered with its output. */
  latency: { rows: LatencyFigures; reduce: LatencyFigures; bullmq: LatencyFigures | null };
  idle: { nodes: number; bytesPerNode: number };
}

const slices = [1, 10, 100];

function cellsOf(plan: Plan): Cell[] {
  const cell = (nodes: number, slice: number, variant: Partial<Cell> = {}): Cell => ({
    nodes,
    slice,
    tasks: plan.tasks[slice] as number,
    sign: false,
    frames: "turn",
    ...variant,
  });
  return [
    ...slices.flatMap((slice) => plan.nodes.map((nodes) => cell(nodes, slice))),
    ...slices.map((slice) => cell(plan.variantNodes, slice, { frames: "result" })),
    ...slices.map((slice) =>
      cell(plan.variantNodes, slice, { sign: true, tasks: Math.min(30_000 * slice, plan.tasks[slice] as number) }),
    ),
  ];
}

export async function measureAll(plan: Plan, say: (line: string) => void): Promise<Measured> {
  installPeers();
  const cells = cellsOf(plan);
  const found: CellResult[][] = cells.map(() => []);
  const failures: string[] = [];
  const bullmq: Peer[] = [];
  const graphile: Peer[] = [];
  const latencies: Record<"rows" | "reduce", Latencies[]> = { rows: [], reduce: [] };
  for (let round = 1; round <= plan.rounds; round++) {
    say(`Round ${round} of ${plan.rounds}: peers`);
    bullmq.push(await measureBullmq(plan.peerTasks, plan.latencyJobs));
    graphile.push(await measureGraphile(plan.peerTasks));
    for (const output of ["rows", "reduce"] as const) {
      latencies[output].push(await measureIdleLatency(plan.latencyJobs, output));
    }
    for (const [index, cell] of cells.entries()) {
      // Beside every third cell again: a minute's noise must not fall on one side of a ratio alone.
      if (index % 3 === 2) bullmq.push(await measureBullmq(plan.peerTasks, 0));
      const result = await measureCell(cell).catch((error: unknown) => String(error));
      if (typeof result === "string") failures.push(`${nameOf(cell)}: ${result}`);
      else found[index]?.push(result);
      say(`  ${nameOf(cell)}: ${typeof result === "string" ? result : `${Math.round(result.tasksPerSecond)} tasks/s`}`);
    }
  }
  say("Idle nodes");
  return {
    cells: found.filter((results) => results.length > 0).map(medianRecord),
    failures,
    bullmq: medianPeer(bullmq),
    graphile: medianPeer(graphile),
    latency: {
      rows: figuresOf(latencies.rows),
      reduce: figuresOf(latencies.reduce),
      bullmq: bullmqLatency(bullmq),
    },
    idle: await measureIdleMemory(plan.idleNodes),
  };
}

export function nameOf({ nodes, slice, sign, frames }: Cell): string {
  const variant = sign ? ", signed" : frames === "result" ? ", a frame for each result" : "";
  return `slice ${slice}, ${nodes} ${nodes === 1 ? "node" : "nodes"}${variant}`;
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** Of records with the same numeric fields: the median of each field by itself. */
function medianRecord<T extends object>(records: T[]): T {
  const first = records[0] as T;
  const medians = Object.entries(first).map(([field, value]) => [
    field,
    typeof value === "number" ? median(records.map((record) => record[field as keyof T] as number)) : value,
  ]);
  return Object.fromEntries(medians) as T;
}

function medianPeer(peers: Peer[]): Peer {
  const results = peers.flatMap((peer) => ("result" in peer ? [peer.result] : []));
  const first = peers[0] as Peer;
  return results.length === 0 ? first : { name: first.name, result: { ...medianRecord(results), latencies: null } };
}

function bullmqLatency(peers: Peer[]): LatencyFigures | null {
  const found = peers.flatMap((peer) => ("result" in peer && peer.result.latencies ? [peer.result.latencies] : []));
  return found.length === 0 ? null : figuresOf(found);
}

/** All rounds' jobs as one sample. */
function figuresOf(rounds: Latencies[]): LatencyFigures {
  const all = (of: (latencies: Latencies) => number[]): number[] => rounds.flatMap(of);
  return {
    startP50: quantile(
      all((round) => round.startMs),
      0.5,
    ),
    startP99: quantile(
      all((round) => round.startMs),
      0.99,
    ),
    acceptedP50: quantile(
      all((round) => round.acceptedMs),
      0.5,
    ),
    resultP50: quantile(
      all((round) => round.resultMs),
      0.5,
    ),
    resultP99: quantile(
      all((round) => round.resultMs),
      0.99,
    ),
  };
}
