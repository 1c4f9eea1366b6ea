/** Runs any WGSL kernel by the bindings of `contract.ts`: in a tab's GPU worker, and on Dawn in Node. */
import { type GpuProgram, grainTasks } from "../contract.ts";
import { abortError, KernelError, messageOf } from "./errors.ts";
import { CHUNKS_MAX, type Chunk, Chunks, GpuPaces, paceKey } from "./gpu-chunks.ts";
import { allocate, underErrorScopes } from "./gpu-memory.ts";
import { GrainError, type GrainRun, type GrainRunAnswer, workloadOf } from "./grains.ts";
import { restFor } from "./rest.ts";

/** Buffers for the outputs of the grains of one batch. */
const OUTPUT_BYTES_MAX = 8 << 20;
const PIPELINES_MAX = 16;
const CHUNK_BYTES = 32;

export interface GpuRunnerOptions {
  /** Whether to stop now, asked before each command buffer beside the signal. */
  stopped?: () => boolean;
  /** Share of the time that the GPU may compute, asked after each command buffer: it rests for the remainder. */
  duty?: () => number;
}

interface Pipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  build: string;
}

export class GpuRunner {
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  #lost: string | null = null;
  /** Dispatches so far. */
  dispatches = 0;

  readonly #paces: Pick<GpuPaces, "budget" | "note">;

  /**
   * `loadFile` answers the bytes of a kernel file, checked against their hash. `paces`: learnt on the device when left
   * out.
   */
  constructor(
    private readonly device: GPUDevice,
    private readonly loadFile: (sha256: string) => Promise<Uint8Array>,
    paces: Pick<GpuPaces, "budget" | "note"> = new GpuPaces(),
    private readonly options: GpuRunnerOptions = {},
  ) {
    this.#paces = paces;
    void device.lost.then((info) => {
      this.#lost = info.message || info.reason || "lost";
    });
  }

