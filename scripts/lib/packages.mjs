/** Whether node_modules is what package-lock.json says, and the installation that makes it so. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "./child.mjs";
import { npmCli, root } from "./paths.mjs";
import { Explained, explain } from "./remedy.mjs";

/** @typedef {{ version?: string, resolved?: string, optional?: boolean, peer?: boolean, devOptional?: boolean, link?: boolean }} LockEntry */

/** @param {string} path @returns {Record<string, LockEntry> | null} */
function lockPackages(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages ?? null;
  } catch {
    return null;
  }
}

/**
 * True when every package of the lock file is installed in that version. npm writes node_modules/.package-lock.json
 * last, so that an interrupted installation has none. Optional packages (other platforms' binaries) may be absent.
 * @param {string} [folder] the repository
 */
export function packagesMatch(folder = root) {
  const wanted = lockPackages(join(folder, "package-lock.json"));
  const installed = lockPackages(join(folder, "node_modules", ".package-lock.json"));
  if (!wanted || !installed) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === "") return true;
    const present = installed[path];
    if (!present) return entry.optional === true || entry.devOptional === true;
    return present.version === entry.version && existsSync(join(folder, path, "package.json"));
  });
}

/**
 * `npm ci` without any install script: the versions of npm differ in whether they run, warn about or block them, and
 * none is needed but the driver's, which set-up runs by itself.
 * @param {(text: string) => void} [onOutput]
 */
export async function installPackages(onOutput) {
  const npm = npmCli();
  if (!npm) {
    throw new Explained(
      "Installing packages failed: npm was not found. Remedy: start by `npm start`, or install Node with npm from https://nodejs.org.",
    );
  }
  // Without the includes, NODE_ENV=production or `omit` in a user's configuration would leave out the page builder.
  const include = ["--include=dev", "--include=optional", "--include=peer"];
  const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
  const done = await run(process.execPath, [npm, "ci", "--ignore-scripts", ...include, ...quiet], { onOutput });
  if (done.code !== 0) throw explain("Installing packages", done.output);
}
