import { expect, test } from "vitest";
import { loadManifest, readKernelFile } from "../manifest.ts";
import { pageBytes, withMemoryMaximum } from "./wasm-memory.ts";

/** Modules that only export a memory, with the limits given in its section. */
const moduleOf = (...limits: number[]): Uint8Array =>
  Uint8Array.of(...[0, 97, 115, 109, 1, 0, 0, 0], ...[5, 1 + limits.length, 1, ...limits], ...[7, 5, 1, 1, 109, 2, 0]);
async function grown(module: Uint8Array): Promise<number> {
  const { instance } = await WebAssembly.instantiate(module as Uint8Array<ArrayBuffer>);
  const memory = instance.exports.m as WebAssembly.Memory;
  for (let pages = 0; pages < 1000; pages++) {
    try {
      memory.grow(1);
    } catch {
      break;
    }
  }
  return memory.buffer.byteLength / pageBytes;
}

test("the engine holds the maximum that was written", async () => {
  expect(await grown(withMemoryMaximum(moduleOf(0, 1), 5))).toBe(5);
  expect(await grown(withMemoryMaximum(moduleOf(0, 1), 300))).toBe(300);
  // One that is lower already stays, and a memory is never less than it begins with.
  expect(await grown(withMemoryMaximum(moduleOf(1, 1, 3), 5))).toBe(3);
  expect(await grown(withMemoryMaximum(moduleOf(0, 4), 2))).toBe(4);
  expect(await grown(moduleOf(0, 1))).toBe(1001);
});

test("a kernel that needs more than is allowed is refused with both figures", () => {
  expect(() => withMemoryMaximum(moduleOf(0, 1), 32, 16)).toThrow(/2\.0 MiB.*1\.0 MiB/);
  expect(() => withMemoryMaximum(moduleOf(0, 32), 1, 16)).toThrow(/2\.0 MiB/);
});

test("what is no module, or has no plain memory, is left as it is", () => {
  const shared = moduleOf(3, 1, 2);
  for (const bytes of [Uint8Array.of(1, 2, 3), new Uint8Array(20).fill(255), moduleOf().subarray(0, 8), shared])
    expect(withMemoryMaximum(bytes, 5)).toBe(bytes);
});

test("every kernel of the build still compiles with a maximum", async () => {
  for (const { files } of Object.values(loadManifest())) {
    for (const [role, { sha256 }] of Object.entries(files)) {
      if (role === "wgsl") continue;
      const bounded = withMemoryMaximum(readKernelFile(role, sha256), 16);
      await expect(WebAssembly.compile(bounded as Uint8Array<ArrayBuffer>)).resolves.toBeDefined();
    }
  }
});
