/**
 * The contract of a workload: everything that the grid knows about one kind of computation.
 *
 * A job is a sequence of rounds; a round has `tasks` derived tasks, numbered from 0 and never
 * stored. A fixed run of `grainTasks` tasks is a *grain*; what one grain computes is a
 * *partial*: at most 64 KiB of canonical bytes (equal results have equal bytes wherever the
 * arithmetic is exact). Partials of neighbouring grains merge along the range.
 *
 * One folder under `workloads/` holds:
 *
 *   workload.ts     exports default `Workload`; browser-safe; no I/O
 *   host.ts         exports default `Host`; runs in the coordinator's judge threads; may use libraries
 *   kernel.as.ts    AssemblyScript, compiled to a SIMD and a scalar build (ABI below)
 *   kernel.wgsl     the same computation as a compute shader, described by `Workload.gpu`
 *   vectors.json    payloads and grains with their expected partials, for conformance
 *
 * and `registry.ts` has one line for it.
 *
 * ## ABI of a WASM kernel
 *
 * Imports: only `env.abort`. Exports:
 *
 *   memory
 *   params(length: i32): i32       pointer to `length` writable bytes; the runner copies `Workload.params()` there
 *   round(length: i32): i32        likewise for what earlier rounds produced (only kernels of workloads with rounds)
 *   input(length: i32, first: f64): i32  likewise for the slice's inputs, which begin with those of task `first`
 *                                  (only kernels of workloads with `inputs`); called after `init`
 *   init(): i32                    reads the params and the round's input; 0, or a positive error code
 *   begin(lo: f64, hi: f64): void  starts on tasks lo..hi of the round (exact integers below 2^53)
 *   step(units: i32): i32          computes at most `units` more units; 1 when the range is done, else 0
 *   fraction(): f64                optional: share of the range that is done, 0 to 1
 *   took(ms: f64): void            optional: how long this thread computed the range, told before `partial`
 *   partial(): i32                 pointer to the partial's bytes; valid after `step` returned 1
 *   partialLength(): i32
 *
 * A *unit* is the kernel's own smallest piece of work, some 10^4 to 10^6 operations; the runner tunes
 * `units` so that a step takes at most 50 ms. No allocation happens after `init`, except for inputs.
 *
 * ## Bindings of a WGSL kernel (entry point `main`)
 *
 *   @group(0) @binding(0) var<storage, read> params: array<u32>          Workload.gpu.params()
 *   @group(0) @binding(1) var<storage, read_write> output: array<...>    one grain's output, zeroed before it
 *   @group(0) @binding(2) var<uniform> chunk: Chunk                      dynamic offset
 *   @group(0) @binding(3) var<storage, read> inputs: array<u32>          one grain's Workload.gpu.inputs(), where it has any
 *   @group(0) @binding(4) var<storage, read_write> scratch: array<...>   Workload.gpu.scratchBytes(), as the pass before left it
 *
 *   struct Chunk { taskLo: u32, taskHi: u32,   // first task of the grain, low and high 32 bits
 *                  tasks: u32,                 // tasks in the grain
 *                  first: u32, count: u32,     // invocations first..first+count of the grain run now
 *                  width: u32,                 // invocations per row of the 2-D dispatch
 *                  pass_: u32, pad1: u32 }     // number of the pass, where there are several
 *
 * Invocation number = chunk.first + gid.y * chunk.width + gid.x; those at or past first+count return at once.
 */
import type { z } from "zod";
import type { Backend } from "../protocol/messages.ts";
import type { BeliefPlan } from "./verification.ts";

export { type BeliefPlan, defaultPlan, errorOfGrains, resolveVerification, type Verification } from "./verification.ts";

/** Families that a volunteer switches on or off as one. */
export interface Family {
  /** Wire name, as "simulation". */
  id: string;
  /** For the volunteer's page, in plain words. */
  title: string;
  summary: string;
  /** Off until the volunteer switches it on. */
  optIn: boolean;
}

export interface Plan {
  /** Tasks of the first round, 1 to 2^53 - 1. */
  tasks: number;
  /** Tasks in a grain (the last may be shorter): about a second of one plain WASM core, at most 2^20 grains. */
  grainTasks: number;
  needs: Needs;
  /** "reduce": partials merge to one value. "rows": partials are the output, in order. "blobs": as rows, by reference. */
  output: "reduce" | "rows" | "blobs";
}

export interface Needs {
  /** Backends that can compute this payload. */
  backends: readonly Backend[];
  memoryBytes: number;
  /** Engines that a native node must have, as "ffmpeg". */
  engines: readonly string[];
  /** What a volunteer must have switched on beside the workload's family; see `Workload.consents`. */
  consents?: readonly string[];
  /** Volunteers get it only once an own node has computed a grain of it. */
  triedFirst?: boolean;
}

