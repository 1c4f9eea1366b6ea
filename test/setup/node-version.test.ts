import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { transform } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { root } from "../../scripts/lib/paths.mjs";

const { refusal } = createRequire(import.meta.url)("../../scripts/lib/node-version.cjs") as {
  refusal(version: string): string | null;
};
const door = join(root, "scripts", "queztl.cjs");
const folder = mkdtempSync(join(tmpdir(), "queztl-version-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(["v20.19.0", "v20.20.2", "v22.12.0", "v22.23.3", "v23.0.0", "v24.21.0", "v100.0.0"])(
  "accepts %s",
  (version) => {
    expect(refusal(version)).toBeNull();
  },
);

test.each(["v0.12.18", "v4.9.1", "v12.22.12", "v18.20.8", "v20.18.3"])("refuses %s in one sentence", (version) => {
  expect(refusal(version)).toBe(
    `Queztl needs Node 20.19 or newer; you have ${version.slice(1)}. Install it from https://nodejs.org`,
  );
});

test.each(["v21.7.3", "v22.11.0"])("refuses %s, which is newer than 20.19 and yet too old", (version) => {
  expect(refusal(version)).toContain("not 21 or 22.0 to 22.11");
});

test("the door prints the sentence and nothing else, and exits with 1", () => {
  const fake = join(folder, "old.cjs");
  writeFileSync(fake, `Object.defineProperty(process, "version", { value: "v12.22.12" });`);
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--require", fake, door, "start"], {
    encoding: "utf8",
  });
  expect({ status, stdout, stderr: stderr.trim().split("\n") }).toEqual({
    status: 1,
    stdout: "",
    stderr: ["Queztl needs Node 20.19 or newer; you have 12.22.12. Install it from https://nodejs.org"],
  });
});

test("an unknown command is refused with the list of commands", () => {
  const { status, stderr } = spawnSync(process.execPath, [door, "strat"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr).toContain("start|setup|test");
});

test.each(["queztl.cjs", "lib/node-version.cjs"])("%s is read by a Node of any age", async (file) => {
  const source = readFileSync(join(root, "scripts", file), "utf8");
  // What is newer than ES5 would be rewritten, or refused, for that target.
  const [old, current] = await Promise.all(["es5", "esnext"].map((target) => transform(source, { target })));
  expect(old?.code).toBe(current?.code);
  expect(source).not.toMatch(/require\("node:|\bimport\(/);
});
