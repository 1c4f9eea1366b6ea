import { expect, test } from "vitest";
import { helpOf, type Surroundings } from "./help.ts";

const all: Surroundings = {
  secure: true,
  host: "grid.example",
  cores: 8,
  wasm: true,
  simd: true,
  isolated: true,
  webgpu: true,
  adapter: "found",
  workers: true,
  storage: true,
};
const row = (around: Partial<Surroundings>, name: string) =>
  helpOf({ ...all, ...around }).rows.find((each) => each.name === name);

test("a browser with everything misses nothing", () => {
  const help = helpOf(all);
  expect(help).toMatchObject({ able: true, missing: "" });
  expect(help.headline).toContain("graphics");
  expect(help.rows.map(({ state }) => state)).toEqual(["yes", "yes", "yes", "yes"]);
});

test("plain http on a LAN address: the CPU, what is missing, why, and every way out", () => {
  const help = helpOf({ ...all, secure: false, isolated: false, webgpu: false, host: "192.168.1.5" });
  expect(help.able).toBe(true);
  expect(help.headline).toBe("Yes: with its processor");
  for (const words of [
    "CPU only",
    "plain http",
    "192.168.1.5",
    "--https",
    "--tls-cert",
    "--tls-key",
    "QUEZTL_PUBLIC_URL",
  ])
    expect(help.missing).toContain(words);
  expect(help.rows.find(({ name }) => name === "Graphics processor")).toMatchObject({ state: "no" });
});

test.each([
  [{ wasm: false, simd: false }, "Lockdown Mode"],
  [{ workers: false }, "workers"],
  [{ storage: false }, "IndexedDB"],
])("without %j it says that it cannot compute, and why", (around, words) => {
  const help = helpOf({ ...all, ...around });
  expect(help.able).toBe(false);
  expect(help.missing).toContain(words);
});

test("the graphics processor: asked for, found, missing, or in software only", () => {
  expect(row({ adapter: null }, "Graphics processor")?.state).toBe("asking");
  expect(row({ adapter: "none" }, "Graphics processor")?.words).toContain("block list");
  expect(row({ adapter: "software" }, "Graphics processor")?.words).toContain("software");
  expect(row({ webgpu: false }, "Graphics processor")?.words).toContain("WebGPU");
});

test("without SIMD or isolation it still works, with less", () => {
  expect(row({ simd: false }, "SIMD")?.state).toBe("less");
  expect(row({ isolated: false }, "Isolation")?.state).toBe("less");
  expect(helpOf({ ...all, simd: false, isolated: false }).able).toBe(true);
});
