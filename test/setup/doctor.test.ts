import { afterEach, expect, test, vi } from "vitest";
import { main, report } from "../../scripts/doctor.mjs";
import { examine } from "../../scripts/lib/doctor/checks.mjs";
import type { Finding } from "../../scripts/lib/doctor/finding.mjs";
import { type Host, thisHost } from "../../scripts/lib/doctor/host.mjs";
import { newKey, selfSigned } from "../../server/tls/certificate.ts";

const nowMs = Date.UTC(2026, 5, 1);
const dayMs = 86_400_000;

interface World extends Partial<Omit<Host, "run" | "read" | "stat">> {
  /** What programs print, by the program's name; the others are missing. */
  programs?: Record<string, string>;
  files?: Record<string, string>;
  stats?: Record<string, { mode?: number; mtimeMs?: number }>;
}

/** A machine on which all is well, but for what is given. */
function world({ programs = {}, files = {}, stats = {}, ...given }: World = {}): Host {
  const answers: Record<string, string> = {
    [process.execPath]: "11.0.0",
    "/usr/bin/chromium": "Chromium 150.0.1.2",
    ...programs,
  };
  return {
    nodeVersion: "v22.12.0",
    platform: "linux",
    env: {},
    root: "/srv/queztl",
    dataDir: "/srv/queztl/data",
    now: () => nowMs,
    npm: () => "/usr/lib/node_modules/npm/bin/npm-cli.js",
    packagesInstalled: () => true,
    driver: () => ({ needsBinary: false, ready: true }),
    run: async (program) => {
      const output = answers[program];
      const missing = output === undefined;
      return { code: missing ? 127 : 0, output: output ?? "", missing, timedOut: false };
    },
    exists: (path) => path in files,
    read: (path) => files[path] ?? null,
    stat: (path) => (path in stats ? { mode: 0o600, mtimeMs: 0, ...stats[path] } : null),
    writable: () => true,
    freeBytes: () => 50 * 2 ** 30,
    addresses: () => ["192.168.1.5"],
    listen: async () => null,
    queztlAt: async () => null,
    chromium: async () => "/usr/bin/chromium",
    ...given,
  };
}

async function found(check: string, given: World = {}): Promise<Finding[]> {
  return (await examine(world(given))).filter((finding) => finding.check === check);
}

afterEach(() => void vi.restoreAllMocks());

test("on a machine where all is well nothing is missing, and the exit code says so", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  expect(await main(["--json"], world())).toBe(0);
  const told = JSON.parse(String(log.mock.calls[0]?.[0])) as { healthy: boolean; findings: Finding[] };
  expect(told.healthy).toBe(true);
  const checks = [
    "Node",
    "npm",
    "Packages",
    "Compiler",
    "GPU",
    "Port",
    "Browser",
    "Certificate",
    "Data folder",
    "Clock",
  ];
  expect([...new Set(told.findings.map(({ check }) => check))]).toEqual(checks);
  for (const { level, remedy } of told.findings)
    if (level === "missing" || level === "care") expect(remedy).toBeTruthy();
});

test("something needed that is missing makes the exit code 1, and says its remedy", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  expect(await main([], world({ nodeVersion: "v18.19.0" }))).toBe(1);
  expect(String(log.mock.calls[0]?.[0])).toMatch(
    /MISSING {2}Node .*\n.*Remedy: .*Node 20\.19 or newer[\s\S]*One thing that is needed is missing/,
  );
});

test("an unknown flag is refused", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  expect(await main(["--yaml"], world())).toBe(2);
});

