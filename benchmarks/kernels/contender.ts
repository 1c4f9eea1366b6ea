/** What is compared: one way to compute tasks lo..hi of a case. */
import type { Workload } from "../../kernels/contract.ts";
import type { Backend, KernelFiles } from "../../protocol/messages.ts";

export interface Case {
  name: string;
  /** What is counted, as "hashes". */
  unit: string;
  workload: Workload;
  files: KernelFiles;
  /** As the workload's schema parsed it. */
  payload: unknown;
  /** Tasks 0..tasks are computed, in one go. */
  tasks: number;
  /** Of that unit, in all. */
  operations: number;
}

export interface Timed {
  partial: Uint8Array;
  /** By the clock, which other programs on the machine lengthen. */
  wallMs: number;
  /** Of the processor, all threads of the process that computes. */
  cpuMs: number;
}

export interface Contender {
  name: string;
  /** As whose result the workload believes its partial. */
  backend: Backend;
  /** Whether its figure is the clock's (a GPU's work takes no CPU time) or that of the processor's cores together. */
  clock: "wall" | "cpu";
  /** Part of a case's tasks that it is given: less than 1 where it is so slow that the whole would take seconds. */
  share: number;
  /** What must be known to read its figures, as a compiler's version or an adapter's name. */
  about: string;
  run(one: Case): Promise<Timed>;
  close(): void;
}

/** A contender that cannot run here, with the reason and the remedy. */
export interface Absent {
  name: string;
  missing: string;
}

/** Milliseconds of processor and clock that `body` takes in this process. */
export async function timed(body: () => Promise<Uint8Array> | Uint8Array): Promise<Timed> {
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const partial = await body();
  const wallMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpu);
  return { partial, wallMs, cpuMs: (user + system) / 1000 };
}