/**
 * What tasks lo..hi cost. Operations are the workload's own unit, the same for every backend. Grains of a round
 * are priced alike, at the round's mean.
 */
export interface Cost {
  operations: number;
  bytes: number;
}

/** How a result is believed. */
export interface Belief {
  /** exact: bit for bit, a mismatch is proof. tolerance: within a bound, a mismatch is not. */
  kind: "exact" | "tolerance";
  /**
   * complete: `Host.check` proves the whole result. evidence: it recomputes a part of it (an audit is
   * still needed). none: there is nothing to check but a replay.
   */
  certificate: "complete" | "evidence" | "none";
  /** Compares two partials of the same grain. `null` when they agree, else the reason. */
  disagreement(a: Uint8Array, b: Uint8Array): string | null;
  /** First bytes of a partial that only its node knows, as the time it took: nothing is compared with them. */
  claimedBytes?: number;
}

/** How the kernel runs as a compute shader. */
export interface GpuProgram<Payload> {
  /** Threads in a workgroup, as in the shader's @workgroup_size. */
  workgroupSize(payload: Payload): number;
  params(payload: Payload, round: number): Uint8Array;
  /** Bytes of a grain's output buffer: a multiple of 4, at most 64 KiB. */
  outputBytes(payload: Payload): number;
  /** Invocations that a grain of `tasks` tasks takes, at most 2^32 - 1. */
  invocations(payload: Payload, tasks: number): number;
  /**
   * What the invocations of tasks lo..hi read; a multiple of 4 bytes, or null. `slice`: what came with the lease; `input`:
   * what the round was handed.
   */
  inputs?(
    payload: Payload,
    round: number,
    lo: number,
    hi: number,
    slice: TaskInputs | null,
    input: Uint8Array | null,
  ): Uint8Array | null;
  /**
   * Invocations of each pass over a grain, one after the other: what one wrote the next may read. Those of none are left
   * out. Without it there is one pass. `turn`: 0, or how often the session asked for more.
   */
  passes?(payload: Payload, round: number, lo: number, hi: number, turn: number): readonly number[];
  /** Of the buffer that passes share. */
  scratchBytes?(payload: Payload): number;
  /** Where what was put out decides about further passes; one for each grain. */
  session?(payload: Payload, lo: number): GpuSession | null;
  /** Turns a grain's output buffer into its partial. */
  decode(payload: Payload, round: number, lo: number, hi: number, output: Uint8Array): Uint8Array;
}

/** The host's part of a grain that takes several turns. */
export interface GpuSession {
  /** Parameters of the next turn, as many bytes as the first's; null when there is none. May throw KernelError. */
  next(output: Uint8Array): Uint8Array | null;
  /** `ms`: time of all turns. */
  partial(ms: number): Uint8Array;
}

/** What came with a slice, and the first task that it belongs to. */
export interface TaskInputs {
  bytes: Uint8Array;
  first: number;
}

/** How jobs bring modules of their own, which turn each task's input into its output (ABI in run/task-instance.ts). */
export interface TaskProgram<Payload> {
  input(payload: Payload, index: number, slice: TaskInputs | null): Uint8Array;
  /** Whether outputs are folded by the module's `merge`: a grain's into one, and those of grains in further rounds. */
  merges?(payload: Payload): boolean;
  /** In a round after the first: the outputs that task `index` folds, out of what the round was handed. */
  group?(payload: Payload, input: Uint8Array, index: number): readonly Uint8Array[];
  /** The partial of a grain, from its tasks' outputs in order. */
  pack(payload: Payload, outputs: readonly Uint8Array[]): Uint8Array;
  outputBytesMax(payload: Payload): number;
  /** What a task may take on the machine where it was tried, in milliseconds. */
  taskMsMax(payload: Payload): number;
  /** Of the random numbers that tasks draw. */
  seed(payload: Payload): number;
}

/** Samples of a grain, for a volunteer's page to draw: real ones, which its kernel computed with. */
export interface Picture {
  /** Darts at a square, of which those within the quarter circle count. */
  kind: "darts";
  /** Pairs x, y from 0 to 1; at most 512 pairs. */
  points: Float64Array;
}

