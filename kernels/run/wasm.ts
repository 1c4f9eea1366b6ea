/** Runs any WASM kernel, grain by grain: in a tab's worker and in a thread of Node alike. */
import type { KernelFiles } from "../../protocol/messages.ts";
import type { Workload } from "../contract.ts";
import { abortError, KernelError, messageOf } from "./errors.ts";
import { restFor } from "./rest.ts";
import { TaskInstance } from "./task-instance.ts";
import { Turns } from "./turn.ts";
import { WasmInstance } from "./wasm-instance.ts";
import { pagesOf, withMemoryMaximum } from "./wasm-memory.ts";

export interface WasmGrain {
  workload: Workload;
  files: KernelFiles;
  /** As the workload's schema parsed it. */
  payload: unknown;
  round: number;
  /** What earlier rounds produced, or null. */
  input: Uint8Array | null;
  /** The slice's own inputs, or null, and the first task that they belong to. */
  inputs: Uint8Array | null;
  inputsFirstTask?: number;
  /** What was saved of the grain, which goes on from there. */
  checkpoint?: Uint8Array | null;
  /** How often it is saved. */
  checkpointMs?: number | null;
  /** Tasks lo..hi. */
  lo: number;
  hi: number;
}

export interface WasmAnswer {
  partial: Uint8Array;
  /** Time that the kernel ran, and that it rested where a duty below 1 asked for it; without the turns between steps. */
  computeMs: number;
  /** SHA-256 of the kernel file that ran. */
  build: string;
}

/** Instances kept, each with its own memory. */
const INSTANCES_MAX = 8;
const MODULES_MAX = 32;

/** A function of i32x4 type: `(func (result v128) i32.const 0 i32x4.splat)`. */
const simdProbe = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x11, 0x0b],
);

/** Whether this engine has 128-bit SIMD. */
export const hasSimd = (): boolean => WebAssembly.validate(simdProbe);

interface Kept {
  build: string;
  params: Uint8Array;
  input: Uint8Array | null;
  instance: WasmInstance | TaskInstance;
}

export interface WasmRunnerOptions {
  /** Which build to prefer; what the engine can do when left out. */
  simd?: boolean;
  /** Share of the time that this thread may compute, asked after each step: it rests for the remainder. 1 when left out. */
  duty?: () => number;
  /** Whether to stop now, asked after each step: faster than the signal, which is heard between two turns only. */
  stopped?: () => boolean;
  /** Bytes of memory that a kernel may have here, asked when one is compiled; what its workload needs when left out. */
  memoryBytesMax?: () => number;
}

export class WasmRunner {
  readonly #role: "wasm-simd" | "wasm-scalar";
  readonly #modules = new Map<string, Promise<WebAssembly.Module>>();
  /** Idle instances, the last used one last. Those at work are not in it. */
  readonly #idle: Kept[] = [];

  /** `loadFile` answers the bytes of a kernel file, checked against their hash. */
  constructor(
    private readonly loadFile: (sha256: string) => Promise<Uint8Array>,
    private readonly options: WasmRunnerOptions = {},
  ) {
    this.#role = (options.simd ?? hasSimd()) ? "wasm-simd" : "wasm-scalar";
  }

  /**
   * Computes one grain, in steps of some 30 ms between which messages and timers are served. Rejects with an
   * AbortError within a step of the signal's abort, else with KernelError.
   */
  async run(
    grain: WasmGrain,
    signal: AbortSignal,
    onFraction?: (fraction: number) => void,
    onSaved?: (bytes: Uint8Array) => void,
  ): Promise<WasmAnswer> {
    if (signal.aborted) throw abortError();
    const kept = await orAborted(this.#take(grain), signal);
    const { instance } = kept;
    const turns = new Turns();
    let computeMs = 0;
    try {
      if (grain.inputs) instance.takeInputs(grain.inputs, grain.inputsFirstTask ?? grain.lo);
      instance.begin(grain.lo, grain.hi);
      if (grain.checkpoint && instance instanceof TaskInstance) instance.load(grain.checkpoint);
      let savedMs = performance.now();
      for (;;) {
        if (signal.aborted || this.options.stopped?.()) throw abortError();
        const { done, ms } = instance.step();
        computeMs += ms;
        if (done) break;
        const fraction = onFraction ? instance.fraction() : null;
        if (fraction !== null) onFraction?.(fraction);
        if (grain.checkpointMs && onSaved && performance.now() - savedMs >= grain.checkpointMs) {
          savedMs = performance.now();
          const saved = instance instanceof TaskInstance ? instance.save() : null;
          if (saved) onSaved(saved);
        }
        // A rest counts as computing: it is what this thread's time amounts to, and slices are sized by it.
        computeMs += await this.#rest(ms, turns);
      }
      if (instance instanceof WasmInstance) instance.took(computeMs);
      const partial = instance.partial();
      this.#giveBack(kept);
      return { partial, computeMs, build: kept.build };
    } catch (error) {
      // After an abort the next `begin` starts anew; after a fault the instance is not to be trusted.
      if (!(error instanceof KernelError)) this.#giveBack(kept);
      throw error;
    } finally {
      turns.close();
    }
  }

  /** Gives way to messages, and rests as long as the duty asks. Answers how long, in milliseconds. */
  async #rest(stepMs: number, turns: Turns): Promise<number> {
    const duty = this.options.duty?.() ?? 1;
    if (duty < 1) return restFor(stepMs, duty);
    await turns.next();
    return 0;
  }

