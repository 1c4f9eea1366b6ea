import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { installWebGpu } from "./install.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "queztl install "));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

/** An `npm` that does what the test says, before any other on the path. */
async function fakeNpm(script: string): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "npm"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}${delimiter}${process.env.PATH}`);
}

it("installs nothing unasked where nobody can answer", async () => {
  const engines = join(folder, "engines");
  await expect(installWebGpu(engines, false, () => {})).rejects.toThrow(/Start without --with-gpu, or say --yes/);
  expect(existsSync(engines)).toBe(false);
});

it("asks for nothing where it is installed", async () => {
  await mkdir(join(folder, "node_modules", "webgpu"), { recursive: true });
  await writeFile(join(folder, "node_modules", "webgpu", "package.json"), "{}");
  const said: string[] = [];
  await installWebGpu(folder, false, (code) => said.push(code));
  expect(said).toEqual([]);
});

it.skipIf(process.platform === "win32")(
  "runs npm for the pinned version, in the folder alone, without scripts",
  async () => {
    await fakeNpm('echo "$PWD|$*" > called');
    const engines = join(folder, "my engines");
    await installWebGpu(engines, true, () => {});
    expect(readFileSync(join(engines, "called"), "utf8").trim()).toMatch(
      /my engines\|install --ignore-scripts --save-exact --no-audit --no-fund webgpu@0\.6\.2$/,
    );
    expect(JSON.parse(readFileSync(join(engines, "package.json"), "utf8"))).toMatchObject({ private: true });
  },
);

it.skipIf(process.platform === "win32")("says what to look at when npm fails", async () => {
  await fakeNpm("exit 7");
  await expect(installWebGpu(join(folder, "engines"), true, () => {})).rejects.toThrow(
    /webgpu@0\.6\.2 \(7\).*registry/,
  );
});
