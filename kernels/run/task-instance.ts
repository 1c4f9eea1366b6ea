/**
 * Runs a researcher's own module, task by task. Every grain gets a fresh instance, so that its outputs do not depend on
 * what a node computed before: grains can then be compared bit for bit.
 *
 * ## ABI
 *
 * Imports, all optional: `queztl.progress(f64)`, `queztl.random() -> f64`, and `env.abort`, which AssemblyScript calls.
 * Exports:
 *
 *   memory
 *   run(at: i32, length: i32)      the output: i64, its length in the high half and its address in the low one; or (i32, i32),
 *                                  its address and its length
 *   alloc(length: i32): i32        optional: room for an input (also by the name `malloc`); without it inputs are
 *                                  laid into pages that the memory is grown by
 *   init(at: i32, length: i32)     optional: the job's params as JSON, before the first task
 *
 *   merge(a, aLength, b, bLength)  optional, and asked for by the job: two outputs into one, which is answered as `run` does
 *
 *   save(): as run              optional, with load: all that the module needs to go on, at most 256 KiB
 *   load(at: i32, length: i32)  takes it in, in a fresh instance after `init`, and after `begin` where a task is under way
 *
 * A module whose tasks are long exports `begin(at, length)`, `step(budgetMs: i32): i32` (1 when done) and `output()`, which
 * answers as `run` does, in its place: it then pauses every 30 ms, and its node can be stopped at any time.
 */
import { Packr } from "msgpackr";
import * as z from "zod";
import { limits } from "../../protocol/limits.ts";
import type { TaskInputs, TaskProgram, Workload } from "../contract.ts";
import { KernelError, messageOf } from "./errors.ts";
import { pageBytes, pagesOf, withMemoryMaximum } from "./wasm-memory.ts";

type Answer = bigint | readonly [number, number];

interface Exports {
  memory: WebAssembly.Memory;
  run?(at: number, length: number): Answer;
  begin?(at: number, length: number): void;
  step?(budgetMs: number): number;
  output?(): Answer;
  init?(at: number, length: number): void;
  alloc?(length: number): number;
  malloc?(length: number): number;
  save?(): Answer;
  load?(at: number, length: number): void;
  merge?(a: number, aLength: number, b: number, bLength: number): Answer;
}

const msgpack = new Packr({ useRecords: false });

/** Between two looks at messages. */
const turnMs = 30;

export class TaskInstance {
  #kernel!: Exports;
  #program: TaskProgram<unknown>;
  #lo = 0;
  #hi = 0;
  #at = 0;
  #isOpen = false;
  #told = 0;
  #outputs: Uint8Array[] = [];
  #random = new TaskRandom(0, 0);
  #inputs: TaskInputs | null = null;
  readonly #merges: boolean;
  /** Pages that inputs are laid into, where the module has no allocator. */
  #room = { at: 0, bytes: 0 };

  constructor(
    private readonly module: WebAssembly.Module,
    workload: Workload,
    private readonly payload: unknown,
    private readonly params: Uint8Array,
    /** Of a round after the first: what it folds. */
    private readonly round: Uint8Array | null = null,
  ) {
    this.#program = workload.tasks as TaskProgram<unknown>;
    this.#merges = this.#program.merges?.(payload) ?? false;
  }

  /** What came with the slice, where tasks have their inputs from there. */
  takeInputs(bytes: Uint8Array, first: number): void {
    this.#inputs = { bytes, first };
  }

