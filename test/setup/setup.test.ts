import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { npmCli, root } from "../../scripts/lib/paths.mjs";

/** A working copy that has the scripts and depends on nothing, so that npm needs no network. */
let copy = "";
beforeEach(() => {
  copy = mkdtempSync(join(tmpdir(), "queztl-setup-"));
  cpSync(join(root, "scripts"), join(copy, "scripts"), { recursive: true });
  writeFileSync(join(copy, "package.json"), JSON.stringify({ name: "copy", version: "1.0.0", type: "module" }));
  const packages = { "": { name: "copy", version: "1.0.0" } };
  const lock = { name: "copy", version: "1.0.0", lockfileVersion: 3, requires: true, packages };
  writeFileSync(join(copy, "package-lock.json"), JSON.stringify(lock));
});
afterEach(() => rmSync(copy, { recursive: true, force: true }));

interface Ended {
  code: number | null;
  output: string;
}

function start(args: string[], env: NodeJS.ProcessEnv = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(process.execPath, [join(copy, "scripts", "queztl.cjs"), ...args], {
    cwd: copy,
    env: { ...process.env, npm_execpath: npmCli() ?? "", ...env },
  });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  return { child, ended: new Promise((resolve) => child.on("close", (code) => resolve({ code, output }))) };
}

/** An npm that takes its time, for what happens meanwhile. It marks that it ran, and finishes as npm does. */
function slowNpm(ms: number): string {
  const path = join(copy, "npm-cli.js");
  writeFileSync(
    path,
    `import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
     appendFileSync("runs.txt", "x");
     setTimeout(() => {
       mkdirSync("node_modules", { recursive: true });
       writeFileSync("node_modules/.package-lock.json", JSON.stringify({ packages: {} }));
       writeFileSync("finished.txt", "");
     }, ${ms});`,
  );
  return path;
}

test("a step is printed with its seconds, and skipped the second time", async () => {
  const first = await start(["setup", "packages"]).ended;
  expect(first.output).toMatch(/Installing packages \.\.\. \d+\.\d s/);
  expect(first.code).toBe(0);
  // npm writes its own record only where there is a package; this is what it would look like.
  cpSync(join(copy, "package-lock.json"), join(copy, "node_modules", ".package-lock.json"));
  const second = await start(["setup", "packages"]).ended;
  expect(second).toEqual({ code: 0, output: expect.not.stringContaining("Installing") });
});

test("of two at once the second waits and says so, and the work is done once", async () => {
  const env = { npm_execpath: slowNpm(1_000) };
  const first = start(["setup", "packages"], env);
  while (!existsSync(join(copy, "runs.txt"))) await new Promise((resolve) => setTimeout(resolve, 10));
  const second = start(["setup", "packages"], env);
  const [one, two] = await Promise.all([first.ended, second.ended]);
  expect([one.code, two.code]).toEqual([0, 0]);
  expect(two.output).toContain(`Waiting for another set-up in this folder (process ${first.child.pid}).`);
  expect(two.output).not.toContain("Installing");
});

test.skipIf(process.platform === "win32")(
  "an interruption stops the tool, frees the lock and says what is kept",
  async () => {
    const { child, ended } = start(["setup", "packages"], { npm_execpath: slowNpm(20_000) });
    while (!existsSync(join(copy, "runs.txt"))) await new Promise((resolve) => setTimeout(resolve, 10));
    child.kill("SIGINT");
    const { code, output } = await ended;
    expect(code).toBe(130);
    expect(output).toContain("What is done is kept");
    expect(existsSync(join(copy, "finished.txt"))).toBe(false);
    expect(existsSync(join(copy, ".cache", "setup.lock"))).toBe(false);
  },
);

test("dependencies that the lock file lacks are told with the remedy", async () => {
  const dependencies = { neighbour: "file:./neighbour" };
  mkdirSync(join(copy, "neighbour"));
  writeFileSync(join(copy, "neighbour", "package.json"), JSON.stringify({ name: "neighbour", version: "1.0.0" }));
  writeFileSync(join(copy, "package.json"), JSON.stringify({ name: "copy", version: "1.0.0", dependencies }));
  const { code, output } = await start(["setup", "packages"], { npm_config_offline: "true" }).ended;
  expect(code).toBe(1);
  expect(output).toContain("package-lock.json does not agree with package.json");
  expect(output).toContain("Remedy: ");
  expect(output).not.toContain("    at ");
});

test("an unknown step is refused with the list", async () => {
  const { code, output } = await start(["setup", "kernel"]).ended;
  expect(code).toBe(2);
  expect(output).toContain("packages, driver, kernels, workshop, worker, cli, sdk-types, pages");
});

test("an unknown mode is refused before anything is installed", async () => {
  const { code, output } = await start(["start"], { QUEZTL_MODE: "slave" }).ended;
  expect(code).toBe(2);
  expect(output).toContain('"master" (the coordinator) or "worker"');
  expect(existsSync(join(copy, "node_modules"))).toBe(false);
});
