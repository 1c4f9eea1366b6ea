/** Bundles the native worker into one file that plain Node runs: dist/worker.mjs. */
import { mkdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../", import.meta.url));
const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8"));

await mkdir(`${root}dist`, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ["native-worker/main.ts"],
  outfile: "dist/worker.mjs",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  // Optional native speed-ups of these packages are left out: the pure JavaScript paths are used.
  external: ["bufferutil", "utf-8-validate", "msgpackr-extract", "webgpu"],
  banner: {
    js: `// Queztl native worker ${version}. Node 20.19 or newer: node worker.mjs --help\nimport { createRequire as queztlRequire } from "node:module"; const require = queztlRequire(import.meta.url);`,
  },
  define: {
    __QUEZTL_VERSION__: JSON.stringify(version),
    "process.env.WS_NO_BUFFER_UTIL": '"1"',
    "process.env.WS_NO_UTF_8_VALIDATE": '"1"',
    "process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED": '"true"',
  },
  logLevel: "warning",
});
