/** Bundles what people submit with: the CLI as dist/queztl.mjs for plain Node, the SDK as dist/queztl-sdk.mjs for Node and browsers. */
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

await mkdir(`${root}dist`, { recursive: true });
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
  outfile: "dist/queztl.mjs",
  platform: "node",
  target: "node20",
  banner: { js: `#!/usr/bin/env node\n// Queztl ${version}. Node 20 or newer: node queztl.mjs --help` },
});
await build({
  ...common,
  entryPoints: ["client/sdk/index.ts"],
  outfile: "dist/queztl-sdk.mjs",
  platform: "neutral",
  target: "es2022",
  banner: {
    js: `// Queztl SDK ${version}, for Node 20 or newer and browsers: import { connect } from "./queztl-sdk.mjs"`,
  },
});
