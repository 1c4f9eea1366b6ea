import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { lockDataDir } from "./data-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "queztl-lock-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it("keeps a second coordinator out, says who is in, and ends with its process", async () => {
  const script = `
    import { lockDataDir } from ${JSON.stringify(new URL("./data-lock.ts", import.meta.url).href)};
    lockDataDir(${JSON.stringify(folder)});
    console.log("locked");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  expect(() => lockDataDir(folder)).toThrow(`(pid ${child.pid}) uses ${folder}`);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.once("exit", resolve));
  lockDataDir(folder)();
});