  /** Grains lo..hi. Rejects with GrainError, or an AbortError between two command buffers. */
  async run(
    run: GrainRun,
    signal: AbortSignal,
    onFraction: (fraction: number) => void = () => {},
  ): Promise<GrainRunAnswer> {
    try {
      return await this.#run(run, signal, onFraction);
    } catch (error) {
      if (error instanceof Error && error.name === "AbortError") throw error;
      if (this.#lost !== null)
        throw new GrainError(run.lo, new KernelError("device_lost", this.#lost, { cause: error }));
      throw new GrainError(run.lo, error);
    }
  }

  async #run(run: GrainRun, signal: AbortSignal, onFraction: (fraction: number) => void): Promise<GrainRunAnswer> {
    const program = workloadOf(run).gpu as GpuProgram<unknown> | undefined;
    const file = run.files.wgsl;
    if (!program || !file) throw new KernelError("kernel_unavailable", `${run.workload} has no shader.`);
    if (this.#lost !== null) throw new KernelError("device_lost", this.#lost);
    const pipeline = await this.#pipeline(file.sha256);
    const stride = align(program.outputBytes(run.payload));
    const most = program.session?.(run.payload, 0) ? 1 : Math.max(1, Math.floor(OUTPUT_BYTES_MAX / stride));
    const answer: GrainRunAnswer = { partials: [], computeMs: 0, build: file.sha256 };
    for (let lo = run.lo; lo < run.hi; lo += most) {
      const batch = { ...run, lo, hi: Math.min(run.hi, lo + most) };
      const { partials, computeMs } = await underErrorScopes(this.device, () =>
        this.#batch(batch, program, pipeline, stride, signal, onFraction),
      );
      answer.partials.push(...partials);
      answer.computeMs += computeMs;
    }
    return answer;
  }

  /** Grains whose outputs fit one buffer: all their chunks, then one read-back. */
  async #batch(
    run: GrainRun,
    program: GpuProgram<unknown>,
    pipeline: Pipeline,
    stride: number,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<{ partials: Uint8Array[]; computeMs: number }> {
    const { device } = this;
    const grains = run.hi - run.lo;
    const params = program.params(run.payload, run.round);
    const size = grains * stride;
    const inputs = gatherInputs(run, program);
    const buffers = await allocate(device, {
      params: { size: align4(params.length), usage: GPUBufferUsages.STORAGE | GPUBufferUsages.COPY_DST },
      output: { size, usage: GPUBufferUsages.STORAGE | GPUBufferUsages.COPY_SRC },
      chunks: { size: CHUNKS_MAX * ALIGNMENT, usage: GPUBufferUsages.UNIFORM | GPUBufferUsages.COPY_DST },
      scratch: { size: align4(program.scratchBytes?.(run.payload) ?? 0), usage: GPUBufferUsages.STORAGE },
      inputs: { size: inputs.bytes.length, usage: GPUBufferUsages.STORAGE | GPUBufferUsages.COPY_DST },
      read: { size, usage: GPUBufferUsages.MAP_READ | GPUBufferUsages.COPY_DST },
    });
    try {
      device.queue.writeBuffer(buffers.params, 0, padded(params));
      device.queue.writeBuffer(buffers.inputs, 0, inputs.bytes);
      const outputBytes = program.outputBytes(run.payload);
      const group = device.createBindGroup({
        layout: pipeline.layout,
        entries: [
          { binding: 0, resource: { buffer: buffers.params } },
          { binding: 1, resource: { buffer: buffers.output, size: outputBytes } },
          { binding: 2, resource: { buffer: buffers.chunks, size: CHUNK_BYTES } },
          { binding: 3, resource: { buffer: buffers.inputs, size: inputs.size } },
          { binding: 4, resource: { buffer: buffers.scratch } },
        ],
      });
      const [first] = grainTasks(run, run.lo);
      const session = program.session?.(run.payload, first) ?? null;
      let computeMs = 0;
      for (let turn = 0; ; turn++) {
        const chunks = new Chunks(run, program, turn);
        const strides = [stride, inputs.stride] as const;
        computeMs += await this.#submitAll(
          run,
          program,
          pipeline,
          group,
          buffers.chunks,
          chunks,
          strides,
          signal,
          onFraction,
        );
        const bytes = await this.#readBack(buffers.output, buffers.read, size);
        const again = session?.next(bytes.subarray(0, outputBytes)) ?? null;
        if (again !== null) {
          device.queue.writeBuffer(buffers.params, 0, padded(again));
          continue;
        }
        if (session) return { partials: [session.partial(computeMs)], computeMs };
        const partials = Array.from({ length: grains }, (_, index) => {
          const [lo, hi] = grainTasks(run, run.lo + index);
          const output = bytes.subarray(index * stride, index * stride + outputBytes);
          return program.decode(run.payload, run.round, lo, hi, output);
        });
        return { partials, computeMs };
      }
    } finally {
      for (const buffer of Object.values(buffers)) buffer.destroy();
    }
  }

  async #readBack(output: GPUBuffer, read: GPUBuffer, size: number): Promise<Uint8Array> {
    const encoder = this.device.createCommandEncoder();
    encoder.copyBufferToBuffer(output, 0, read, 0, size);
    this.device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapModes.READ);
    const bytes = new Uint8Array(read.getMappedRange()).slice();
    read.unmap();
    return bytes;
  }