const cases: [name: string, check: string, given: World, level: Finding["level"], told: RegExp][] = [
  ["no npm, nothing installed", "npm", { npm: () => null, packagesInstalled: () => false }, "missing", /nodejs\.org/],
  ["no npm, all installed", "npm", { npm: () => null }, "care", /changes of packages only/],
  ["no packages", "Packages", { packagesInstalled: () => false }, "note", /npm run setup/],
  ["Node 20, driver ready", "Compiler", { driver: () => ({ needsBinary: true, ready: true }) }, "ok", /prepared/],
  [
    "Node 20 without a compiler",
    "Compiler",
    { driver: () => ({ needsBinary: true, ready: false }), programs: { python3: "3.11" } },
    "care",
    /g\+\+ and make not found.*build-essential/s,
  ],
  [
    "Node 20 with one",
    "Compiler",
    { driver: () => ({ needsBinary: true, ready: false }), programs: { "g++": "12", make: "4", python3: "3.11" } },
    "ok",
    /enough/,
  ],
  ["no webgpu package", "GPU", {}, "note", /none seen.*--with-gpu/s],
  [
    "a GPU that only its own tool sees",
    "GPU",
    { programs: { "nvidia-smi": "NVIDIA L4\n" } },
    "note",
    /NVIDIA L4 is there, but/,
  ],
  [
    "a port taken, not named",
    "Port",
    { listen: async () => "EADDRINUSE", programs: { ss: 'LISTEN users:(("python3",pid=7,fd=3))' } },
    "care",
    /8000 is taken by python3 \(pid 7\)/,
  ],
  [
    "a port taken, named",
    "Port",
    { listen: async () => "EADDRINUSE", env: { QUEZTL_PORT: "9000" } },
    "missing",
    /9000 is taken.*QUEZTL_PORT/s,
  ],
  [
    "a coordinator on the port",
    "Port",
    { listen: async () => "EADDRINUSE", queztlAt: async () => "1.2.0" },
    "note",
    /coordinator already, version 1\.2\.0/,
  ],
  [
    "a port of the system",
    "Port",
    { listen: async () => "EACCES", env: { QUEZTL_PORT: "80" } },
    "missing",
    /80 needs more rights/,
  ],
  ["a port that is none", "Port", { env: { QUEZTL_PORT: "http" } }, "missing", /QUEZTL_PORT is "http"/],
  [
    "no browser",
    "Browser",
    {
      chromium: async () =>
        Promise.reject(new Error("No Chromium was found, which the tests need. Any helps:\n  1. this;")),
    },
    "care",
    /No Chromium was found.*1\. this/s,
  ],
  ["a data folder that may not be written", "Data folder", { writable: () => false }, "missing", /QUEZTL_DATA/],
  ["a full disk", "Data folder", { freeBytes: () => 5e7 }, "missing", /0\.0 GiB free.*free space/s],
  ["a disk that fills", "Data folder", { freeBytes: () => 5e8 }, "care", /0\.5 GiB free/],
  [
    "a clock behind a file",
    "Clock",
    { stats: { "/srv/queztl/data/owner.pid": { mtimeMs: nowMs + dayMs } } },
    "missing",
    /2026-06-01T00:00:00 UTC, but .*owner\.pid was written at 2026-06-02/,
  ],
  ["a clock that nobody keeps", "Clock", { programs: { timedatectl: "no\n" } }, "note", /set-ntp/],
];

test.each(cases)("%s", async (_name, check, given, level, told) => {
  const findings = await found(check, given);
  expect(findings.map((finding) => finding.level)).toContain(level);
  expect(report(findings)).toMatch(told);
});

test("asks the webgpu package where it is installed, and tells software from hardware", async () => {
  const files = { "/srv/queztl/data/worker/engines/node_modules/webgpu/package.json": "{}" };
  const gpu = (line: string): Promise<Finding[]> => found("GPU", { files, programs: { [process.execPath]: line } });
  const adapter = (description: string): string =>
    `adapter ${JSON.stringify({ vendor: "x", architecture: "y", description })}`;
  expect(await gpu(adapter("NVIDIA L4"))).toEqual([{ check: "GPU", level: "ok", found: "NVIDIA L4" }]);
  expect((await gpu(adapter("llvmpipe (LLVM 15)")))[0]).toMatchObject({
    level: "note",
    found: expect.stringMatching(/in software/),
  });
  expect((await gpu("adapter null"))[0]).toMatchObject({ level: "note", remedy: expect.stringMatching(/Vulkan/) });
  expect((await gpu("Segmentation fault"))[0]).toMatchObject({
    level: "care",
    found: expect.stringMatching(/Segmentation fault/),
  });
});

