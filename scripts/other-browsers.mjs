/**
 * Finds the browsers that Playwright does not drive, for end-to-end tests: a stock Firefox, and WebKitGTK with the driver
 * and the virtual screen that its window needs.
 *
 * In this order: a variable of the environment, an installed one, Debian's packages (installed by apt as root in CI).
 * Unlike Chromium these may be missing: tests of them are skipped then, and print what to install.
 */
import { existsSync, readFileSync } from "node:fs";
import { run } from "./lib/child.mjs";
import { Explained } from "./lib/remedy.mjs";

const VERSION_TIMEOUT_MS = 15_000;
const INSTALL_TIMEOUT_MS = 5 * 60_000;

/**
 * What the search asks of the machine; tests give their own.
 * @typedef {object} Host
 * @property {NodeJS.ProcessEnv} env
 * @property {NodeJS.Platform} platform
 * @property {number | null} uid
 * @property {(path: string) => boolean} exists
 * @property {(path: string) => string} head the first characters of a file, "" when unreadable
 * @property {(program: string, args: string[], options: { timeoutMs: number, env?: NodeJS.ProcessEnv }) => Promise<{ code: number, output: string }>} run
 */

/** @typedef {{ driver: string, xvfb: string }} WebKit */
/** @typedef {{ firefox: string | null, webkit: WebKit | null, missing: string[] }} Found `missing`: what to install, in words */

/** @type {Host} */
const machine = {
  env: process.env,
  platform: process.platform,
  uid: process.getuid?.() ?? null,
  exists: existsSync,
  head: (path) => {
    try {
      return readFileSync(path).subarray(0, 4096).toString("latin1");
    } catch {
      return "";
    }
  },
  run,
};

const FIREFOX_NAMES = ["firefox-esr", "firefox"];
const MAC_FIREFOX = "/Applications/Firefox.app/Contents/MacOS/firefox";
const PACKAGES = { firefox: ["firefox-esr"], webkit: ["webkit2gtk-driver", "xvfb"] };

/** Paths where a program may lie. @param {string[]} names @param {Host} host */
function placesOf(names, { env, platform }) {
  if (platform === "win32") return [];
  const folders = [...(env.PATH ?? "").split(":").filter((folder) => folder !== ""), "/usr/bin"];
  return [...new Set(names.flatMap((name) => folders.map((folder) => `${folder}/${name}`)))];
}

/**
 * Whether this is a Firefox that runs. Ubuntu's `firefox` is a script that asks for the snap, which cannot read the
 * temporary profiles that tests use, so neither counts.
 * @param {string} path
 * @param {Host} host
 */
async function isFirefox(path, host) {
  if (!host.exists(path)) return false;
  if (path.startsWith("/snap/") || /^#!.*[\s\S]*(?:\/snap\/|snap install)/.test(host.head(path))) return false;
  const { code, output } = await host.run(path, ["--version"], { timeoutMs: VERSION_TIMEOUT_MS });
  return code === 0 && /Mozilla Firefox \d+/.test(output);
}

/** @param {Host} host @returns {Promise<string | null>} */
async function installedFirefox(host) {
  const named = host.env.QUEZTL_FIREFOX;
  if (named) {
    if (await isFirefox(named, host)) return named;
    throw new Explained(`QUEZTL_FIREFOX is ${named}, which is no Firefox that runs. Correct it, or unset it.`);
  }
  const places = placesOf(FIREFOX_NAMES, host);
  for (const path of host.platform === "darwin" ? [MAC_FIREFOX, ...places] : places)
    if (await isFirefox(path, host)) return path;
  return null;
}

/** @param {Host} host @returns {WebKit | null} */
function installedWebKit(host) {
  const named = host.env.QUEZTL_WEBKIT_DRIVER;
  if (named && !host.exists(named))
    throw new Explained(`QUEZTL_WEBKIT_DRIVER is ${named}, where nothing lies. Correct it, or unset it.`);
  const driver = named || placesOf(["WebKitWebDriver"], host).find(host.exists);
  const xvfb = placesOf(["Xvfb"], host).find(host.exists);
  return driver !== undefined && xvfb !== undefined ? { driver, xvfb } : null;
}

/** @param {string[][]} wanted packages of each browser: one that cannot be had does not stop the other @param {Host} host */
async function installByApt(wanted, host) {
  const debian = /^ID=debian$/m.test(host.head("/etc/os-release")) && host.exists("/usr/bin/apt-get");
  const inCi = host.env.CI !== undefined && host.env.CI !== "" && host.env.CI !== "false";
  if (!debian || !inCi || host.uid !== 0) return;
  const options = { timeoutMs: INSTALL_TIMEOUT_MS, env: { ...host.env, DEBIAN_FRONTEND: "noninteractive" } };
  await host.run("apt-get", ["update"], options);
  for (const packages of wanted)
    await host.run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], options);
}

/**
 * The paths of these browsers, and for each that is not there what to install. With `install` they are, by apt as root
 * in CI.
 * @param {{ install?: boolean }} [options]
 * @param {Host} [host]
 * @returns {Promise<Found>}
 */
export async function findOtherBrowsers({ install = false } = {}, host = machine) {
  let firefox = await installedFirefox(host);
  let webkit = installedWebKit(host);
  if (install && (firefox === null || webkit === null)) {
    await installByApt([...(firefox ? [] : [PACKAGES.firefox]), ...(webkit ? [] : [PACKAGES.webkit])], host);
    firefox ??= await installedFirefox(host);
    webkit ??= installedWebKit(host);
  }
  const missing = [];
  if (firefox === null) {
    missing.push(
      "No Firefox was found: tests in it are skipped. Install it (on Debian `apt-get install firefox-esr`; a snap does not do), or set QUEZTL_FIREFOX=/path/to/firefox.",
    );
  }
  if (webkit === null) {
    missing.push(
      "No WebKitGTK was found: tests in it are skipped. Install its driver and Xvfb (on Debian `apt-get install webkit2gtk-driver xvfb`), or set QUEZTL_WEBKIT_DRIVER=/path/to/WebKitWebDriver.",
    );
  }
  return { firefox, webkit, missing };
}
