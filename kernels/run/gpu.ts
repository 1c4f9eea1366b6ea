/** Runs any WGSL kernel by the bindings of `contract.ts`: in a tab's GPU worker, and on Dawn in Node. */
import { type GpuProgram, grainTasks } from "../contract.ts";
import { abortError, KernelError, messageOf } from "./errors.ts";
import { GrainError, type GrainRun, type GrainRunAnswer, workloadOf } from "./grains.ts";

/** What a command buffer should take, and what it may take at most while its speed is being learnt. */
const TARGET_MS = 50;
const FIRST_INVOCATIONS = 1 << 12;
const GROWTH_MAX = 4;
/** Buffers for the outputs of the grains of one batch. */
const OUTPUT_BYTES_MAX = 8 << 20;
const CHUNKS_MAX = 1024;
const PIPELINES_MAX = 16;
const CHUNK_BYTES = 32;

interface Pipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
  build: string;
}

/** Invocations first..first+count of a grain of the batch. */
interface Chunk {
  grain: number;
  taskLo: number;
  tasks: number;
  first: number;
  count: number;
}

export class GpuRunner {
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  /** Invocations that take about TARGET_MS, by pipeline and params. */
  readonly #paces = new Map<string, number>();
  #lost: string | null = null;
  /** Dispatches so far. */
  dispatches = 0;

  /** `loadFile` answers the bytes of a kernel file, checked against their hash. */
  constructor(
    private readonly device: GPUDevice,
    private readonly loadFile: (sha256: string) => Promise<Uint8Array>,
  ) {
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
    const most = Math.max(1, Math.floor(OUTPUT_BYTES_MAX / stride));
    const answer: GrainRunAnswer = { partials: [], computeMs: 0, build: file.sha256 };
    for (let lo = run.lo; lo < run.hi; lo += most) {
      const batch = { ...run, lo, hi: Math.min(run.hi, lo + most) };
      const { partials, computeMs } = await this.#batch(batch, program, pipeline, stride, signal, onFraction);
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
    const buffers = await this.#allocate({
      params: { size: align4(params.length), usage: GPUBufferUsages.STORAGE | GPUBufferUsages.COPY_DST },
      output: { size, usage: GPUBufferUsages.STORAGE | GPUBufferUsages.COPY_SRC },
      chunks: { size: CHUNKS_MAX * ALIGNMENT, usage: GPUBufferUsages.UNIFORM | GPUBufferUsages.COPY_DST },
      read: { size, usage: GPUBufferUsages.MAP_READ | GPUBufferUsages.COPY_DST },
    });
    try {
      device.queue.writeBuffer(buffers.params, 0, padded(params));
      const outputBytes = program.outputBytes(run.payload);
      const group = device.createBindGroup({
        layout: pipeline.layout,
        entries: [
          { binding: 0, resource: { buffer: buffers.params } },
          { binding: 1, resource: { buffer: buffers.output, size: outputBytes } },
          { binding: 2, resource: { buffer: buffers.chunks, size: CHUNK_BYTES } },
        ],
      });
      const computeMs = await this.#submitAll(
        run,
        program,
        pipeline,
        group,
        buffers.chunks,
        stride,
        signal,
        onFraction,
      );
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffers.output, 0, buffers.read, 0, size);
      device.queue.submit([encoder.finish()]);
      await buffers.read.mapAsync(GPUMapModes.READ);
      const bytes = new Uint8Array(buffers.read.getMappedRange()).slice();
      buffers.read.unmap();
      const partials = Array.from({ length: grains }, (_, index) => {
        const [lo, hi] = grainTasks(run, run.lo + index);
        const output = bytes.subarray(index * stride, index * stride + outputBytes);
        return program.decode(run.payload, run.round, lo, hi, output);
      });
      return { partials, computeMs };
    } finally {
      for (const buffer of Object.values(buffers)) buffer.destroy();
    }
  }

  /** Submits the batch's chunks, each command buffer as large as takes about TARGET_MS on this device. */
  async #submitAll(
    run: GrainRun,
    program: GpuProgram<unknown>,
    pipeline: Pipeline,
    group: GPUBindGroup,
    chunkBuffer: GPUBuffer,
    stride: number,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<number> {
    const paceKey = `${pipeline.build}/${run.workload}/${JSON.stringify(run.payload).slice(0, 200)}`;
    const total = totalInvocations(run, program);
    let done = 0;
    let computeMs = 0;
    const source = chunksOf(run, program);
    let rest: Chunk | null = null;
    for (;;) {
      if (signal.aborted) throw abortError();
      const budget = this.#paces.get(paceKey) ?? FIRST_INVOCATIONS;
      const taken = take(source, rest, budget);
      rest = taken.rest;
      if (taken.chunks.length === 0) return computeMs;
      const startedMs = performance.now();
      this.#submit(taken.chunks, program, pipeline, group, chunkBuffer, stride);
      await this.device.queue.onSubmittedWorkDone();
      if (this.#lost !== null) throw new KernelError("device_lost", this.#lost);
      const ms = performance.now() - startedMs;
      const invocations = taken.chunks.reduce((sum, chunk) => sum + chunk.count, 0);
      computeMs += ms;
      done += invocations;
      this.#notePace(paceKey, budget, invocations, ms);
      onFraction(done / total);
    }
  }

  #notePace(key: string, budget: number, invocations: number, ms: number): void {
    // A last, short buffer says little about a full one, unless it took too long.
    if (invocations < budget / 2 && ms < TARGET_MS) return;
    const fitting = Math.floor((invocations * TARGET_MS) / Math.max(ms, 0.05));
    if (this.#paces.size >= 64) this.#paces.clear();
    this.#paces.set(key, Math.max(64, Math.min(fitting, budget * GROWTH_MAX, 2 ** 30)));
  }

  #submit(
    chunks: readonly Chunk[],
    program: GpuProgram<unknown>,
    { pipeline }: Pipeline,
    group: GPUBindGroup,
    chunkBuffer: GPUBuffer,
    stride: number,
  ): void {
    const { workgroupSize } = program;
    const words = new Uint32Array((chunks.length * ALIGNMENT) / 4);
    const rows = chunks.map((chunk, index) => {
      const groups = Math.ceil(chunk.count / workgroupSize);
      const x = Math.min(groups, 65_535);
      const taskHi = Math.floor(chunk.taskLo / 2 ** 32);
      words.set(
        [chunk.taskLo % 2 ** 32, taskHi, chunk.tasks, chunk.first, chunk.count, x * workgroupSize, 0, 0],
        (index * ALIGNMENT) / 4,
      );
      return [x, Math.ceil(groups / x)] as const;
    });
    this.device.queue.writeBuffer(chunkBuffer, 0, words);
    const encoder = this.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    for (const [index, [x, y]] of rows.entries()) {
      pass.setBindGroup(0, group, [(chunks[index] as Chunk).grain * stride, index * ALIGNMENT]);
      pass.dispatchWorkgroups(x, y);
      this.dispatches++;
    }
    pass.end();
    this.device.queue.submit([encoder.finish()]);
  }

  /** Zeroed buffers, or KernelError("out_of_memory"). */
  async #allocate<Name extends string>(wanted: Record<Name, GPUBufferDescriptor>): Promise<Record<Name, GPUBuffer>> {
    const { device } = this;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const made = Object.entries(wanted).map(
      ([name, descriptor]) => [name, device.createBuffer(descriptor as GPUBufferDescriptor)] as const,
    );
    const [memory, validation] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    if (!memory && !validation) return Object.fromEntries(made) as Record<Name, GPUBuffer>;
    for (const [, buffer] of made) buffer.destroy();
    throw new KernelError("out_of_memory", `The GPU has no room for this grain: ${(memory ?? validation)?.message}`);
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

