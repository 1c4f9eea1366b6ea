/** The GPU in the pool: found, lost, started again, given up. The child is played by the test. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { GrainsRequest } from "../../agent/ports.ts";
import { capabilities, jobMessage } from "../../agent/testing/fixtures.ts";
import type { GpuFacts } from "../../kernels/run/gpu-device.ts";
import type { Capabilities } from "../../protocol/messages.ts";
import type { LaneOptions } from "./lane.ts";
import type { ToCompute } from "./messages.ts";
import { ComputePool } from "./pool.ts";

const deaf = { fraction() {}, saved() {} };

const facts: GpuFacts = {
  name: "GPU",
  vendor: "v",
  architecture: "a",
  software: false,
  features: [],
  determinismClass: null,
  limits: {},
};
const never = new AbortController().signal;
const request: GrainsRequest = {
  job: jobMessage(),
  payload: {},
  input: null,
  inputs: null,
  inputsFirstTask: 0,
  checkpoint: null,
  checkpointMs: null,
  lo: 0,
  hi: 1,
  backend: "webgpu",
};

let enginesDir = "";
beforeEach(async () => {
  enginesDir = await mkdtemp(join(tmpdir(), "queztl-engines-"));
});
afterEach(() => rm(enginesDir, { recursive: true, force: true }));

async function setUp(installed = true) {
  if (installed) {
    await mkdir(join(enginesDir, "node_modules", "webgpu"), { recursive: true });
    await writeFile(join(enginesDir, "node_modules", "webgpu", "package.json"), "{}");
  }
  const children: { on: Parameters<LaneOptions["start"]>[0]; heard: ToCompute[] }[] = [];
  const logged: string[] = [];
  const told: { capabilities: Capabilities; reason: string }[] = [];
  const pool = new ComputePool({
    kernel: async () => Uint8Array.of(1),
    kernelFiles: async () => null,
    families: [],
    allowSoftwareGpu: false,
    enginesDir,
    log: (code) => logged.push(code),
    gpuEndpoint: (on) => {
      const child = { on, heard: [] as ToCompute[] };
      children.push(child);
      return { post: (message) => child.heard.push(message), kill: () => {} };
    },
  });
  pool.onCapabilities((next, reason) => told.push({ capabilities: next, reason }));
  return { pool, children, logged, told };
}

async function withGpu() {
  const all = await setUp();
  const probed = all.pool.probeGpu();
  all.children[0]?.on.message({ type: "ready", gpu: facts, message: "" });
  expect(await probed).toEqual(facts);
  all.pool.describe({ ...capabilities, gpu: { ...facts, vramBytes: null } });
  return all;
}

describe("looking for a GPU", () => {
  it("starts no child where the package is not installed", async () => {
    const { pool, children, logged } = await setUp(false);
    expect(await pool.probeGpu()).toBeNull();
    expect([children.length, logged]).toEqual([0, ["gpu"]]);
  });
  it("takes no for an answer, and a child that dies for a no", async () => {
    for (const end of ["ready", "gone"] as const) {
      const { pool, children, told } = await setUp();
      const probed = pool.probeGpu();
      if (end === "ready") children[0]?.on.message({ type: "ready", gpu: null, message: "Only a software adapter." });
      else children[0]?.on.gone("It ended with SIGSEGV.");
      expect(await probed).toBeNull();
      await expect(pool.run(0, request, never, deaf)).rejects.toMatchObject({ reason: "device_lost" });
      expect([children.length, told]).toEqual([1, []]);
    }
  });
});

describe("losing the GPU", () => {
  it("fails what ran with device_lost, and starts another child at once", async () => {
    const { pool, children, told } = await withGpu();
    const failed = pool.run(0, request, never, deaf);
    expect(children[0]?.heard).toMatchObject([{ type: "run", run: { workload: "test", lo: 0, hi: 1 } }]);
    children[0]?.on.gone("crash");
    await expect(failed).rejects.toMatchObject({ name: "ComputeError", reason: "device_lost" });
    children[1]?.on.message({ type: "ready", gpu: facts, message: "" });
    const done = pool.run(0, request, never, deaf);
    children[1]?.on.message({ type: "done", id: 2, partials: [Uint8Array.of(3)], computeMs: 1, build: "b" });
    expect(await done).toMatchObject({ build: "b" });
    expect(told).toEqual([]);
  });

  it("twice is enough: the coordinator is told, with the reason, and the CPU goes on", async () => {
    const { pool, children, told, logged } = await withGpu();
    for (let i = 0; i < 2; i++) {
      const failed = pool.run(0, request, never, deaf);
      children[i]?.on.gone("crash");
      await expect(failed).rejects.toMatchObject({ reason: "device_lost" });
      children[i + 1]?.on.message({ type: "ready", gpu: facts, message: "" });
    }
    expect(children).toHaveLength(2);
    expect(told).toHaveLength(1);
    expect(told[0]?.capabilities.gpu).toBeNull();
    expect(told[0]?.reason).toMatch(/the CPU goes on\. It was lost 2 times\./);
    expect(logged).toContain("gpu_given_up");
    await expect(pool.run(0, request, never, deaf)).rejects.toMatchObject({ reason: "device_lost" });
  });

  it("once is enough where no GPU is found again", async () => {
    const { pool, children, told } = await withGpu();
    children[0]?.on.gone("unplugged");
    children[1]?.on.message({ type: "ready", gpu: null, message: "No graphics adapter." });
    expect(told[0]?.reason).toContain("No graphics adapter.");
    await pool.close();
  });
});