  async #take(grain: WasmGrain): Promise<Kept> {
    const build = this.#buildOf(grain.files);
    const params = paramsOf(grain);
    const { workload, payload, input } = grain;
    if (workload.tasks) {
      const module = await this.#module(build, memoryPages(grain));
      return { build, params, input, instance: new TaskInstance(module, workload, payload, params, input) };
    }
    const at = this.#idle.findIndex(
      (kept) => kept.build === build && sameBytes(kept.params, params) && sameBytes(kept.input, grain.input),
    );
    const [found] = at < 0 ? [] : this.#idle.splice(at, 1);
    if (found) return found;
    const pages = memoryPages(grain);
    const instance = await WasmInstance.create(await this.#module(build, pages), params, input);
    return { build, params, input, instance };
  }

  #giveBack(kept: Kept): void {
    // Of a researcher's own module every grain has a new instance.
    if (kept.instance instanceof TaskInstance) return;
    this.#idle.push(kept);
    if (this.#idle.length > INSTANCES_MAX) this.#idle.shift();
  }

  #buildOf(files: KernelFiles): string {
    const file = files[this.#role] ?? files["wasm-scalar"];
    if (!file) throw new KernelError("kernel_unavailable", `The job has no ${this.#role} kernel.`);
    return file.sha256;
  }

  /** Compiled with a memory of at most `pages`; a workload whose payloads need different amounts has a module for each. */
  #module(build: string, pages: number): Promise<WebAssembly.Module> {
    const key = `${build}/${pages}`;
    const known = this.#modules.get(key);
    if (known) return known;
    const compiled = this.#compile(build, pages);
    this.#modules.set(key, compiled);
    // A failed download is tried again by the next grain.
    compiled.catch(() => this.#modules.delete(key));
    const [oldest] = this.#modules.keys();
    if (this.#modules.size > MODULES_MAX && oldest !== undefined) this.#modules.delete(oldest);
    return compiled;
  }

  async #compile(build: string, pages: number): Promise<WebAssembly.Module> {
    try {
      const allowed = this.options.memoryBytesMax?.();
      const file = await this.loadFile(build);
      const bytes = withMemoryMaximum(file, pages, allowed === undefined ? undefined : pagesOf(allowed));
      return await WebAssembly.compile(bytes as Uint8Array<ArrayBuffer>);
    } catch (error) {
      if (error instanceof KernelError) throw error;
      const reason = error instanceof RangeError ? "out_of_memory" : "kernel_unavailable";
      throw new KernelError(reason, `Kernel ${build} cannot be loaded: ${messageOf(error)}`, { cause: error });
    }
  }
}

function paramsOf({ workload, payload, round }: WasmGrain): Uint8Array {
  try {
    return workload.params(payload, round);
  } catch (error) {
    throw new KernelError("invalid_params", `The payload has no parameters: ${messageOf(error)}`, { cause: error });
  }
}

/** What the workload says that this payload needs. */
function memoryPages({ workload, payload }: WasmGrain): number {
  try {
    return pagesOf(workload.plan(payload).needs.memoryBytes);
  } catch (error) {
    throw new KernelError("invalid_params", `The payload has no plan: ${messageOf(error)}`, { cause: error });
  }
}

/** Copies that crossed a thread boundary are as good as the original. */
function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === b) return true;
  return a !== null && b !== null && a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** The promise's answer, or an AbortError as soon as the signal aborts. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(abortError());
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
