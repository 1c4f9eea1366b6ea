import { createHash } from "node:crypto";
import { Worker as Thread } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { beforeAll, describe, expect, it } from "vitest";
import type { Workload } from "../contract.ts";
import { KernelError } from "./errors.ts";
import { StopFlag } from "./stop-flag.ts";
import { hasSimd, type WasmGrain, WasmRunner, type WasmRunnerOptions } from "./wasm.ts";

/**
 * A kernel that sums the task numbers of its range, `spin` rounds of arithmetic each, and tells how often it was
 * initialised. Its first parameter byte asks for a fault: 1 refuse, 2 trap in step, 3 abort, 4 endless recursion,
 * 5 a partial outside of its memory.
 */
const source = `
const bytes: usize = memory.data(64, 16);
const answer: usize = memory.data(32, 16);
let inits: u64 = 0; let at: f64 = 0; let lo: f64 = 0; let hi: f64 = 0; let sum: f64 = 0; let first: f64 = -1;
let noise: u32 = 1;
@external("env", "abort") declare function abort_(a: i32, b: i32, c: i32, d: i32): void;
function dive(n: i32): i32 { return n + dive(n + 1) + 1; }
export function params(length: i32): i32 { return <i32>bytes; }
export function input(length: i32, task: f64): i32 { first = task; return <i32>bytes + 32; }
export function init(): i32 { inits++; return load<u8>(bytes) == 1 ? 7 : 0; }
export function begin(from: f64, to: f64): void { lo = at = from; hi = to; sum = 0; }
export function step(units: i32): i32 {
  const fault = load<u8>(bytes);
  if (fault == 2) unreachable();
  if (fault == 3) abort_(0, 0, 0, 0);
  if (fault == 4) return dive(0);
  if (fault == 6) { while (memory.grow(1) >= 0) {} sum = memory.size(); return 1; }
  const spin = load<u32>(bytes, 4);
  for (; units > 0 && at < hi; units--) {
    for (let i: u32 = 0; i < spin; i++) noise = noise * 1664525 + 1013904223;
    sum += at; at += 1;
  }
  return at < hi ? 0 : 1;
}
export function fraction(): f64 { return (at - lo) / (hi - lo); }
export function partial(): i32 {
  store<f64>(answer, sum); store<u64>(answer, inits, 8); store<f64>(answer, first, 16);
  store<u32>(answer, noise, 24); store<u8>(answer, load<u8>(bytes, 32), 28);
  store<u8>(answer, ASC_FEATURE_SIMD ? 1 : 0, 29);
  return load<u8>(bytes) == 5 ? 0x7fffffff : <i32>answer;
}
export function partialLength(): i32 { return 32; }
`;

const files = new Map<string, Uint8Array>();
const kernel: WasmGrain["files"] = {};

async function compile(role: string, text: string, ...flags: string[]): Promise<void> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(["k.ts", "-O3", "--noAssert", "--runtime", "stub", ...flags], {
    readFile: (name) => (name === "k.ts" ? text : null),
    writeFile: (_name, content) => {
      if (typeof content !== "string") binary = content;
    },
    listFiles: () => [],
  });
  if (!binary) throw error ?? new Error(stderr.toString());
  const sha256 = createHash("sha256").update(binary).digest("hex");
  files.set(sha256, binary);
  kernel[role] = { sha256, bytes: binary.length };
}

beforeAll(async () => {
  const out = ["--outFile", "k.wasm"];
  await compile("wasm-simd", source, ...out, "--enable", "simd");
  await compile("wasm-scalar", source, ...out, "--disable", "simd");
}, 60_000);

const workload = {
  plan: ({ memoryBytes = 2 ** 20 }: { memoryBytes?: number }) => ({ needs: { memoryBytes } }),
  params: ({ fault = 0, spin = 0 }: { fault?: number; spin?: number }) => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setUint32(0, fault, true);
    new DataView(bytes.buffer).setUint32(4, spin, true);
    return bytes;
  },
} as unknown as Workload;

const grain = (
  lo: number,
  hi: number,
  payload: { fault?: number; spin?: number; memoryBytes?: number } = {},
): WasmGrain => ({
  ...{ workload, files: kernel, payload, round: 0, input: null, inputs: null, lo, hi },
});

const never = new AbortController().signal;