test("tells of a coordinator that uses the data folder, and not of another program with its old number", async () => {
  const files = { "/srv/queztl/data/owner.pid": "42" };
  const levels = async (ps: string): Promise<string[]> =>
    (await found("Data folder", { files, programs: { ps } })).map(({ level }) => level);
  expect(await levels("node --import tsx /srv/queztl/server/main.ts")).toEqual(["ok", "note"]);
  expect(await levels("vim notes.txt")).toEqual(["ok"]);
});

test("certificates: kept ones, and those that the environment names", async () => {
  const key = newKey();
  const made = (names: string[], atMs = nowMs): string => selfSigned(key, names, atMs);
  const kept = "/srv/queztl/data/tls/certificate.pem";
  const keptKey = "/srv/queztl/data/tls/key.pem";
  const own = async (pem: string, mode = 0o100600): Promise<Finding | undefined> =>
    (await found("Certificate", { files: { [kept]: pem }, stats: { [keptKey]: { mode } } }))[0];
  expect(await own(made(["192.168.1.5"]))).toMatchObject({ level: "ok" });
  expect(await own(made(["10.0.0.1"]))).toMatchObject({
    level: "note",
    found: expect.stringMatching(/is not for 192\.168\.1\.5/),
  });
  expect(await own(made(["192.168.1.5"], nowMs - 400 * dayMs))).toMatchObject({
    level: "care",
    found: expect.stringMatching(/ended on/),
  });
  expect(await own(made(["192.168.1.5"]), 0o100644)).toMatchObject({ level: "care", remedy: `chmod 600 ${keptKey}` });
  expect(await own("nothing")).toMatchObject({ level: "care", remedy: expect.stringMatching(/--https/) });
  expect((await found("Certificate"))[0]).toMatchObject({ level: "note", remedy: expect.stringMatching(/--https/) });

  const env = { QUEZTL_TLS_CERT: "/c.pem", QUEZTL_TLS_KEY: "/k.pem" };
  const named = async (
    files: Record<string, string>,
    variables: NodeJS.ProcessEnv = env,
  ): Promise<Finding | undefined> => (await found("Certificate", { env: variables, files }))[0];
  expect(await named({ "/c.pem": made(["a.test"]), "/k.pem": key })).toMatchObject({ level: "ok" });
  expect(await named({ "/c.pem": made(["a.test"], nowMs - 390 * dayMs), "/k.pem": key })).toMatchObject({
    level: "care",
  });
  const refused: [Record<string, string>, RegExp, NodeJS.ProcessEnv?][] = [
    [{}, /\/c\.pem cannot be read/],
    [{ "/c.pem": "x" }, /\/k\.pem cannot be read/],
    [{ "/c.pem": "x", "/k.pem": key }, /holds no certificate/],
    [{ "/c.pem": made(["a.test"]), "/k.pem": newKey() }, /is not the key of/],
    [{ "/c.pem": made(["a.test"], nowMs - 400 * dayMs), "/k.pem": key }, /ended on/],
    [{}, /without the other/, { QUEZTL_TLS_CERT: "/c.pem" }],
  ];
  for (const [files, told, variables] of refused) {
    expect(await named(files, variables)).toMatchObject({ level: "missing", found: expect.stringMatching(told) });
  }
});

test("every check runs on the real machine", async () => {
  const findings = await examine(thisHost());
  expect(findings.filter(({ found }) => found.startsWith("this check failed"))).toEqual([]);
  expect(findings.find(({ check }) => check === "Node")).toMatchObject({ level: "ok", found: process.version });
}, 60_000);
