import { expect, test } from "vitest";
import { findOtherBrowsers, type Host } from "../../scripts/other-browsers.mjs";

interface World {
  env?: Record<string, string>;
  uid?: number;
  platform?: NodeJS.Platform;
  /** Programs, by path, with what `--version` prints. */
  programs?: Record<string, string>;
  files?: Record<string, string>;
  /** What each package brings, by path. */
  packages?: Record<string, Record<string, string>>;
}

function world(given: World): Host & { commands: string[] } {
  const programs = { ...given.programs };
  const files = given.files ?? {};
  const commands: string[] = [];
  return {
    commands,
    env: { PATH: "/usr/local/bin:/usr/bin", ...given.env },
    platform: given.platform ?? "linux",
    uid: given.uid ?? 1000,
    exists: (path) => path in programs || path in files,
    head: (path) => files[path] ?? "\x7fELF",
    run: async (program, args) => {
      if (args[0] === "--version") {
        const output = programs[program];
        return output === undefined ? { code: 1, output: "" } : { code: 0, output };
      }
      const wanted = args.filter((arg) => !arg.startsWith("-"));
      commands.push(`${program} ${wanted.join(" ")}`);
      for (const name of wanted) Object.assign(programs, given.packages?.[name]);
      return { code: 0, output: "" };
    },
  };
}

const firefox = "Mozilla Firefox 153.7.0esr";
const debian = { "/etc/os-release": "NAME=Debian\nID=debian\n", "/usr/bin/apt-get": "" };
const packages = {
  "firefox-esr": { "/usr/bin/firefox-esr": firefox },
  "webkit2gtk-driver": { "/usr/bin/WebKitWebDriver": "" },
  xvfb: { "/usr/bin/Xvfb": "" },
};
const everything = Object.assign({}, ...Object.values(packages)) as Record<string, string>;
const webkit = { driver: "/usr/bin/WebKitWebDriver", xvfb: "/usr/bin/Xvfb" };
const installs = ["apt-get update", "apt-get install firefox-esr", "apt-get install webkit2gtk-driver xvfb"];

test("installed ones are found, and nothing is installed", async () => {
  const host = world({ programs: everything, files: debian, uid: 0, env: { CI: "true" } });
  expect(await findOtherBrowsers({ install: true }, host)).toEqual({
    firefox: "/usr/bin/firefox-esr",
    webkit,
    missing: [],
  });
  expect(host.commands).toEqual([]);
});

test("as root in Debian's CI they are installed, when asked for", async () => {
  const given = { files: debian, uid: 0, env: { CI: "true" }, packages };
  const host = world(given);
  expect(await findOtherBrowsers({ install: true }, host)).toMatchObject({ webkit, missing: [] });
  expect(host.commands).toEqual(installs);
  const unasked = world(given);
  expect((await findOtherBrowsers({}, unasked)).missing).toHaveLength(2);
  expect(unasked.commands).toEqual([]);
});

test.each([
  ["not as root", { uid: 1000, env: { CI: "true" }, files: debian }],
  ["not outside CI", { uid: 0, files: debian }],
  ["not where CI says false", { uid: 0, env: { CI: "false" }, files: debian }],
  [
    "not on Ubuntu",
    { uid: 0, env: { CI: "true" }, files: { ...debian, "/etc/os-release": "ID=ubuntu\nID_LIKE=debian\n" } },
  ],
])("nothing is installed: %s", async (_where, given) => {
  const host = world({ ...given, packages });
  const { missing, ...found } = await findOtherBrowsers({ install: true }, host);
  expect(found).toEqual({ firefox: null, webkit: null });
  expect(missing[0]).toContain("apt-get install firefox-esr");
  expect(missing[1]).toContain("apt-get install webkit2gtk-driver xvfb");
  expect(host.commands).toEqual([]);
});

test("one that cannot be had does not stop the other", async () => {
  const host = world({ files: debian, uid: 0, env: { CI: "1" }, packages: { ...packages, "firefox-esr": {} } });
  const { firefox: path, webkit: programs, missing } = await findOtherBrowsers({ install: true }, host);
  expect([path, programs]).toEqual([null, webkit]);
  expect(missing).toHaveLength(1);
  expect(missing[0]).toContain("QUEZTL_FIREFOX");
});

test("Ubuntu's script for the snap is no Firefox", async () => {
  const stub = { "/usr/bin/firefox": '#!/bin/sh\nexec /snap/bin/firefox "$@"\n' };
  const host = world({ programs: { "/usr/bin/firefox": firefox }, files: stub });
  expect((await findOtherBrowsers({}, host)).firefox).toBeNull();
});

test("a driver without a screen to draw on does not do", async () => {
  const host = world({ programs: { ...everything, "/usr/bin/Xvfb": "" } });
  const without = world({ programs: { "/usr/bin/WebKitWebDriver": "" } });
  expect((await findOtherBrowsers({}, host)).webkit).toEqual(webkit);
  expect((await findOtherBrowsers({}, without)).webkit).toBeNull();
});

test("the variables come first, and a wrong one is told", async () => {
  const own = { QUEZTL_FIREFOX: "/my/firefox", QUEZTL_WEBKIT_DRIVER: "/my/driver" };
  const programs = { ...everything, "/my/firefox": firefox, "/my/driver": "" };
  expect(await findOtherBrowsers({}, world({ env: own, programs }))).toMatchObject({
    firefox: "/my/firefox",
    webkit: { driver: "/my/driver" },
  });
  const wrong = (env: Record<string, string>) => findOtherBrowsers({}, world({ env, programs: everything }));
  await expect(wrong({ QUEZTL_FIREFOX: "/typo" })).rejects.toThrow("QUEZTL_FIREFOX is /typo");
  await expect(wrong({ QUEZTL_WEBKIT_DRIVER: "/typo" })).rejects.toThrow("QUEZTL_WEBKIT_DRIVER is /typo");
});

test("on a Mac the application is found; WebKitGTK is not looked for where Windows runs", async () => {
  const path = "/Applications/Firefox.app/Contents/MacOS/firefox";
  expect((await findOtherBrowsers({}, world({ platform: "darwin", programs: { [path]: firefox } }))).firefox).toBe(
    path,
  );
  const windows = await findOtherBrowsers({}, world({ platform: "win32", programs: everything }));
  expect(windows).toMatchObject({ firefox: null, webkit: null });
});
