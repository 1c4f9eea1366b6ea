/** What an idle grid costs: latency of a single small job, and memory of a node that waits. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "./child.ts";
import type { Latencies } from "./probe.ts";
import type { CoordinatorSetup, NodesSetup } from "./setup.ts";

async function withGrid<T>(
  setup: Omit<CoordinatorSetup, "folder">,
  use: (coordinator: Child, nodes: Child, port: number) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "queztl-bench-"));
  const coordinator = Child.start(new URL("./coordinator.ts", import.meta.url), "coordinator", ["--expose-gc"]);
  const nodes = Child.start(new URL("./nodes.ts", import.meta.url), "nodes");
  try {
    const port = await coordinator.call<number>("start", { ...setup, folder } satisfies CoordinatorSetup);
    const value = await use(coordinator, nodes, port);
    await nodes.call("disconnect");
    await coordinator.call("stop");
    return value;
  } finally {
    await Promise.all([coordinator.stop(), nodes.stop()]);
    await rm(folder, { recursive: true, force: true });
  }
}

/** One node with one slot; jobs one after the other, unsigned as BullMQ's are. */
export function measureIdleLatency(jobs: number, output: "rows" | "reduce", sign = false): Promise<Latencies> {
  return withGrid({ sliceGrains: 1, sign }, async (_coordinator, nodes, port) => {
    await nodes.call("connect", { port, nodes: 1, slots: 1, frames: "turn" } satisfies NodesSetup);
    return nodes.call<Latencies>("latency", { port, jobs, output });
  });
}

export interface IdleMemory {
  nodes: number;
  /** Growth of the coordinator's resident memory, kernel socket buffers not included. */
  bytesPerNode: number;
}

/** Connects `nodes` idle nodes and compares resident memory after collection. */
export function measureIdleMemory(nodes: number): Promise<IdleMemory> {
  return withGrid({ sliceGrains: 1, sign: true }, async (coordinator, children, port) => {
    const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_000));
    await settle();
    const before = await coordinator.call<number>("memory");
    await children.call("connect", { port, nodes, slots: 1, frames: "turn" } satisfies NodesSetup);
    await settle();
    const after = await coordinator.call<number>("memory");
    return { nodes, bytesPerNode: (after - before) / nodes };
  });
}