function padded(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(align4(bytes.length));
  out.set(bytes);
  return out;
}

function totalInvocations(run: GrainRun, program: GpuProgram<unknown>): number {
  let total = 0;
  for (let grain = run.lo; grain < run.hi; grain++) {
    const [lo, hi] = grainTasks(run, grain);
    total += program.invocations(run.payload, hi - lo);
  }
  return total;
}

/** Each grain as one chunk; `take` cuts them. */
function* chunksOf(run: GrainRun, program: GpuProgram<unknown>): Generator<Chunk> {
  for (let grain = run.lo; grain < run.hi; grain++) {
    const [lo, hi] = grainTasks(run, grain);
    const count = program.invocations(run.payload, hi - lo);
    yield { grain: grain - run.lo, taskLo: lo, tasks: hi - lo, first: 0, count };
  }
}

/** Chunks of at most `budget` invocations together, and what is left of the last one. */
function take(source: Generator<Chunk>, rest: Chunk | null, budget: number): { chunks: Chunk[]; rest: Chunk | null } {
  const chunks: Chunk[] = [];
  let left = budget;
  let current = rest ?? nextOf(source);
  while (current && chunks.length < CHUNKS_MAX) {
    const count = Math.min(current.count, left);
    if (count > 0) chunks.push({ ...current, count });
    left -= count;
    if (count < current.count)
      return { chunks, rest: { ...current, first: current.first + count, count: current.count - count } };
    if (left <= 0) return { chunks, rest: nextOf(source) };
    current = nextOf(source);
  }
  return { chunks, rest: current };
}

function nextOf(source: Generator<Chunk>): Chunk | null {
  const next = source.next();
  return next.done ? null : next.value;
}
