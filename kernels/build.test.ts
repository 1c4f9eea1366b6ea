import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { workloads } from "./workloads.ts";

const run = promisify(execFile);
const program = fileURLToPath(new URL("build.mjs", import.meta.url));
const folder = fileURLToPath(new URL("../dist/kernels/", import.meta.url));
const sha256 = (content: string | Uint8Array) => createHash("sha256").update(content).digest("hex");

type Files = Record<string, { sha256: string; bytes: number }>;
let manifest: Record<string, { kernel: string; files: Files }>;

beforeAll(async () => {
  await run(process.execPath, [program]);
  manifest = JSON.parse(readFileSync(`${folder}manifest.json`, "utf8"));
}, 120_000);

describe.each([...workloads.keys()])("the kernels of %s", (type) => {
  it("are files named by their hash", () => {
    const { kernel, files } = manifest[type]!;
    expect(Object.keys(files)).toEqual(expect.arrayContaining(["wasm-scalar", "wasm-simd"]));
    expect(Object.keys(files)).toEqual(Object.keys(files).sort());
    expect(kernel).toBe(sha256(JSON.stringify(files)));
    for (const [role, file] of Object.entries(files)) {
      const content = readFileSync(`${folder}${file.sha256}.${role.startsWith("wasm") ? "wasm" : role}`);
      expect([sha256(content), content.length]).toEqual([file.sha256, file.bytes]);
    }
  });

  it("ask for nothing but abort, and export the whole interface", async () => {
    for (const [role, file] of Object.entries(manifest[type]!.files)) {
      if (!role.startsWith("wasm")) continue;
      const module = await WebAssembly.compile(readFileSync(`${folder}${file.sha256}.wasm`));
      for (const { module: from, name } of WebAssembly.Module.imports(module))
        expect([from, name]).toEqual(["env", "abort"]);
      const names = WebAssembly.Module.exports(module).map(({ name }) => name);
      const whole = ["memory", "params", "init", "begin", "step", "partial", "partialLength"];
      // Jobs' own modules have an interface of their own.
      const wanted = workloads.get(type)?.tasks ? ["memory", "run", "alloc"] : whole;
      expect(names).toEqual(expect.arrayContaining(wanted));
    }
  });
});

it("builds nothing a second time", async () => {
  expect((await run(process.execPath, [program])).stdout).toBe("");
});

it("names a workload that has no kernel", async () => {
  await expect(run(process.execPath, [program, "no_such"])).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining("no_such"),
  });
});
