/** Reads what `build.mjs` wrote. Node only. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KernelFiles } from "../protocol/messages.ts";

/** By wire name of the workload: the hash of its kernel set, and its files by role. */
export type KernelManifest = Record<string, { kernel: string; files: KernelFiles }>;

/** Where this repository's build puts its kernels. */
export const builtKernels = fileURLToPath(new URL("../dist/kernels/", import.meta.url));

/** Throws with the remedy where nothing was built. */
export function loadManifest(folder: string = builtKernels): KernelManifest {
  let text: string;
  try {
    text = readFileSync(join(folder, "manifest.json"), "utf8");
  } catch (error) {
    throw new Error(`There are no kernels in ${folder}: run "npm run build".`, { cause: error });
  }
  return JSON.parse(text) as KernelManifest;
}

/** Bytes of a kernel file, which is named by their hash. */
export function readKernelFile(role: string, sha256: string, folder: string = builtKernels): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, `${sha256}.${role === "wgsl" ? "wgsl" : "wasm"}`)));
}
