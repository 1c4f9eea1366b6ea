/**
 * Finds a Chromium for tests and screenshots, and launches it.
 *
 * In this order: QUEZTL_CHROMIUM, an installed Chrome, Edge or Chromium, Debian's package (installed by apt as root in
 * CI), Playwright's own. When none is there, the error names all four.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { win32 } from "node:path";
import { run } from "./lib/child.mjs";
import { tool } from "./lib/paths.mjs";
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
 * @property {(path: string) => string[]} list names in a folder, [] when unreadable
 * @property {(program: string, args: string[], options: { timeoutMs: number, env?: NodeJS.ProcessEnv }) => Promise<{ code: number, output: string }>} run
 * @property {() => Promise<string>} playwrightPath where Playwright's own browser lies or would lie
 */

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
  list: (path) => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
  run,
  playwrightPath: async () => (await import("playwright")).chromium.executablePath(),
};

const LINUX_NAMES = [
  "google-chrome-stable",
  "google-chrome",
  "chromium",
  "chromium-browser",
  "microsoft-edge-stable",
  "microsoft-edge",
];
const MAC_APPS = ["Google Chrome", "Chromium", "Microsoft Edge"];
const WINDOWS_PROGRAMS = [
  "Google\\Chrome\\Application\\chrome.exe",
  "Microsoft\\Edge\\Application\\msedge.exe",
  "Chromium\\Application\\chrome.exe",
];

/**
 * Where an installed browser may lie, most wanted first.
 * @param {Host} host
 * @returns {string[]}
 */
export function installedCandidates({ env, platform }) {
  if (platform === "win32") {
    const bases = [env.PROGRAMFILES, env["PROGRAMFILES(X86)"], env.LOCALAPPDATA].filter((base) => base !== undefined);
    return WINDOWS_PROGRAMS.flatMap((program) => bases.map((base) => win32.join(base, program)));
  }
  const onPath = (env.PATH ?? "").split(":").filter((folder) => folder !== "");
  const named = LINUX_NAMES.flatMap((name) => onPath.map((folder) => `${folder}/${name}`));
  if (platform === "darwin") {
    const bases = ["/Applications", ...(env.HOME ? [`${env.HOME}/Applications`] : [])];
    return [...MAC_APPS.flatMap((app) => bases.map((base) => `${base}/${app}.app/Contents/MacOS/${app}`)), ...named];
  }
  const usual = LINUX_NAMES.map((name) => `/usr/bin/${name}`);
  return [...new Set([...named, ...usual, "/opt/google/chrome/chrome", "/usr/lib/chromium/chromium"])];
}

/**
 * The version that a browser tells, or null when it is none or does not run. Ubuntu's `chromium-browser` is a script
 * that asks for the snap; the snap itself cannot read the temporary profiles that tests use, so neither counts.
 * @param {string} path
 * @param {Host} host
 * @returns {Promise<string | null>}
 */
export async function browserVersion(path, host) {
  if (!host.exists(path)) return null;
  if (path.startsWith("/snap/") || /^#!.*[\s\S]*(?:\/snap\/|snap install)/.test(host.head(path))) return null;
  if (host.platform === "win32") {
    // `chrome.exe --version` opens a window there; the folder of the version lies beside the program instead.
    return host.list(win32.dirname(path)).find((name) => /^\d+(\.\d+){3}$/.test(name)) ?? null;
  }
  const { code, output } = await host.run(path, ["--version"], { timeoutMs: VERSION_TIMEOUT_MS });
  return code === 0 ? (/(?:Chrom|Edge)\D*(\d+(?:\.\d+)+)/.exec(output)?.[1] ?? null) : null;
}

/** @param {Host} host */
async function installedBrowser(host) {
  for (const path of installedCandidates(host)) if ((await browserVersion(path, host)) !== null) return path;
  return null;
}

/**
 * Debian's package. Ubuntu's of the same name is the stub, so the distribution is asked first.
 * @param {Host} host
 */
async function debianPackage(host) {
  const debian = /^ID=debian$/m.test(host.head("/etc/os-release")) && host.exists("/usr/bin/apt-get");
  const inCi = host.env.CI !== undefined && host.env.CI !== "" && host.env.CI !== "false";
  if (!debian || !inCi || host.uid !== 0) return null;
  const options = { timeoutMs: INSTALL_TIMEOUT_MS, env: { ...host.env, DEBIAN_FRONTEND: "noninteractive" } };
  await host.run("apt-get", ["update"], options);
  const packages = ["chromium", "fonts-dejavu-core", "fonts-liberation"];
  await host.run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], options);
  return (await browserVersion("/usr/bin/chromium", host)) !== null ? "/usr/bin/chromium" : null;
}

/**
 * @param {Host} host
 * @param {boolean} install
 */
async function playwrightBrowser(host, install) {
  const path = await host.playwrightPath().catch(() => "");
  if (path === "") return null;
  if (!host.exists(path) && install) {
    await host.run(process.execPath, [tool("playwright/cli.js"), "install", "chromium"], {
      timeoutMs: INSTALL_TIMEOUT_MS,
    });
  }
  return host.exists(path) ? path : null;
}

/**
 * The path of a Chromium that runs. With `install`, one may be installed, by apt (as root in CI) or by Playwright.
 * @param {{ install?: boolean }} [options]
 * @param {Host} [host]
 * @returns {Promise<string>}
 */
export async function findChromium({ install = false } = {}, host = machine) {
  const named = host.env.QUEZTL_CHROMIUM;
  if (named) {
    if ((await browserVersion(named, host)) !== null) return named;
    throw new Explained(`QUEZTL_CHROMIUM is ${named}, which is no Chromium that runs. Correct it, or unset it.`);
  }
  const path =
    (await installedBrowser(host)) ??
    (install ? await debianPackage(host) : null) ??
    (await playwrightBrowser(host, install));
  if (path !== null) return path;
  throw new Explained(
    [
      "No Chromium was found, which the browser tests need. Any one of these helps:",
      "  1. QUEZTL_CHROMIUM=/path/to/chrome in the environment;",
      "  2. an installed Google Chrome, Microsoft Edge or Chromium (a snap does not do);",
      "  3. Debian's package: apt-get install chromium (done by itself as root with CI=true);",
      "  4. Playwright's own: npx playwright install chromium",
      "`npm run test:unit` needs no browser.",
    ].join("\n"),
  );
}

/**
 * Command-line flags for tests. Without `gpu`, WebGPU is present but has no adapter, as on a machine without a GPU;
 * with it, a machine without a GPU computes WebGPU in software.
 * @param {{ gpu?: boolean }} [options]
 */
export function chromiumFlags({ gpu = false } = {}) {
  return [
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Chromium's own sandbox refuses to run as root, and needs rights that containers of CI withhold.
    ...(process.platform === "linux" ? ["--no-sandbox"] : []),
    ...(gpu ? ["--enable-unsafe-webgpu"] : []),
  ];
}

/**
 * Launches it through Playwright, headless. Further Playwright options may be given; `args` are added to the flags.
 * @param {{ gpu?: boolean, args?: string[] } & Omit<import("playwright").LaunchOptions, "args">} [options]
 * @returns {Promise<import("playwright").Browser>}
 */
export async function launchChromium({ gpu = false, args = [], ...options } = {}) {
  const { chromium } = await import("playwright");
  const executablePath = options.executablePath ?? (await findChromium());
  return chromium.launch({ headless: true, ...options, executablePath, args: [...chromiumFlags({ gpu }), ...args] });
}
