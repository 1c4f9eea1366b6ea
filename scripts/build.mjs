/** `npm run build`: kernels, the bundles and the pages, as far as they changed; `--force` builds all anew. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cache } from "./lib/paths.mjs";
import { setup } from "./setup.mjs";

const BUILDS = ["kernels", "workshop", "worker", "cli", "sdk-types", "pages"];

/** @param {string[]} args */
export async function main(args) {
  if (args.includes("--force")) {
    for (const name of BUILDS) await rm(join(cache, "setup", `${name}.json`), { force: true });
  }
  await setup();
  console.log("Built: dist/kernels, dist/worker.mjs, dist/queztl.mjs, dist/queztl-sdk.mjs, dist/client.");
  return 0;
}