function runner(options: WasmRunnerOptions = {}): { runner: WasmRunner; loads: string[] } {
  const loads: string[] = [];
  const made = new WasmRunner(async (sha256) => {
    loads.push(sha256);
    return files.get(sha256)!;
  }, options);
  return { runner: made, loads };
}

function read(partial: Uint8Array) {
  const view = new DataView(partial.buffer, partial.byteOffset);
  return {
    sum: view.getFloat64(0, true),
    inits: view.getUint32(8, true),
    first: view.getFloat64(16, true),
    input: partial[28],
    simd: partial[29],
  };
}

describe("WasmRunner", () => {
  it("computes a grain, and says which file ran", async () => {
    const answer = await runner().runner.run(grain(10, 20), never);
    expect(read(answer.partial).sum).toBe(145);
    expect(answer.build).toBe(kernel[hasSimd() ? "wasm-simd" : "wasm-scalar"]!.sha256);
    expect(answer.partial.length).toBe(32);
  });

  it("takes the build that it is told to", async () => {
    const plain = await runner({ simd: false }).runner.run(grain(0, 1), never);
    expect(plain.build).toBe(kernel["wasm-scalar"]!.sha256);
    expect(read(plain.partial).simd).toBe(0);
    expect(read((await runner({ simd: true }).runner.run(grain(0, 1), never)).partial).simd).toBe(1);
  });

  it("loads a file once, and keeps an instance for each set of parameters", async () => {
    const { runner: one, loads } = runner();
    for (let i = 0; i < 3; i++) {
      expect(read((await one.run(grain(i, i + 2), never)).partial)).toMatchObject({ sum: 2 * i + 1, inits: 1 });
      expect(read((await one.run(grain(i, i + 2, { spin: 3 }), never)).partial)).toMatchObject({ sum: 2 * i + 1 });
    }
    expect(loads).toHaveLength(1);
  });

  it("computes several grains at once, each in its own instance", async () => {
    const { runner: one } = runner();
    const answers = await Promise.all([1, 2, 3].map((n) => one.run(grain(0, 200 * n, { spin: 20_000 }), never)));
    expect(answers.map(({ partial }) => read(partial).sum)).toEqual(
      [1, 2, 3].map((n) => (200 * n * (200 * n - 1)) / 2),
    );
  });

  it("hands over a slice's inputs with their first task, also to a kept instance", async () => {
    const { runner: one } = runner();
    for (const [value, first] of [
      [42, 7],
      [43, 9],
    ] as const) {
      const request = { ...grain(9, 10), inputs: Uint8Array.of(value), inputsFirstTask: first };
      expect(read((await one.run(request, never)).partial)).toMatchObject({ input: value, first });
    }
  });

  it("serves timers and reports progress between steps, and counts the time", async () => {
    const fractions: number[] = [];
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const answer = await runner().runner.run(grain(0, 3000, { spin: 100_000 }), never, (f) => fractions.push(f));
    clearInterval(timer);
    expect(read(answer.partial).sum).toBe((3000 * 2999) / 2);
    expect(fractions.length).toBeGreaterThan(3);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.at(-1)).toBeLessThan(1);
    expect(ticks).toBeGreaterThan(3);
    expect(answer.computeMs).toBeGreaterThan(20);
  });

  it("rests as its duty asks, counts the rest, and still stops when told", async () => {
    const at = async (duty: number) => {
      const { runner: resting } = runner({ duty: () => duty });
      const startedMs = performance.now();
      const { computeMs, partial } = await resting.run(grain(0, 40, { spin: 4_000_000 }), never);
      return { computeMs, wallMs: performance.now() - startedMs, sum: read(partial).sum };
    };
    const all = await at(1);
    const quarter = await at(0.25);
    expect(quarter.sum).toBe(all.sum);
    // Noise of the machine is far less than the factor of four.
    expect(quarter.wallMs).toBeGreaterThan(2 * all.wallMs);
    expect(quarter.computeMs).toBeGreaterThan(2 * all.computeMs);
    const abort = new AbortController();
    const { runner: stopped } = runner({ duty: () => 0.05 });
    setTimeout(() => abort.abort(), 50);
    const startedMs = performance.now();
    await expect(stopped.run(grain(0, 1e6, { spin: 4_000_000 }), abort.signal)).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it("stops when told, and computes the next grain rightly", async () => {
    const { runner: one } = runner();
    const controller = new AbortController();
    const endless = one.run(grain(0, 2 ** 40, { spin: 1000 }), controller.signal);
    setTimeout(() => controller.abort(new Error("a reason of its own")), 60);
    await expect(endless).rejects.toMatchObject({ name: "AbortError" });
    expect(read((await one.run(grain(3, 5, { spin: 1000 }), never)).partial)).toMatchObject({ sum: 7, inits: 1 });
    await expect(one.run(grain(0, 1), controller.signal)).rejects.toMatchObject({ name: "AbortError" });
  });

  it("stops by the flag too, which another thread raises, and needs no turn to be heard", async () => {
    const flag = new StopFlag(new SharedArrayBuffer(4));
    const { runner: one } = runner({ stopped: () => flag.raised });
    const raiser = new Thread(
      "setTimeout(() => Atomics.store(new Int32Array(require('node:worker_threads').workerData), 0, 1), 60)",
      {
        eval: true,
        workerData: flag.buffer,
      },
    );
    await expect(one.run(grain(0, 2 ** 40, { spin: 1000 }), never)).rejects.toMatchObject({ name: "AbortError" });
    await raiser.terminate();
    flag.lower();
    expect(read((await one.run(grain(3, 5), never)).partial).sum).toBe(7);
  });

  it("lets a kernel's memory grow as far as its workload says, and not at all where the device allows less", async () => {
    const pages = async (memoryBytes: number, options: WasmRunnerOptions = {}): Promise<number> =>
      read((await runner(options).runner.run(grain(0, 1, { fault: 6, memoryBytes }), never)).partial).sum;
    expect(await pages(2 ** 20)).toBe(16);
    expect(await pages(3 * 65_536 + 1)).toBe(4);
    expect(await pages(2 ** 20, { memoryBytesMax: () => 2 ** 20 })).toBe(16);
    await expect(pages(2 ** 20 + 1, { memoryBytesMax: () => 2 ** 20 })).rejects.toMatchObject({
      reason: "out_of_memory",
      message: expect.stringContaining("1.0 MiB"),
    });
  });

  it("stops also while it waits for the kernel's file", async () => {
    const controller = new AbortController();
    const waiting = new WasmRunner(() => new Promise(() => {})).run(grain(0, 1), controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });

  it.each([
    [1, "invalid_params", /code 7/],
    [2, "kernel_trap", /step/],
    [3, "kernel_trap", /abort/],
    [4, "kernel_trap", /step/],
    [5, "kernel_trap", /memory/],
  ] as const)("turns fault %i into %s", async (fault, reason, message) => {
    const { runner: one } = runner();
    const failed = one.run(grain(0, 1, { fault }), never);
    await expect(failed).rejects.toThrow(KernelError);
    await expect(failed).rejects.toMatchObject({ reason, message: expect.stringMatching(message) });
    // The faulty instance is not used again.
    expect(read((await one.run(grain(0, 2), never)).partial)).toMatchObject({ sum: 1, inits: 1 });
  });

  it("says what is wrong with a file, and asks for it again", async () => {
    let tries = 0;
    const one = new WasmRunner(async (sha256) => {
      tries++;
      if (tries === 1) throw new Error("offline");
      return tries === 2 ? Uint8Array.of(1, 2, 3) : files.get(sha256)!;
    });
    await expect(one.run(grain(0, 1), never)).rejects.toMatchObject({ reason: "kernel_unavailable" });
    await expect(one.run(grain(0, 1), never)).rejects.toMatchObject({ reason: "kernel_unavailable" });
    expect(read((await one.run(grain(0, 3), never)).partial).sum).toBe(3);
    await expect(one.run({ ...grain(0, 1), files: {} }, never)).rejects.toMatchObject({ reason: "kernel_unavailable" });
  });

  it("says when memory runs out", async () => {
    const instantiate = WebAssembly.instantiate;
    // The engine's own answer to a memory that it cannot reserve; whether it can depends on the machine.
    WebAssembly.instantiate = (() =>
      Promise.reject(new RangeError("WebAssembly.Instance(): Out of memory"))) as unknown as typeof instantiate;
    try {
      const failed = runner().runner.run(grain(0, 1), never);
      await expect(failed).rejects.toMatchObject({ reason: "out_of_memory" });
    } finally {
      WebAssembly.instantiate = instantiate;
    }
  });
});
