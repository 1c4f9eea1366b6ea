/** What the doctor asks of the machine; tests give their own. */
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname, join, resolve } from "node:path";
import { findChromium } from "../../chromium.mjs";
import { run } from "../child.mjs";
import { driverKey, driverOutputs, driverPackage } from "../driver.mjs";
import { packagesMatch } from "../packages.mjs";
import { npmCli, root } from "../paths.mjs";
import { isDone } from "../stamp.mjs";

/**
 * @typedef {object} Host
 * @property {string} nodeVersion as "v22.12.0"
 * @property {NodeJS.Platform} platform
 * @property {NodeJS.ProcessEnv} env
 * @property {string} root the repository
 * @property {string} dataDir
 * @property {() => number} now
 * @property {() => string | null} npm path of npm's own JavaScript
 * @property {() => boolean} packagesInstalled
 * @property {() => { needsBinary: boolean, ready: boolean }} driver whether its package brings no binary along, and whether it is prepared
 * @property {(program: string, args: string[], options?: { env?: NodeJS.ProcessEnv, timeoutMs?: number }) => Promise<{ code: number, output: string, missing: boolean, timedOut: boolean }>} run
 * @property {(path: string) => boolean} exists
 * @property {(path: string) => string | null} read null when it cannot be read
 * @property {(path: string) => { mode: number, mtimeMs: number } | null} stat
 * @property {(path: string) => boolean} writable of the nearest folder that exists, at or above the path
 * @property {(path: string) => number | null} freeBytes
 * @property {() => string[]} addresses IPv4, of networks
 * @property {(port: number) => Promise<string | null>} listen null when the port is free, or the error's code
 * @property {(port: number) => Promise<string | null>} queztlAt version of the coordinator that answers there, or null
 * @property {() => Promise<string>} chromium its path; throws with the ways to one
 */

/** @param {string} path */
function nearest(path) {
  let folder = resolve(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** @template T @param {() => T} ask @returns {T | null} */
function orNull(ask) {
  try {
    return ask();
  } catch {
    return null;
  }
}

/** @returns {Host} */
export function thisHost() {
  return {
    nodeVersion: process.version,
    platform: process.platform,
    env: process.env,
    root,
    dataDir: resolve(root, process.env.QUEZTL_DATA ?? "data"),
    now: Date.now,
    npm: () => npmCli(),
    packagesInstalled: () => packagesMatch(),
    driver: () => ({
      needsBinary: driverPackage() !== "better-sqlite3",
      ready: orNull(() => isDone("driver", driverKey(), driverOutputs())) === true,
    }),
    run: (program, args, options) => run(program, args, { timeoutMs: 15_000, ...options }),
    exists: existsSync,
    read: (path) => orNull(() => readFileSync(path, "utf8")),
    stat: (path) => orNull(() => statSync(path)),
    writable: (path) => orNull(() => accessSync(nearest(path), constants.W_OK)) !== null,
    freeBytes: (path) =>
      orNull(() => {
        const { bavail, bsize } = statfsSync(nearest(path));
        return bavail * bsize;
      }),
    addresses: () =>
      Object.values(networkInterfaces())
        .flatMap((addresses) => addresses ?? [])
        .filter(({ family, internal, address }) => family === "IPv4" && !internal && !address.startsWith("169.254."))
        .map(({ address }) => address),
    listen,
    queztlAt,
    chromium: () => findChromium(),
  };
}

/** @param {number} port @returns {Promise<string | null>} */
function listen(port) {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", (/** @type {NodeJS.ErrnoException} */ error) => done(error.code ?? error.message));
    server.listen(port, "0.0.0.0", () => server.close(() => done(null)));
  });
}

/** @param {number} port @returns {Promise<string | null>} */
async function queztlAt(port) {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/health`, { signal: AbortSignal.timeout(2_000) });
    const { version } = await response.json();
    return typeof version === "string" ? version : null;
  } catch {
    return null;
  }
}

/** Where the native worker installs engines: of this machine's own worker, or of one started here. @param {Host} host */
export const engineFolders = (host) => [
  ...(host.env.QUEZTL_ENGINES_DIR ? [host.env.QUEZTL_ENGINES_DIR] : []),
  join(host.dataDir, "worker", "engines"),
  join(host.root, ".queztl-worker", "engines"),
  host.root,
];