  begin(lo: number, hi: number): void {
    [this.#lo, this.#hi, this.#at] = [lo, hi, lo];
    this.#outputs = [];
    this.#told = 0;
    this.#isOpen = false;
    this.#room = { at: 0, bytes: 0 };
    this.#kernel = this.#instantiate();
    this.#reseed(lo);
    const { init } = this.#kernel;
    if (init) this.#call("init", () => init(this.#place(this.params), this.params.length));
  }

  /** Runs tasks until 30 ms are over; a `run` that takes longer is not interrupted. */
  step(): { done: boolean; ms: number } {
    const before = performance.now();
    for (let ms = 0; this.#at < this.#hi && ms < turnMs; ms = performance.now() - before) this.#advance(turnMs - ms);
    return { done: this.#at >= this.#hi, ms: performance.now() - before };
  }

  fraction(): number {
    return (this.#at - this.#lo + this.#told) / (this.#hi - this.#lo);
  }

  get canSave(): boolean {
    return this.#kernel.save !== undefined && this.#kernel.load !== undefined && this.round === null;
  }

  /** Where the grain stands, for `load` of another instance; null where the module cannot say, or says too much. */
  save(): Uint8Array | null {
    const { save } = this.#kernel;
    if (!this.canSave || !save) return null;
    const state = this.#bytesOf(
      this.#call("save", () => save()),
      limits.checkpointBytesMax,
    );
    const saved = msgpack.encode([this.#at, this.#isOpen, this.#told, this.#random.state, this.#outputs, state]);
    return saved.length <= limits.checkpointBytesMax ? new Uint8Array(saved) : null;
  }

  /** Goes on from what `save` gave. Throws KernelError("kernel_trap") where that is none of this grain. */
  load(saved: Uint8Array): void {
    const { begin, load } = this.#kernel;
    const parsed = savedSchema.safeParse(unpacked(saved));
    if (!parsed.success || !load) fail("The checkpoint is none of this module's.");
    const [at, isOpen, told, random, outputs, state] = (parsed as { data: Saved }).data;
    const most = this.#merges ? Math.min(1, at - this.#lo) : at - this.#lo;
    const fits = at >= this.#lo && at < this.#hi && outputs.length === most;
    if (!fits || outputs.some(({ length }) => length > this.#program.outputBytesMax(this.payload)))
      fail("The checkpoint is of another grain.");
    [this.#at, this.#isOpen, this.#told, this.#outputs] = [at, isOpen, told, outputs];
    if (isOpen) {
      const input = this.#program.input(this.payload, at, this.#inputs);
      const place = this.#place(input);
      this.#call("begin", () => begin?.(place, input.length));
    }
    const place = this.#place(state);
    this.#call("load", () => load?.(place, state.length));
    this.#random.state = random;
  }

  partial(): Uint8Array {
    return this.#program.pack(this.payload, this.#outputs);
  }

  #advance(budgetMs: number): void {
    const { run, begin, step, output } = this.#kernel;
    if (this.round) {
      this.#foldGroup(this.round);
      return;
    }
    if (!this.#isOpen) {
      this.#told = 0;
      this.#reseed(this.#at);
      const input = this.#program.input(this.payload, this.#at, this.#inputs);
      const at = this.#place(input);
      if (run) {
        this.#take(this.#call("run", () => run(at, input.length)));
        return;
      }
      this.#call("begin", () => begin?.(at, input.length));
      this.#isOpen = true;
    }
    if (this.#call("step", () => step?.(Math.max(1, Math.round(budgetMs)))) === 0) return;
    this.#isOpen = false;
    this.#take(this.#call("output", () => output?.()) as Answer);
  }

  /** An output of the task at hand; where the job merges, into the one of those before. */
  #take(answer: Answer): void {
    const output = this.#read(answer);
    const [before] = this.#outputs;
    if (this.#merges && before) this.#outputs = [this.#merged(before, output)];
    else this.#outputs.push(output);
    this.#at++;
    this.#told = 0;
  }

  #foldGroup(round: Uint8Array): void {
    const [first, ...others] = this.#program.group?.(this.payload, round, this.#at) ?? [];
    if (!first) fail(`Task ${this.#at} has nothing to merge.`);
    this.#outputs.push(others.reduce((folded, output) => this.#merged(folded, output), first as Uint8Array));
    this.#at++;
  }

  #merged(a: Uint8Array, b: Uint8Array): Uint8Array {
    const { merge } = this.#kernel;
    // Where there is no allocator, both lie in one room.
    const both = new Uint8Array(a.length + b.length);
    both.set(a);
    both.set(b, a.length);
    const at = this.#place(both);
    return this.#read(this.#call("merge", () => merge?.(at, a.length, at + a.length, b.length)) as Answer);
  }

  /** Copies an output out of the module's memory. */
  #read(answer: Answer): Uint8Array {
    return this.#bytesOf(answer, this.#program.outputBytesMax(this.payload));
  }

  #bytesOf(answer: Answer, most: number): Uint8Array {
    const [at, length] =
      typeof answer === "bigint"
        ? [Number(BigInt.asUintN(32, answer)), Number(BigInt.asUintN(32, answer >> 32n))]
        : Array.isArray(answer)
          ? [(answer[0] as number) >>> 0, (answer[1] as number) >>> 0]
          : fail(`Task ${this.#at}: run must return an i64, or two i32.`);
    if (length > most) fail(`Task ${this.#at} answers ${length} bytes; limits.output_bytes is ${most}.`);
    const { buffer } = this.#kernel.memory;
    if (at + length > buffer.byteLength) fail(`Task ${this.#at} answers ${length} bytes at ${at}, outside its memory.`);
    return new Uint8Array(buffer, at, length).slice();
  }

  /** Lays bytes into the module's memory; answers where. */
  #place(bytes: Uint8Array): number {
    const { alloc, malloc, memory } = this.#kernel;
    const make = alloc ?? malloc;
    const at = make ? (this.#call("alloc", () => make(bytes.length)) as number) >>> 0 : this.#grown(bytes.length);
    if (at + bytes.length > memory.buffer.byteLength) fail(`alloc(${bytes.length}) gave ${at}, outside the memory.`);
    new Uint8Array(memory.buffer).set(bytes, at);
    return at;
  }

  #grown(bytes: number): number {
    if (this.#room.bytes < bytes) {
      const pages = Math.ceil(bytes / pageBytes) || 1;
      const at = this.#call("memory.grow", () => this.#kernel.memory.grow(pages)) * pageBytes;
      this.#room = { at, bytes: pages * pageBytes };
    }
    return this.#room.at;
  }

  #reseed(index: number): void {
    this.#random = new TaskRandom(this.#program.seed(this.payload), index);
  }

  #instantiate(): Exports {
    let instance: WebAssembly.Instance;
    try {
      instance = new WebAssembly.Instance(this.module, {
        env: { abort: () => fail("The code called abort.") },
        queztl: {
          progress: (fraction: number) => {
            this.#told = Math.min(1, Math.max(0, Number.isFinite(fraction) ? fraction : 0));
          },
          random: () => this.#random.next(),
        },
      });
    } catch (error) {
      const reason = error instanceof RangeError ? "out_of_memory" : "kernel_unavailable";
      throw new KernelError(reason, `The module could not be instantiated: ${messageOf(error)}`, { cause: error });
    }
    const { memory, run, begin, step, output } = instance.exports;
    const runs = [run].every(isFunction) || [begin, step, output].every(isFunction);
    if (!(memory instanceof WebAssembly.Memory) || !runs) {
      const message = "The module must export memory, and run (or begin, step and output).";
      throw new KernelError("kernel_unavailable", message);
    }
    if (this.#merges && !isFunction(instance.exports.merge)) {
      throw new KernelError("kernel_unavailable", "The job merges outputs: the module must export merge.");
    }
    return instance.exports as unknown as Exports;
  }

  #call<T>(name: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      if (error instanceof KernelError) throw error;
      const memory = error instanceof RangeError && /memory|allocat/i.test(error.message);
      const message = `Task ${this.#at} failed in ${name}: ${messageOf(error)}`;
      throw new KernelError(memory ? "out_of_memory" : "kernel_trap", message, { cause: error });
    }
  }
}

