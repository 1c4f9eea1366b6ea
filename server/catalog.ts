/** The workloads that this coordinator offers: their contract, their kernels' hashes, and where their host side is. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Host, Workload } from "../kernels/contract.ts";
import { plannedWorkloads, workloads } from "../kernels/workloads.ts";
import type { KernelFiles } from "../protocol/messages.ts";

export interface Entry {
  workload: Workload;
  kernel: string;
  files: KernelFiles;
  hasCheck: boolean;
  /** Modules for the judge threads. */
  workloadModule: string;
  hostModule: string;
}

/** By wire name. */
export type Catalog = ReadonlyMap<string, Entry>;

type Manifest = Record<string, { kernel: string; files: KernelFiles }>;

/** Reads the build's manifest and loads every registered workload. Throws when a kernel was not built. */
export async function loadCatalog(kernelsFolder: string): Promise<Catalog> {
  const manifest = JSON.parse(await readFile(join(kernelsFolder, "manifest.json"), "utf8")) as Manifest;
  const catalog = new Map<string, Entry>();
  for (const workload of workloads.values()) {
    const built = manifest[workload.type];
    if (!built) throw new Error(`The kernels of ${workload.type} are not built: run "npm run build".`);
    const folder = new URL(`../kernels/workloads/${workload.type}/`, import.meta.url);
    catalog.set(
      workload.type,
      await entryOf(workload, built, new URL("workload.ts", folder).href, new URL("host.ts", folder).href),
    );
  }
  return catalog;
}

/** An entry for a workload outside the registry, as the benchmark's. */
export async function entryOf(
  workload: Workload,
  built: { kernel: string; files: KernelFiles },
  workloadModule: string,
  hostModule: string,
): Promise<Entry> {
  const { default: host } = (await import(hostModule)) as { default: Host };
  return { workload, ...built, hasCheck: host.check !== undefined, workloadModule, hostModule };
}

export { plannedWorkloads };
