/** Node, npm, the installed packages, the SQLite driver with its compiler, and browsers. */
import { createRequire } from "node:module";
import { care, missing, note, ok } from "./finding.mjs";

/** @typedef {import("./host.mjs").Host} Host */
/** @typedef {import("./finding.mjs").Finding} Finding */

/** @type {{ refusal: (version: string) => string | null }} */
const { refusal } = createRequire(import.meta.url)("../node-version.cjs");

/** @param {Host} host @returns {Finding} */
export function node(host) {
  const refused = refusal(host.nodeVersion);
  if (refused === null) return ok("Node", host.nodeVersion);
  return missing("Node", `${host.nodeVersion} is not supported`, refused);
}

/** @param {Host} host @returns {Promise<Finding>} */
export async function npm(host) {
  const path = host.npm();
  if (path !== null) {
    const { code, output } = await host.run(process.execPath, [path, "--version"]);
    if (code === 0) return ok("npm", output.trim());
  }
  const found = path === null ? "not found" : `${path} does not run`;
  const remedy = "install Node with npm from https://nodejs.org";
  // What is installed needs no npm to run.
  return host.packagesInstalled()
    ? care("npm", `${found}; needed for changes of packages only`, remedy)
    : missing("npm", found, remedy);
}

/** @param {Host} host @returns {Finding} */
export function packages(host) {
  return host.packagesInstalled()
    ? ok("Packages", "as package-lock.json says")
    : note("Packages", "not installed, or of another version", "`npm start` installs them; alone: `npm run setup`");
}

const COMPILERS = process.platform === "darwin" ? ["clang++", "make", "python3"] : ["g++", "make", "python3"];

/** Only Node 20 may need a compiler, and only when the driver's release has no binary for this machine. @param {Host} host @returns {Promise<Finding>} */
export async function compiler(host) {
  const { needsBinary, ready } = host.driver();
  if (!needsBinary) return ok("Compiler", "not needed: the SQLite driver brings its binary along");
  if (ready) return ok("Compiler", "not needed: the SQLite driver is prepared");
  const answers = await Promise.all(COMPILERS.map((name) => host.run(name, ["--version"])));
  const lacking = COMPILERS.filter((_name, index) => answers[index]?.code !== 0);
  if (lacking.length === 0) return ok("Compiler", `${COMPILERS.join(", ")}: enough to build the SQLite driver`);
  return care(
    "Compiler",
    `${lacking.join(" and ")} not found; needed on Node 20 when the SQLite driver's binary cannot be downloaded`,
    "use Node 22 or newer, which needs none; or on Debian `sudo apt install build-essential python3`, on macOS `xcode-select --install`",
  );
}

/** Wrapper scripts of distributions complain before. @param {string} output */
const lastLine = (output) => output.trim().split("\n").at(-1) ?? "";

/** @param {Host} host @returns {Promise<Finding[]>} */
export async function browsers(host) {
  /** @type {Finding[]} */
  const found = [];
  try {
    const path = await host.chromium();
    const { code, output } = await host.run(path, ["--version"]);
    found.push(ok("Browser", code === 0 ? `${lastLine(output)} (${path})` : path));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const [first = "", ...ways] = message.split("\n").map((line) => line.trim());
    found.push(
      care(
        "Browser",
        `${first.split(".")[0]}; only the browser tests need one on this machine`,
        ways.join(" ") || first,
      ),
    );
  }
  for (const name of ["firefox", "firefox-esr"]) {
    const { code, output } = await host.run(name, ["--version"]);
    if (code !== 0) continue;
    found.push(ok("Browser", lastLine(output)));
    // Debian's package answers to both names.
    break;
  }
  return found;
}
