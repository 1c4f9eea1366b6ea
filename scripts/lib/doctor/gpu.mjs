/** The GPU as the native worker would see it: through the webgpu package where that is installed, by its traces otherwise. */
import { join } from "node:path";
import { care, note, ok } from "./finding.mjs";
import { engineFolders } from "./host.mjs";

/** @typedef {import("./host.mjs").Host} Host */
/** @typedef {import("./finding.mjs").Finding} Finding */

/** Runs in a process of its own: a graphics driver that fails may take its process along. */
const PROBE = `
const { createRequire } = require("node:module");
const { pathToFileURL } = require("node:url");
const entry = createRequire(process.argv[1]).resolve("webgpu");
import(pathToFileURL(entry).href).then(async ({ create }) => {
  globalThis.gpu = create([]);
  const adapter = await globalThis.gpu.requestAdapter({ powerPreference: "high-performance" });
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter ? adapter.info : {};
  console.log("adapter " + JSON.stringify(adapter ? { vendor, architecture, device, description, isFallbackAdapter } : null));
  process.exit(0);
});`;

const NO_ADAPTER =
  "install the graphics driver with its Vulkan part (on Debian `sudo apt install mesa-vulkan-drivers`, for NVIDIA its own driver); on Linux the user needs the group `render`";

/** @param {Host} host @returns {Promise<Finding>} */
export async function gpu(host) {
  const folder = engineFolders(host).find((path) => host.exists(join(path, "node_modules", "webgpu", "package.json")));
  if (folder === undefined) return traces(host);
  const { code, output, timedOut } = await host.run(process.execPath, ["-e", PROBE, join(folder, "package.json")]);
  const line = /^adapter (.+)$/m.exec(output)?.[1];
  if (line === undefined) {
    const how = timedOut ? "did not answer in time" : `ended with ${code}`;
    return care("GPU", `the webgpu package in ${folder} ${how}: ${output.trim().split("\n").at(-1) ?? ""}`, NO_ADAPTER);
  }
  /** @type {{ vendor: string, architecture: string, device: string, description: string, isFallbackAdapter: boolean } | null} */
  const info = JSON.parse(line);
  if (info === null) return note("GPU", "no adapter: nodes here compute on the CPU", NO_ADAPTER);
  const name = info.description || [info.vendor, info.architecture, info.device].filter(Boolean).join(" ");
  const software =
    info.isFallbackAdapter || /llvmpipe|swiftshader|lavapipe|software/i.test(`${name} ${info.architecture}`);
  return software
    ? note("GPU", `${name}: graphics in software, slower than plain WASM and not used`, NO_ADAPTER)
    : ok("GPU", name);
}

/** Without the package nobody can ask WebGPU; the system's own tools still tell. @param {Host} host @returns {Promise<Finding>} */
async function traces(host) {
  const remedy =
    "tabs need nothing more; for the native worker `QUEZTL_MODE=worker npm start -- --with-gpu` installs webgpu (132 MB) after asking";
  const nvidia = await host.run("nvidia-smi", ["--query-gpu=name", "--format=csv,noheader"]);
  const vulkan = nvidia.code === 0 ? nvidia : await host.run("vulkaninfo", ["--summary"]);
  const name =
    nvidia.code === 0 ? nvidia.output.trim().split("\n")[0] : /deviceName\s*=\s*(.+)/.exec(vulkan.output)?.[1];
  if (name) return note("GPU", `${name} is there, but the webgpu package is not installed`, remedy);
  const device = host.platform !== "linux" || host.exists("/dev/dri/renderD128");
  return note("GPU", `${device ? "not asked" : "none seen"}: the webgpu package is not installed`, remedy);
}