  /** Submits the batch's chunks, each command buffer as large as this device's pace allows. */
  async #submitAll(
    run: GrainRun,
    program: GpuProgram<unknown>,
    pipeline: Pipeline,
    group: GPUBindGroup,
    chunkBuffer: GPUBuffer,
    chunks: Chunks,
    strides: readonly [output: number, inputs: number],
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<number> {
    const key = paceKey(pipeline.build, workloadOf(run), run);
    let done = 0;
    let computeMs = 0;
    for (;;) {
      if (signal.aborted || this.options.stopped?.()) throw abortError();
      const taken = chunks.take(this.#paces.budget(key));
      if (taken.length === 0) return computeMs;
      const startedMs = performance.now();
      this.#submit(taken, program.workgroupSize(run.payload), pipeline, group, chunkBuffer, strides);
      await this.device.queue.onSubmittedWorkDone();
      if (this.#lost !== null) throw new KernelError("device_lost", this.#lost);
      const ms = performance.now() - startedMs;
      computeMs += await restFor(ms, this.options.duty?.() ?? 1);
      const invocations = taken.reduce((sum, chunk) => sum + chunk.count, 0);
      computeMs += ms;
      done += invocations;
      this.#paces.note(key, invocations, ms);
      onFraction(done / chunks.total);
    }
  }

  #submit(
    chunks: readonly Chunk[],
    workgroupSize: number,
    { pipeline }: Pipeline,
    group: GPUBindGroup,
    chunkBuffer: GPUBuffer,
    [stride, inputsStride]: readonly [output: number, inputs: number],
  ): void {
    const words = new Uint32Array((chunks.length * ALIGNMENT) / 4);
    const rows = chunks.map((chunk, index) => {
      const groups = Math.ceil(chunk.count / workgroupSize);
      const x = Math.min(groups, 65_535);
      const taskHi = Math.floor(chunk.taskLo / 2 ** 32);
      words.set(
        [chunk.taskLo % 2 ** 32, taskHi, chunk.tasks, chunk.first, chunk.count, x * workgroupSize, chunk.pass, 0],
        (index * ALIGNMENT) / 4,
      );
      return [x, Math.ceil(groups / x)] as const;
    });
    this.device.queue.writeBuffer(chunkBuffer, 0, words);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (const [index, [x, y]] of rows.entries()) {
      const { grain } = chunks[index] as Chunk;
      pass.setBindGroup(0, group, [grain * stride, index * ALIGNMENT, grain * inputsStride]);
      pass.dispatchWorkgroups(x, y);
      this.dispatches++;
    }
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  #pipeline(sha256: string): Promise<Pipeline> {
    const known = this.#pipelines.get(sha256);
    if (known) return known;
    const compiled = this.#compile(sha256);
    this.#pipelines.set(sha256, compiled);
    compiled.catch(() => this.#pipelines.delete(sha256));
    const [oldest] = this.#pipelines.keys();
    if (this.#pipelines.size > PIPELINES_MAX && oldest !== undefined) this.#pipelines.delete(oldest);
    return compiled;
  }

  async #compile(sha256: string): Promise<Pipeline> {
    const code = new TextDecoder().decode(await this.loadFile(sha256));
    const { device } = this;
    const visibility = 4; // GPUShaderStage.COMPUTE
    const layout = device.createBindGroupLayout({
      entries: [
        { binding: 0, visibility, buffer: { type: "read-only-storage" } },
        { binding: 1, visibility, buffer: { type: "storage", hasDynamicOffset: true } },
        { binding: 2, visibility, buffer: { type: "uniform", hasDynamicOffset: true } },
        { binding: 3, visibility, buffer: { type: "read-only-storage", hasDynamicOffset: true } },
        { binding: 4, visibility, buffer: { type: "storage" } },
      ],
    });
    const module = device.createShaderModule({ code });
    try {
      const pipeline = await device.createComputePipelineAsync({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
      return { pipeline, layout, build: sha256 };
    } catch (error) {
      const { messages } = await module.getCompilationInfo();
      const first = messages.find((message) => message.type === "error");
      const where = first ? ` (line ${first.lineNum}, column ${first.linePos}: ${first.message})` : "";
      throw new KernelError("kernel_unavailable", `The shader does not compile here: ${messageOf(error)}${where}`);
    }
  }
}

/** Offsets of bindings are multiples of this on every device. */
const ALIGNMENT = 256;
/** As the specification numbers them; Node has no such globals. */
const GPUBufferUsages = { MAP_READ: 0x1, COPY_SRC: 0x4, COPY_DST: 0x8, UNIFORM: 0x40, STORAGE: 0x80 } as const;
const GPUMapModes = { READ: 0x1 } as const;

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
const align4 = (bytes: number): number => Math.max(16, Math.ceil(bytes / 4) * 4);

/** The inputs of a batch's grains, one after the other in rooms of `stride` bytes; a few zeros where there are none. */
function gatherInputs(
  run: GrainRun,
  program: GpuProgram<unknown>,
): { bytes: Uint8Array<ArrayBuffer>; size: number; stride: number } {
  const slice = run.inputs && { bytes: run.inputs, first: run.inputsFirstTask };
  const each = Array.from({ length: run.hi - run.lo }, (_, index) => {
    const [lo, hi] = grainTasks(run, run.lo + index);
    return program.inputs?.(run.payload, run.round, lo, hi, slice, run.input) ?? null;
  });
  const longest = each.reduce((most, bytes) => Math.max(most, bytes?.length ?? 0), 0);
  if (longest === 0) return { bytes: new Uint8Array(ALIGNMENT), size: 16, stride: 0 };
  const stride = align(longest);
  const bytes = new Uint8Array(stride * each.length);
  for (const [index, one] of each.entries()) if (one) bytes.set(one, index * stride);
  return { bytes, size: align4(longest), stride };
}

function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(align4(bytes.length));
  out.set(bytes);
  return out;
}
