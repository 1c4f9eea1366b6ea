import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../../scripts/lib/lock.mjs";
import { root } from "../../scripts/lib/paths.mjs";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "queztl-lock-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const quick = { touchMs: 10, pollMs: 10, silentPolls: 20 };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("a second one waits, says for whom, and goes on after the release", async () => {
  const path = join(folder, "setup.lock");
  const release = await acquireLock(path, quick);
  const waitedFor: number[] = [];
  let second = false;
  const waiting = acquireLock(path, { ...quick, onWait: (pid) => waitedFor.push(pid) }).then((done) => {
    second = true;
    return done;
  });
  // Far longer than `silentPolls`: an owner that touches its file keeps it.
  await pause(600);
  expect(second).toBe(false);
  expect(waitedFor).toEqual([process.pid]);
  await release();
  await (await waiting)();
});

test("a release counts once, so that it cannot free another's lock", async () => {
  const path = join(folder, "setup.lock");
  const release = await acquireLock(path, quick);
  await release();
  const other = await acquireLock(path, quick);
  await release();
  expect(readFileSync(path, "utf8")).toContain(String(process.pid));
  await other();
});

test("the lock of a process that is gone is taken at once", async () => {
  const path = join(folder, "setup.lock");
  const gone = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(path, JSON.stringify({ pid: gone, host: hostname() }));
  const startMs = performance.now();
  const release = await acquireLock(path, { ...quick, silentPolls: 10_000 });
  expect(performance.now() - startMs).toBeLessThan(5_000);
  expect(JSON.parse(readFileSync(path, "utf8")).pid).toBe(process.pid);
  await release();
});

test.each([
  ["of another machine that fell silent", JSON.stringify({ pid: 1, host: "elsewhere" })],
  ["that was never written to its end", '{"pid": 1'],
  ["that is empty", ""],
])("a lock %s is taken after the silence, not before", async (_name, text) => {
  const path = join(folder, "setup.lock");
  writeFileSync(path, text);
  utimesSync(path, 1, 1);
  const startMs = performance.now();
  const release = await acquireLock(path, quick);
  expect(performance.now() - startMs).toBeGreaterThan(quick.silentPolls * quick.pollMs * 0.9);
  await release();
});

test("of many processes over a dead owner's lock, one at a time works", async () => {
  const path = join(folder, "setup.lock");
  const log = join(folder, "log");
  writeFileSync(path, JSON.stringify({ pid: spawnSync(process.execPath, ["-e", ""]).pid, host: hostname() }));
  const code = `
    import { appendFileSync } from "node:fs";
    const { acquireLock } = await import(${JSON.stringify(pathToFileURL(join(root, "scripts/lib/lock.mjs")).href)});
    const release = await acquireLock(${JSON.stringify(path)}, ${JSON.stringify(quick)});
    appendFileSync(${JSON.stringify(log)}, "in " + process.pid + "\\n");
    await new Promise((resolve) => setTimeout(resolve, 30));
    appendFileSync(${JSON.stringify(log)}, "out " + process.pid + "\\n");
    await release();`;
  const children = Array.from({ length: 6 }, () => spawn(process.execPath, ["--input-type=module", "-e", code]));
  const codes = await Promise.all(children.map((child) => new Promise((resolve) => child.on("close", resolve))));
  expect(codes).toEqual([0, 0, 0, 0, 0, 0]);
  const lines = readFileSync(log, "utf8").trim().split("\n");
  expect(lines).toHaveLength(12);
  for (let index = 0; index < lines.length; index += 2) {
    expect(lines[index]?.replace("in", "out")).toBe(lines[index + 1]);
  }
});
