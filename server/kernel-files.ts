import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { Blobs } from "./blobs/blobs.ts";
import type { Catalog } from "./catalog.ts";

/** File name extension of a kernel file by its role. */
export const kernelExtension = (role: string): string => (role === "wgsl" ? ".wgsl" : ".wasm");

/**
 * Puts the build's kernels among the blobs, where they stay: a job pins the hash of its kernels, and they
 * are served until it is sealed, also when the next build has others. Throws when a file is not what its name says.
 */
export async function storeKernels(catalog: Catalog, kernelsDir: string, blobs: Blobs): Promise<void> {
  for (const { files } of catalog.values()) {
    for (const [role, { sha256 }] of Object.entries(files)) {
      if (await blobs.has(sha256)) continue;
      const file = join(kernelsDir, `${sha256}${kernelExtension(role)}`);
      const stored = await blobs.put(await readFile(file));
      if (stored !== sha256)
        throw new Error(`${file} is not what its name says (${extname(file)}): run "npm run build".`);
    }
  }
}
