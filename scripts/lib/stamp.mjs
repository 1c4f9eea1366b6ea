/**
 * Whether a build step may be skipped: a stamp remembers the hash of everything the step read and a list of what it
 * wrote. A changed input, another version of a tool, or a missing output makes it run again.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { cache, root } from "./paths.mjs";

/** Folders that no step reads. */
const SKIPPED = new Set(["node_modules", "dist", ".git", ".cache", ".tsbuild", "data", "test-results"]);
const TEST_FILE = /\.test\.ts$/;

/**
 * Every file below the paths, as sorted slash-separated paths relative to `base`.
 * @param {string[]} paths files or folders
 * @param {string} base
 * @returns {string[]}
 */
export function filesBelow(paths, base = root) {
  /** @type {string[]} */
  const found = [];
  const visit = (/** @type {string} */ path) => {
    if (!existsSync(path)) return;
    if (!statSync(path).isDirectory()) {
      found.push(relative(base, path).split(sep).join("/"));
      return;
    }
    for (const name of readdirSync(path)) if (!SKIPPED.has(name)) visit(join(path, name));
  };
  for (const path of paths) visit(join(base, path));
  return found.sort();
}

/**
 * SHA-256 over the names and bytes of all input files but tests.
 * @param {string[]} inputs files or folders
 * @param {string} [extra] what else the result depends on
 * @param {string} [base]
 */
export function hashInputs(inputs, extra = "", base = root) {
  const hash = createHash("sha256").update(extra);
  for (const path of filesBelow(inputs, base)) {
    if (TEST_FILE.test(path)) continue;
    hash.update(`\0${path}\0`).update(
      createHash("sha256")
        .update(readFileSync(join(base, path)))
        .digest(),
    );
  }
  return hash.digest("hex");
}

/**
 * Names and sizes of what a step wrote.
 * @param {string[]} outputs files or folders, relative to `base`
 * @param {string} [base]
 * @returns {string[]}
 */
export function listOutputs(outputs, base = root) {
  /** @type {string[]} */
  const found = [];
  const visit = (/** @type {string} */ path) => {
    if (!existsSync(path)) return;
    const info = statSync(path);
    if (info.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
    else found.push(`${relative(base, path).split(sep).join("/")} ${info.size}`);
  };
  for (const path of outputs) visit(join(base, path));
  return found;
}

/** @param {string} name @param {string} folder */
const stampPath = (name, folder) => join(folder, `${name}.json`);

/**
 * True when the step's stamp has this hash and its outputs lie where they lay.
 * @param {string} name
 * @param {string} hash
 * @param {string[]} outputs
 * @param {{ base?: string, folder?: string }} [where]
 */
export function isDone(name, hash, outputs, { base = root, folder = join(cache, "setup") } = {}) {
  try {
    const stamp = JSON.parse(readFileSync(stampPath(name, folder), "utf8"));
    return stamp.hash === hash && stamp.outputs.join("\n") === listOutputs(outputs, base).join("\n");
  } catch {
    return false;
  }
}

/**
 * Remembers that the step is done. Written beside and renamed, so that a kill leaves the old stamp or the new one.
 * @param {string} name
 * @param {string} hash
 * @param {string[]} outputs
 * @param {{ base?: string, folder?: string }} [where]
 */
export function markDone(name, hash, outputs, { base = root, folder = join(cache, "setup") } = {}) {
  mkdirSync(folder, { recursive: true });
  const path = stampPath(name, folder);
  writeFileSync(`${path}.new`, JSON.stringify({ hash, outputs: listOutputs(outputs, base) }));
  renameSync(`${path}.new`, path);
}
