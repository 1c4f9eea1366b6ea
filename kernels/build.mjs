/**
 * Builds every workload's kernels into `dist/kernels`: two WebAssembly files (with and without SIMD, told apart in the
 * source by `ASC_FEATURE_SIMD`) and the shader, each named by its SHA-256, and `manifest.json`, which names them by role.
 *
 *   node kernels/build.mjs [workload ...]      all of them, or the ones named
 *
 * What was built from the same sources by the same compiler is not built again. Files of earlier builds stay: jobs
 * that pin them may still be open. A kernel that does not compile leaves the manifest without its workload, and the
 * exit status is 1.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {Record<string, { sha256: string, bytes: number }>} Files
 * @typedef {{ kernel: string, files: Files }} Entry
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const out = join(root, "dist/kernels");
const workloadsFolder = join(root, "kernels/workloads");
const assemblyFolder = join(root, "kernels/assembly");
const manifestFile = join(out, "manifest.json");
/** What each workload was built from. */
const sourcesFile = join(out, "sources.json");
const SHARED_FLAGS = ["-O3", "--noAssert", "--runtime", "stub"];
/** @type {Record<string, string[]>} */
const BUILDS = { "wasm-simd": ["--enable", "simd"], "wasm-scalar": ["--disable", "simd"] };

/** @param {...(string | Uint8Array)} parts */
function sha256(...parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** @param {string} file */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // Missing, or cut off by a crash: everything is built again.
    return {};
  }
}

/** Whole or not at all: builds may run side by side. @param {string} file @param {string | Uint8Array} content */
function writeWhole(file, content) {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  writeFileSync(draft, content);
  renameSync(draft, file);
}

/** @param {string} folder @param {(name: string) => boolean} wanted */
function hashOfFolder(folder, wanted) {
  const names = readdirSync(folder).filter(wanted).sort();
  return sha256(...names.flatMap((name) => [`${name}\0`, sha256(readFileSync(join(folder, name)))]));
}

/** Hash of all that every kernel depends on: this script, the compiler, the shared sources. */
function hashOfTools() {
  const compiler = JSON.parse(readFileSync(join(root, "node_modules/assemblyscript/package.json"), "utf8")).version;
  return sha256(
    readFileSync(fileURLToPath(import.meta.url)),
    compiler,
    hashOfFolder(assemblyFolder, (name) => name.endsWith(".ts")),
  );
}

/** @param {string} entry path of the source, relative to the root @param {string[]} flags @returns {Promise<Uint8Array>} */
async function compile(entry, flags) {
  const { default: asc } = await import("assemblyscript/asc");
  /** @type {Uint8Array | undefined} */
  let binary;
  const { error, stderr } = await asc.main([entry, ...SHARED_FLAGS, ...flags, "--outFile", "kernel.wasm"], {
    readFile: (/** @type {string} */ name, /** @type {string} */ base) => {
      const path = join(base, name);
      return existsSync(path) ? readFileSync(path, "utf8") : null;
    },
    writeFile: (/** @type {string} */ _name, /** @type {Uint8Array | string} */ content) => {
      if (typeof content !== "string") binary = content;
    },
    listFiles: () => [],
  });
  const messages = stderr.toString();
  if (error || !binary) throw new Error(`${entry} does not compile (${flags.join(" ")}):\n${messages || error}`);
  return binary;
}

/** @param {Files} files @param {string} role @param {Uint8Array} content */
function keep(files, role, content) {
  const hash = sha256(content);
  files[role] = { sha256: hash, bytes: content.length };
  const file = fileOf(role, hash);
  if (!existsSync(file)) writeWhole(file, content);
}

/** @param {string} role @param {string} hash */
const fileOf = (role, hash) => join(out, `${hash}.${role.startsWith("wasm") ? "wasm" : role}`);

/** @param {string} type @returns {Promise<Entry>} */
async function build(type) {
  /** @type {Files} */
  const files = {};
  for (const [role, flags] of Object.entries(BUILDS))
    keep(files, role, await compile(`kernels/workloads/${type}/kernel.as.ts`, flags));
  const shader = join(workloadsFolder, type, "kernel.wgsl");
  if (existsSync(shader)) keep(files, "wgsl", readFileSync(shader));
  const sorted = Object.fromEntries(
    Object.keys(files)
      .sort()
      .map((role) => [role, files[role]]),
  );
  return { kernel: sha256(JSON.stringify(sorted)), files: /** @type {Files} */ (sorted) };
}

/** @param {Entry | undefined} entry */
const complete = (entry) =>
  entry !== undefined &&
  Object.entries(entry.files).every(([role, { sha256: hash }]) => existsSync(fileOf(role, hash)));

/** @param {string[]} only @returns {Promise<string[]>} what went wrong, a text for each workload */
async function buildAll(only) {
  mkdirSync(out, { recursive: true });
  const tools = hashOfTools();
  const types = readdirSync(workloadsFolder).filter((type) => existsSync(join(workloadsFolder, type, "kernel.as.ts")));
  const unknown = only.filter((type) => !types.includes(type));
  if (unknown.length > 0) return [`No kernel.as.ts in kernels/workloads for: ${unknown.join(", ")}`];
  const problems = [];
  for (const type of only.length > 0 ? only : types) {
    const source = (/** @type {string} */ name) => name.endsWith(".as.ts") || name === "kernel.wgsl";
    const key = sha256(tools, hashOfFolder(join(workloadsFolder, type), source));
    if (readJson(sourcesFile)[type] === key && complete(readJson(manifestFile)[type])) continue;
    try {
      const started = performance.now();
      record(type, key, await build(type), types);
      console.log(`${type}: built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    } catch (error) {
      record(type, undefined, undefined, types);
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  return problems;
}

/**
 * Notes what was built, or that nothing was; drops workloads that are no more.
 * @param {string} type @param {string | undefined} key @param {Entry | undefined} entry @param {string[]} types
 */
function record(type, key, entry, types) {
  for (const [file, value] of /** @type {const} */ ([
    [manifestFile, entry],
    [sourcesFile, key],
  ])) {
    const all = { ...readJson(file), [type]: value };
    const known = Object.entries(all).filter(([name]) => types.includes(name));
    writeWhole(file, `${JSON.stringify(Object.fromEntries(known.sort()), null, 2)}\n`);
  }
}

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));
const problems = await buildAll(process.argv.slice(2));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