/** A module as it will run on nodes, for its trial. Throws KernelError, or what the engine says of the bytes. */
export function openTasks(wasm: Uint8Array, workload: Workload, payload: unknown): TaskInstance {
  const bytes = withMemoryMaximum(wasm, pagesOf(workload.plan(payload).needs.memoryBytes));
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  return new TaskInstance(module, workload, payload, workload.params(payload, 0));
}

const isFunction = (value: unknown): boolean => typeof value === "function";

function fail(message: string): never {
  throw new KernelError("kernel_trap", message);
}

/** sfc32 (Doty-Humphrey, PractRand), seeded by the job's seed and the task's number; 53 bits a draw. */
export class TaskRandom {
  #state: RandomState;

  constructor(seed: number, index: number) {
    this.#state = [(seed % 2 ** 32) | 0, (seed / 2 ** 32) | 0, (index % 2 ** 32) | 0, (index / 2 ** 32) | 1];
    for (let round = 0; round < 16; round++) this.#word();
  }

  /** From 0 to below 1. */
  next(): number {
    return ((this.#word() >>> 5) * 2 ** 26 + (this.#word() >>> 6)) / 2 ** 53;
  }

  get state(): RandomState {
    return [...this.#state];
  }

  set state(state: RandomState) {
    this.#state = [...state];
  }

  #word(): number {
    const words = this.#state;
    const [a, b, c, d] = words;
    const sum = (a + b + d) | 0;
    words[0] = b ^ (b >>> 9);
    words[1] = (c + (c << 3)) | 0;
    words[2] = (((c << 21) | (c >>> 11)) + sum) | 0;
    words[3] = (d + 1) | 0;
    return sum >>> 0;
  }
}

export type RandomState = [number, number, number, number];
type Saved = z.infer<typeof savedSchema>;

const word = z.number().int();
const bytes = z.instanceof(Uint8Array);
/** Task, whether it is under way, its share, the random numbers' state, outputs so far, the module's own. */
const savedSchema = z.tuple([
  word.min(0),
  z.boolean(),
  z.number().min(0).max(1),
  z.tuple([word, word, word, word]),
  z.array(bytes),
  bytes,
]);

function unpacked(saved: Uint8Array): unknown {
  try {
    return msgpack.decode(saved);
  } catch {
    return null;
  }
}