export interface Workload<Payload = unknown, Task = unknown, Result = unknown> {
  /** Wire name, as "monte_carlo". */
  type: string;
  title: string;
  /** One sentence for researchers. */
  summary: string;
  family: Family;
  /** Stricter consents, for payloads that name them in their `needs`: a volunteer switches them on one by one. */
  consents?: readonly Family[];
  examples: readonly { title: string; payload: unknown }[];
  /** Refuses bad input with the field's path. */
  payload: z.ZodType<Payload>;
  plan(payload: Payload): Plan;
  /** Derived and deterministic; for humans, tests and generic kernels. */
  task(payload: Payload, round: number, index: number): Task;
  cost(payload: Payload, lo: number, hi: number): Cost;
  /** Operations per second of one SIMD WASM thread, measured once: a core-second is operations / this. */
  opsPerCoreSecond: number;
  belief(payload: Payload, a: Backend, b: Backend): Belief;
  /** What submitters may make of it; `defaultPlan` where it is left out. */
  beliefPlan?: BeliefPlan;
  /** The bytes that a WASM kernel's `init` reads. */
  params(payload: Payload, round: number): Uint8Array;
  /** A short payload for a node's calibration run: one grain, about 0.1 s of one WASM core. */
  calibration: Payload;
  gpu?: GpuProgram<Payload>;
  /** Set where each job brings its own module, in place of the ABI above. */
  tasks?: TaskProgram<Payload>;
  /** The slice's own part of the payload (tasks lo..hi), when payloads are cut rather than sent whole; null where none is. */
  inputs?(
    payload: Payload,
    round: number,
    lo: number,
    hi: number,
    files: FileReader,
  ): Uint8Array | null | Promise<Uint8Array | null>;
  /** Grains that a slice may have, so that its inputs fit a frame; without it as many as the grid gives out. */
  sliceGrainsMax?(payload: Payload): number;
  /** What a volunteer's page may show of a partial, as one short line. */
  describe?(payload: Payload, partial: Uint8Array): string;
  /** Samples of tasks lo..hi, for a page to draw; null where this payload has nothing to show. Takes a few milliseconds. */
  picture?(payload: Payload, round: number, lo: number, hi: number): Picture | null;
  /** Never set: it carries the type of what `Host.finish` gives to programs that submit (client/sdk). */
  readonly resultType?: Result;
}

export interface Round {
  tasks: number;
  grainTasks: number;
  /** Handed to the round's kernels as a blob. */
  input: Uint8Array | null;
}

/** Independent trials with one probability of success: a node's are held against the pool's by chi-square. */
export interface Counts {
  trials: number;
  successes: number;
}

/** Reads what the coordinator keeps of a job's own data. Rejects where there is no such file. */
export interface FileReader {
  read(sha256: string, lo: number, hi: number): Promise<Uint8Array>;
}

/** A file that a job makes beside its result, kept as a blob. */
export type OutputFile = {
  /** As "product.npy": letters, digits, dots, dashes and underscores. */
  name: string;
  /** As "image/png". */
  mediaType: string;
} & ({ bytes: Uint8Array } | /** What the coordinator keeps already. */ { kept: { sha256: string; bytes: number } });

export interface Host<Payload = unknown, Partial = unknown, Output = unknown> {
  decode(payload: Payload, partial: Uint8Array): Partial;
  /** Certificate: recomputes what the partial of tasks lo..hi claims. `null` when it holds, else the reason. */
  check?(payload: Payload, round: number, lo: number, hi: number, partial: Partial): string | null;
  /** Associative: merge(run[a,b), run[b,c)) = run[a,c). */
  merge(a: Partial, b: Partial): Partial;
  /** What was observed, where a node's observations should be distributed like everybody's. */
  counts?(payload: Payload, merged: Partial): Counts;
  /** Whether a verified prefix of the range is enough; any verified hit of a search is, wherever it lies. */
  enough?(payload: Payload, merged: Partial): boolean;
  /** "prefix" (default): `enough` sees the longest verified prefix. "any": it sees each verified result alone. */
  enoughOn?: "prefix" | "any";
  /** What is known so far, for progress pages. Small. */
  preview?(payload: Payload, merged: Partial): unknown;
  /** The next round, or null when this was the last. `input` is what this round's kernels were handed. */
  next?(payload: Payload, round: number, merged: Partial, input: Uint8Array | null): Round | null;
  /** `input` is what the last round's kernels were handed. */
  finish(payload: Payload, merged: Partial, input?: Uint8Array | null): Output;
  /** What is too large for the result, or no JSON; at most 256 MiB together. The result lists them as `files`. */
  files?(payload: Payload, merged: Partial): readonly OutputFile[] | Promise<readonly OutputFile[]>;
}

/** Identity with inference, so that a workload's types are checked where it is written. */
export const defineWorkload = <Payload, Task, Result = unknown>(
  workload: Workload<Payload, Task, Result>,
): Workload<Payload, Task, Result> => workload;
export const defineHost = <Payload, Partial, Output>(
  host: Host<Payload, Partial, Output>,
): Host<Payload, Partial, Output> => host;

/** Grains of a round. */
export const grainsOf = (round: { tasks: number; grainTasks: number }): number =>
  Math.ceil(round.tasks / round.grainTasks);

/** Tasks lo..hi of grain `index`. */
export function grainTasks(round: { tasks: number; grainTasks: number }, index: number): [lo: number, hi: number] {
  const lo = index * round.grainTasks;
  return [lo, Math.min(lo + round.grainTasks, round.tasks)];
}
