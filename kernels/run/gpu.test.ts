/** The runner of shaders on a device that objects: real devices do so too seldom to test by. */
import { beforeAll, beforeEach, expect, test } from "vitest";
import { workloads } from "../workloads.ts";
import { GpuRunner, type GpuRunnerOptions } from "./gpu.ts";
import { calibrationRun, type GrainRun } from "./grains.ts";

type Kind = "validation" | "out-of-memory";

/** A device whose calls may be made to fail as WebGPU's do: silently, but for the innermost scope of their kind. */
class FakeDevice {
  readonly #scopes: { kind: Kind; error: { message: string } | null }[] = [];
  readonly lost = new Promise<never>(() => {});
  buffers = 0;
  submits = 0;
  /** Calls that fail, with how. */
  faults: Partial<Record<"createBuffer" | "createBindGroup" | "submit", Kind>> = {};
  readonly queue = {
    writeBuffer: () => {},
    submit: () => {
      this.submits++;
      this.#call("submit");
    },
    onSubmittedWorkDone: async () => {},
  };

  get openScopes(): number {
    return this.#scopes.length;
  }
  pushErrorScope(kind: Kind): void {
    this.#scopes.push({ kind, error: null });
  }
  async popErrorScope(): Promise<{ message: string } | null> {
    return this.#scopes.pop()?.error ?? null;
  }
  #call(name: keyof FakeDevice["faults"]): void {
    const kind = this.faults[name];
    const scope = this.#scopes.findLast((each) => each.kind === kind);
    if (kind === undefined) return;
    if (!scope) throw new Error(`nobody would hear of the ${kind} error in ${name}`);
    scope.error ??= { message: `${kind} in ${name}` };
  }

  createBuffer({ size }: { size: number }): unknown {
    this.#call("createBuffer");
    this.buffers++;
    return {
      mapAsync: async () => {},
      getMappedRange: () => new ArrayBuffer(size),
      unmap: () => {},
      destroy: () => this.buffers--,
    };
  }
  createBindGroup(): unknown {
    this.#call("createBindGroup");
    return {};
  }
  createBindGroupLayout = () => ({});
  createPipelineLayout = () => ({});
  createShaderModule = () => ({});
  createComputePipelineAsync = async () => ({});
  createCommandEncoder = () => ({
    beginComputePass: () => ({ setPipeline() {}, setBindGroup() {}, dispatchWorkgroups() {}, end() {} }),
    copyBufferToBuffer: () => {},
    finish: () => ({}),
  });
}

let device: FakeDevice;
let run: GrainRun;
const signal = new AbortController().signal;

beforeAll(() => {
  const type = [...workloads.values()].find(({ gpu }) => gpu !== undefined)?.type as string;
  run = calibrationRun(type, { wgsl: { sha256: "f".repeat(64), bytes: 1 } });
});
beforeEach(() => {
  device = new FakeDevice();
});
const runner = (options?: GpuRunnerOptions): GpuRunner =>
  new GpuRunner(
    device as unknown as GPUDevice,
    async () => new Uint8Array([32]),
    { budget: () => 64, note: () => {} },
    options,
  );
const failure = async (): Promise<unknown> => {
  const error = await runner()
    .run(run, signal)
    .catch((thrown) => thrown);
  return (error as { cause: { reason: string; message: string } }).cause;
};

test.each([
  ["createBuffer", "out-of-memory", "out_of_memory"],
  ["createBuffer", "validation", "out_of_memory"],
  ["createBindGroup", "validation", "internal"],
  ["submit", "validation", "internal"],
  ["submit", "out-of-memory", "out_of_memory"],
] as const)("a failure in %s (%s) fails the grain, and frees all buffers", async (call, kind, reason) => {
  device.faults = { [call]: kind };
  expect(await failure()).toMatchObject({ reason, message: expect.stringContaining(`${kind} in ${call}`) });
  expect([device.buffers, device.openScopes]).toEqual([0, 0]);
});

test("stops before the next command buffer when the flag is raised", async () => {
  await expect(runner({ stopped: () => device.submits >= 3 }).run(run, signal)).rejects.toMatchObject({
    name: "AbortError",
  });
  expect([device.submits, device.buffers, device.openScopes]).toEqual([3, 0, 0]);
});

test("rests between command buffers as its duty asks, and counts the rest", async () => {
  // A command buffer of this device takes 5 ms.
  device.queue.onSubmittedWorkDone = () => new Promise((resolve) => setTimeout(resolve, 5));
  const stopAt = (count: number) => () => device.submits >= count;
  const wallMs = async (duty: number): Promise<number> => {
    device.submits = 0;
    const startedMs = performance.now();
    await runner({ duty: () => duty, stopped: stopAt(10) })
      .run(run, signal)
      .catch(() => {});
    return performance.now() - startedMs;
  };
  const all = await wallMs(1);
  expect(await wallMs(0.2)).toBeGreaterThan(2 * all);
});
