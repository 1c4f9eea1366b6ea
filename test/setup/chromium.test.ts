import { expect, test } from "vitest";
import {
  browserVersion,
  chromiumFlags,
  findChromium,
  type Host,
  installedCandidates,
} from "../../scripts/chromium.mjs";

interface World {
  env?: Record<string, string>;
  platform?: NodeJS.Platform;
  uid?: number | null;
  /** Browsers that run, by path, with what `--version` prints. */
  browsers?: Record<string, string>;
  files?: Record<string, string>;
  folders?: Record<string, string[]>;
  /** What a command makes appear among the browsers. */
  installs?: Record<string, [path: string, version: string]>;
  playwright?: string;
}

function world(given: World): Host & { commands: string[] } {
  const browsers = { ...given.browsers };
  const files = given.files ?? {};
  const commands: string[] = [];
  return {
    commands,
    env: given.env ?? {},
    platform: given.platform ?? "linux",
    uid: given.uid ?? 1000,
    exists: (path) => path in browsers || path in files,
    head: (path) => files[path] ?? "\x7fELF",
    list: (path) => given.folders?.[path] ?? [],
    run: async (program, args) => {
      if (args[0] === "--version") {
        const output = browsers[program];
        return output === undefined ? { code: 1, output: "" } : { code: 0, output };
      }
      const command = [program === process.execPath ? "node" : program, args.find((arg) => /install|update/.test(arg))];
      commands.push(command.join(" "));
      const installed = given.installs?.[command.join(" ")];
      if (installed) browsers[installed[0]] = installed[1];
      return { code: installed ? 0 : 1, output: "" };
    },
    playwrightPath: async () => given.playwright ?? "/cache/playwright/chrome",
  };
}

const chrome = "Google Chrome 142.0.7444.59";
const debian = { "/etc/os-release": "NAME=Debian\nID=debian\n", "/usr/bin/apt-get": "" };
const ownInstall = { "node install": ["/cache/playwright/chrome", chrome] as [string, string] };
const aptInstall = {
  "apt-get install": ["/usr/bin/chromium", "Chromium 156.0.8078.79 built on Debian"] as [string, string],
};

test("the variable comes first", async () => {
  const host = world({
    env: { QUEZTL_CHROMIUM: "/my/chrome" },
    browsers: { "/my/chrome": chrome, "/usr/bin/chromium": chrome },
  });
  expect(await findChromium({}, host)).toBe("/my/chrome");
});

test("a variable that names no browser is an error, not a hint", async () => {
  const host = world({ env: { QUEZTL_CHROMIUM: "/my/typo" }, browsers: { "/usr/bin/chromium": chrome } });
  await expect(findChromium({ install: true }, host)).rejects.toThrow("QUEZTL_CHROMIUM is /my/typo");
});

test("an installed browser comes before anything is installed", async () => {
  const host = world({
    env: { CI: "true", PATH: "/usr/local/bin:/usr/bin" },
    uid: 0,
    files: debian,
    browsers: { "/usr/local/bin/google-chrome": chrome },
    installs: { ...aptInstall, ...ownInstall },
  });
  expect(await findChromium({ install: true }, host)).toBe("/usr/local/bin/google-chrome");
  expect(host.commands).toEqual([]);
});

test("Debian's package comes next, as root in CI", async () => {
  const host = world({ env: { CI: "true" }, uid: 0, files: debian, installs: { ...aptInstall, ...ownInstall } });
  expect(await findChromium({ install: true }, host)).toBe("/usr/bin/chromium");
  expect(host.commands).toEqual(["apt-get update", "apt-get install"]);
});

test.each([
  ["outside CI", { env: {}, uid: 0, files: debian }],
  ["with CI=false", { env: { CI: "false" }, uid: 0, files: debian }],
  ["without root", { env: { CI: "true" }, uid: 1000, files: debian }],
  [
    "on Ubuntu",
    { env: { CI: "true" }, uid: 0, files: { ...debian, "/etc/os-release": "ID=ubuntu\nID_LIKE=debian\n" } },
  ],
])("%s nothing is installed by apt, and Playwright's own is the last", async (_name, given) => {
  const host = world({ ...given, installs: { ...aptInstall, ...ownInstall } });
  expect(await findChromium({ install: true }, host)).toBe("/cache/playwright/chrome");
  expect(host.commands).toEqual(["node install"]);
});

test("without leave to install, only what is there is taken", async () => {
  const host = world({ env: { CI: "true" }, uid: 0, files: debian, installs: { ...aptInstall, ...ownInstall } });
  await expect(findChromium({}, host)).rejects.toThrow("No Chromium was found");
  expect(host.commands).toEqual([]);
});

test("when all fail, the message names all four", async () => {
  const host = world({ env: { CI: "true" }, uid: 0, files: debian });
  const failure = await findChromium({ install: true }, host).catch((error: Error) => error.message);
  for (const way of [
    "QUEZTL_CHROMIUM",
    "Google Chrome, Microsoft Edge or Chromium",
    "apt-get install chromium",
    "playwright install",
  ]) {
    expect(failure).toContain(way);
  }
});

test("a snap, its stub, and what does not run are no browsers", async () => {
  const host = world({
    browsers: { "/snap/bin/chromium": chrome, "/usr/bin/chromium-browser": chrome, "/usr/bin/chromium": "hello 12.0" },
    files: {
      "/usr/bin/chromium-browser": '#!/bin/sh\nif ! [ -x /snap/bin/chromium ]; then\n echo "snap install chromium"',
      "/usr/bin/google-chrome": "",
    },
  });
  for (const path of [
    "/snap/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/chromium",
    "/usr/bin/google-chrome",
  ]) {
    expect([path, await browserVersion(path, host)]).toEqual([path, null]);
  }
});

test("Debian's wrapper, a script too, is one", async () => {
  const host = world({
    browsers: {
      "/usr/bin/chromium": "/usr/bin/chromium: 9: [: unexpected operator\nChromium 156.0.8078.79 built on Debian",
    },
    files: { "/usr/bin/chromium": "#!/bin/sh\n# Chromium launcher\n" },
  });
  expect(await browserVersion("/usr/bin/chromium", host)).toBe("156.0.8078.79");
});

test("macOS and Windows have places of their own; on Windows no window is opened to ask the version", async () => {
  const mac = world({ platform: "darwin", env: { HOME: "/Users/a" } });
  expect(installedCandidates(mac)).toContain("/Users/a/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
  const folder = "C:\\Program Files\\Google\\Chrome\\Application";
  const windows = world({
    platform: "win32",
    env: { PROGRAMFILES: "C:\\Program Files" },
    files: { [`${folder}\\chrome.exe`]: "MZ" },
    folders: { [folder]: ["chrome.exe", "142.0.7444.59"] },
  });
  expect(await findChromium({}, windows)).toBe(`${folder}\\chrome.exe`);
});

test("WebGPU is switched on by one flag, and only then", () => {
  expect(chromiumFlags({ gpu: true })).toContain("--enable-unsafe-webgpu");
  expect(chromiumFlags().filter((flag) => /gpu/i.test(flag))).toEqual([]);
});
