/**
 * Bundles what people submit with: the command line as queztl.mjs for plain Node, the SDK as queztl-sdk.mjs for Node and
 * browsers; into dist, or into the folder that is named.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

const folder = resolve(root, process.argv[2] ?? "dist");

await mkdir(folder, { recursive: true });
/** @type {import("esbuild").BuildOptions} */
const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  define: { __QUEZTL_VERSION__: JSON.stringify(version) },
  logLevel: "warning",
};
await build({
  ...common,
  entryPoints: ["client/cli/main.ts"],
  outfile: join(folder, "queztl.mjs"),
  platform: "node",
  target: "node20",
  banner: { js: `#!/usr/bin/env node\n// Queztl ${version}. Node 20 or newer: node queztl.mjs --help` },
});
await build({
  ...common,
  entryPoints: ["client/sdk/index.ts"],
  outfile: join(folder, "queztl-sdk.mjs"),
  platform: "neutral",
  target: "es2022",
  banner: {
    js: `// Queztl SDK ${version}, for Node 20 or newer and browsers: import { connect } from "./queztl-sdk.mjs"`,
  },
});
