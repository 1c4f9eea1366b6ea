/** Dawn for Node: the `webgpu` package, installed on demand into a folder of engines. Node only. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** The pinned package. */
export const webGpuPackage = { name: "webgpu", version: "0.6.2", megabytes: 132 } as const;

export const hasWebGpuPackage = (enginesDir: string): boolean =>
  existsSync(join(enginesDir, "node_modules", webGpuPackage.name, "package.json"));

/**
 * Dawn's GPU object; undefined where the package is not installed. Use it in a child process only: ending a
 * thread with pending GPU work ends Node with it.
 */
export async function loadNodeGpu(enginesDir: string): Promise<GPU | undefined> {
  if (!hasWebGpuPackage(enginesDir)) return undefined;
  const entry = createRequire(join(enginesDir, "package.json")).resolve(webGpuPackage.name);
  const { create } = (await import(pathToFileURL(entry).href)) as { create(options: string[]): GPU };
  alive ??= create([]);
  return alive;
}

/**
 * Held for the life of the process: once Dawn's GPU object is collected, every later call on its devices crashes
 * Node (webgpu 0.6.2).
 */
let alive: GPU | undefined;
