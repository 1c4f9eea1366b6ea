import { describe, expect, it } from "vitest";
import type { KernelFiles } from "../../protocol/messages.ts";
import { grainTasks } from "../contract.ts";
import { loadManifest, readKernelFile } from "../manifest.ts";
import { workloads } from "../workloads.ts";
import { KernelError } from "./errors.ts";
import { calibrationRun, calibrationSpeed, GrainError, type GrainRun, runWasmGrains, workloadOf } from "./grains.ts";
import { WasmRunner } from "./wasm.ts";

const signal = new AbortController().signal;
const manifest = loadManifest();
const runner = () => new WasmRunner(async (sha256) => readKernelFile("wasm", sha256));
const filesOf = (type: string): KernelFiles => (manifest[type] as { files: KernelFiles }).files;

/** Ten batches of 1,000 darts, in grains of four. */
function dartsRun(fields: Partial<GrainRun> = {}): GrainRun {
  const workload = workloadOf({ workload: "monte_carlo" });
  return {
    workload: "monte_carlo",
    files: filesOf("monte_carlo"),
    payload: workload.payload.parse({ iterations: 10_000, samples: 1_000 }),
    round: 0,
    tasks: 10,
    grainTasks: 4,
    input: null,
    inputs: null,
    inputsFirstTask: 0,
    lo: 0,
    hi: 3,
    ...fields,
  };
}

describe("runs of grains", () => {
  it("computes each grain of the range, the short last one too", async () => {
    const answer = await runWasmGrains(runner(), dartsRun(), signal, () => {});
    const paths = answer.partials.map((partial) => new DataView(partial.buffer).getBigUint64(0, true));
    expect(paths).toEqual([4_000n, 4_000n, 2_000n]);
    expect(answer.computeMs).toBeGreaterThan(0);
    expect([filesOf("monte_carlo")["wasm-simd"]?.sha256, filesOf("monte_carlo")["wasm-scalar"]?.sha256]).toContain(
      answer.build,
    );
  });

  it("begins in the middle with the grain that is asked for", async () => {
    const all = await runWasmGrains(runner(), dartsRun(), signal, () => {});
    const one = await runWasmGrains(runner(), dartsRun({ lo: 1, hi: 2 }), signal, () => {});
    expect(one.partials).toEqual([all.partials[1]]);
  });

  it("names the grain that could not be computed", async () => {
    // The kernel is read once the first grain begins: the range's own first, not grain 0.
    const broken = new WasmRunner(async () => Promise.reject(new Error("no such file")));
    const failure = await runWasmGrains(broken, dartsRun({ lo: 2, hi: 3 }), signal, () => {}).catch((error) => error);
    expect(failure).toBeInstanceOf(GrainError);
    expect(failure).toMatchObject({ grain: 2, cause: { reason: "kernel_unavailable" } });
    expect(failure.message).toContain("no such file");
  });

  it("passes an abort on as it is", async () => {
    const abort = new AbortController();
    abort.abort();
    await expect(runWasmGrains(runner(), dartsRun(), abort.signal, () => {})).rejects.toMatchObject({
      name: "AbortError",
    });
  });

  it("refuses a workload that this build does not have", async () => {
    expect(() => workloadOf({ workload: "weather" })).toThrow(KernelError);
    const failure = await runWasmGrains(runner(), dartsRun({ workload: "weather" }), signal, () => {}).catch((e) => e);
    expect(failure).toMatchObject({ grain: 0, cause: { reason: "kernel_unavailable" } });
  });
});

describe.each([...workloads.keys()])("calibration of %s", (type) => {
  it("is one grain of the workload's own payload", () => {
    const run = calibrationRun(type, filesOf(type));
    const { calibration, plan, payload } = workloadOf({ workload: type });
    expect(run.payload).toEqual(payload.parse(calibration));
    expect([run.lo, run.hi]).toEqual([0, 1]);
    expect([run.tasks, run.grainTasks]).toEqual([plan(calibration).tasks, plan(calibration).grainTasks]);
  });

  it("tells a speed in operations a second, also where the clock saw no time pass", () => {
    const run = calibrationRun(type, filesOf(type));
    const { operations } = workloadOf(run).cost(run.payload, ...grainTasks(run, 0));
    expect(calibrationSpeed(run, 500)).toBeCloseTo(operations * 2, 3);
    expect(Number.isFinite(calibrationSpeed(run, 0))).toBe(true);
  });
});
