/**
 * The SQLite driver. better-sqlite3 13 brings its binaries along and needs nothing, but crashes on Node 20; there the
 * aliased 12 is used, whose binary is downloaded from its project's releases or, failing that, compiled here.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./child.mjs";
import { npmCli, root, tool } from "./paths.mjs";
import { explain } from "./remedy.mjs";

const DOWNLOAD_TIMEOUT_MS = 60_000;
const COMPILE_TIMEOUT_MS = 15 * 60_000;
const OPEN_TIMEOUT_MS = 30_000;

/** The package that this Node's driver comes from. The coordinator's store chooses in the same way. */
export const driverPackage = (version = process.versions.node) =>
  Number.parseInt(version, 10) < 22 ? "better-sqlite3-node20" : "better-sqlite3";

/** What the driver's stamp depends on: the binary fits one ABI on one platform. */
export function driverKey() {
  const name = driverPackage();
  const { version } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
  return [name, version, process.versions.modules, process.platform, process.arch].join(" ");
}

/** Where a compiled or downloaded binary lies; the bundled ones of version 13 lie in its prebuilds. */
export const driverOutputs = () =>
  driverPackage() === "better-sqlite3" ? [] : [`node_modules/${driverPackage()}/build/Release/better_sqlite3.node`];

/** Opens a database in a child process, because a binary that does not fit may crash instead of throwing. */
async function opens() {
  const code = `const D=require(${JSON.stringify(driverPackage())});const d=new D(":memory:");
    if(d.prepare("select 40+2 as n").get().n!==42)process.exit(3);d.close()`;
  return run(process.execPath, ["-e", code], { timeoutMs: OPEN_TIMEOUT_MS });
}

/**
 * The folder with include/node of this very version, when it was installed along: node-gyp then needs no network.
 * @param {string} [execPath]
 * @param {string} [version]
 */
export function localHeaders(execPath = process.execPath, version = process.versions.node) {
  const folder = dirname(dirname(execPath));
  const header = join(folder, "include", "node", "node_version.h");
  if (!existsSync(header)) return null;
  const text = readFileSync(header, "utf8");
  const part = (/** @type {string} */ name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(text)?.[1];
  return [part("MAJOR"), part("MINOR"), part("PATCH")].join(".") === version ? folder : null;
}

/** @param {(text: string) => void} [onOutput] */
async function compile(onOutput) {
  const npm = npmCli();
  const gyp = npm ? join(dirname(npm), "..", "node_modules", "node-gyp", "bin", "node-gyp.js") : "";
  if (!existsSync(gyp)) {
    throw explain(
      "Building the SQLite driver",
      "",
      "node-gyp, which comes with npm, was not found. Remedy: use Node 22 or newer, which needs no compiler, or install npm again",
    );
  }
  const args = [gyp, "rebuild", "--release", "-j", "max"];
  const chosen = process.env.npm_package_config_node_gyp_nodedir ?? process.env.npm_config_nodedir;
  const headers = chosen ?? localHeaders();
  if (headers) args.push(`--nodedir=${headers}`);
  const cwd = join(root, "node_modules", driverPackage());
  const done = await run(process.execPath, args, { cwd, onOutput, timeoutMs: COMPILE_TIMEOUT_MS });
  if (done.code !== 0) throw explain("Building the SQLite driver", done.output);
}

/**
 * Makes the driver work, by the cheapest way that does.
 * @param {(text: string) => void} [onOutput]
 */
export async function prepareDriver(onOutput) {
  let opened = await opens();
  if (opened.code !== 0 && driverPackage() !== "better-sqlite3") {
    const cwd = join(root, "node_modules", driverPackage());
    const fetch = [tool("prebuild-install/bin.js")];
    const fetched = await run(process.execPath, fetch, { cwd, onOutput, timeoutMs: DOWNLOAD_TIMEOUT_MS });
    opened = fetched.code === 0 ? await opens() : opened;
    if (opened.code !== 0) {
      await compile(onOutput);
      opened = await opens();
    }
  }
  if (opened.code !== 0) {
    throw explain(
      "Opening a database",
      opened.output,
      `the SQLite driver does not work on Node ${process.versions.node} (${process.platform} ${process.arch}). Remedy: delete node_modules and start again; if it stays, use the current LTS version of Node`,
    );
  }
}
