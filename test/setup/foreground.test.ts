import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";

const folder = mkdtempSync(join(tmpdir(), "queztl-foreground-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs `program` in the foreground of a process of its own, which ends with the program's code. */
function foregroundOf(program: string) {
  const file = join(folder, "program.mjs");
  writeFileSync(file, program);
  const module = pathToFileURL(join(root, "scripts/lib/child.mjs")).href;
  const code = `const { foreground } = await import(${JSON.stringify(module)});
    process.exitCode = await foreground(process.execPath, [${JSON.stringify(file)}]);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  return { child, code: new Promise<number | null>((resolve) => child.on("close", resolve)) };
}

test("the program's exit code is the command's", async () => {
  expect(await foregroundOf("process.exitCode = 7").code).toBe(7);
});

// Windows has no signals to pass on: Ctrl-C reaches every process of the console.
test.skipIf(process.platform === "win32").each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s, sent twice as npm and a process group do, reaches the program once, and it may take its time",
  async (signal) => {
    const log = join(folder, signal);
    const { child, code } = foregroundOf(`
      import { appendFileSync } from "node:fs";
      const keepAlive = setInterval(() => {}, 1_000);
      for (const name of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(name, () => {
        appendFileSync(${JSON.stringify(log)}, name + "\\n");
        setTimeout(() => process.exit(5), 200);
      });
      console.log("ready");`);
    await new Promise((resolve) => child.stdout?.once("data", resolve));
    child.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill(signal);
    expect(await code).toBe(5);
    expect(readFileSync(log, "utf8")).toBe(signal === "SIGHUP" ? "SIGTERM\n" : `${signal}\n`);
  },
);
