/**
 * Bundles the process that compiles and tries researchers' code into one file that plain Node runs: dist/workshop.mjs.
 * The compilers stay packages; run through tsx, which rewrites all that is loaded, they would take seconds to start.
 */
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));

await mkdir(`${root}dist`, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ["server/custom/workshop.ts"],
  outfile: "dist/workshop.mjs",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  external: ["assemblyscript/asc", "binaryen"],
  logLevel: "warning",
});
