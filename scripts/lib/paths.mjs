/** Where things lie in the repository. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** What set-up remembers: its lock and its stamps. Ignored by git, and safe to delete. */
export const cache = join(root, ".cache");

/**
 * The file of a package's command, to be run by `node` itself: the shims in node_modules/.bin are shell scripts on
 * Windows, and a shell is what these scripts do without.
 * @param {string} path below node_modules, e.g. "tsx/dist/cli.mjs"
 */
export const tool = (path) => join(root, "node_modules", ...path.split("/"));

/**
 * npm's own JavaScript, so that it too runs without a shell. `npm run` names it; without npm it is looked up beside Node.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} execPath
 * @returns {string | null}
 */
export function npmCli(env = process.env, execPath = process.execPath) {
  // Yarn and pnpm set the same variable to themselves; they cannot read package-lock.json.
  const named = env.npm_execpath;
  const candidates = [
    named && /npm-cli\.c?js$/.test(named) ? named : "",
    join(dirname(execPath), "node_modules", "npm", "bin", "npm-cli.js"),
    join(dirname(execPath), "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    join("/usr/share", "nodejs", "npm", "bin", "npm-cli.js"),
  ];
  return candidates.find((path) => path !== "" && existsSync(path)) ?? null;
}
