/** One instance of a WASM kernel: the ABI of `contract.ts`, with every fault turned into a KernelError. */
import { limits } from "../../protocol/limits.ts";
import { KernelError, messageOf } from "./errors.ts";
import { Pace } from "./pace.ts";

interface Exports {
  memory: WebAssembly.Memory;
  params(length: number): number;
  input?(length: number, first: number): number;
  round?(length: number): number;
  init(): number;
  begin(lo: number, hi: number): void;
  step(units: number): number;
  fraction?(): number;
  took?(ms: number): void;
  partial(): number;
  partialLength(): number;
}

const required = ["params", "init", "begin", "step", "partial", "partialLength"] as const;

/** The whole of what a kernel may ask of its surroundings. */
const imports = {
  env: {
    abort: () => {
      throw new WebAssembly.RuntimeError("the kernel called abort");
    },
  },
};

export class WasmInstance {
  readonly pace = new Pace();
  readonly #exports: Exports;
  #inputs: Uint8Array | null = null;

  private constructor(instance: WebAssembly.Instance) {
    this.#exports = instance.exports as unknown as Exports;
  }

  /** Throws KernelError: `out_of_memory`, `kernel_unavailable` (not of the ABI), `invalid_params` or `kernel_trap`. */
  static async create(
    module: WebAssembly.Module,
    params: Uint8Array,
    roundInput: Uint8Array | null,
  ): Promise<WasmInstance> {
    let instance: WebAssembly.Instance;
    try {
      instance = await WebAssembly.instantiate(module, imports);
    } catch (error) {
      const reason = error instanceof RangeError ? "out_of_memory" : "kernel_unavailable";
      throw new KernelError(reason, `The kernel could not be instantiated: ${messageOf(error)}`, { cause: error });
    }
    const missing = required.filter((name) => typeof instance.exports[name] !== "function");
    if (!(instance.exports.memory instanceof WebAssembly.Memory) || missing.length > 0)
      throw new KernelError("kernel_unavailable", `The kernel does not export: ${missing.join(", ") || "memory"}`);
    const made = new WasmInstance(instance);
    made.#initialise(params, roundInput);
    return made;
  }

  #initialise(params: Uint8Array, roundInput: Uint8Array | null): void {
    const kernel = this.#exports;
    const code = guarded("init", () => {
      this.#copyIn(params, kernel.params(params.length));
      if (roundInput) this.#copyIn(roundInput, this.#taker("round")(roundInput.length));
      return kernel.init();
    });
    if (code !== 0) throw new KernelError("invalid_params", `The kernel refused its parameters with code ${code}.`);
  }

  /** Hands over a slice's inputs, which begin with those of task `first`; the same bytes only once. */
  takeInputs(inputs: Uint8Array, first: number): void {
    if (this.#inputs === inputs) return;
    this.#inputs = null;
    guarded("input", () => this.#copyIn(inputs, this.#taker("input")(inputs.length, first)));
    this.#inputs = inputs;
  }

  begin(lo: number, hi: number): void {
    guarded("begin", () => this.#exports.begin(lo, hi));
  }

  /** Computes up to `pace.units` units and tunes the pace. Answers whether the range is done, and the time it took. */
  step(): { done: boolean; ms: number } {
    const before = performance.now();
    const done = guarded("step", () => this.#exports.step(this.pace.units)) !== 0;
    const ms = performance.now() - before;
    this.pace.note(ms, done);
    return { done, ms };
  }

  /** Share of the range that is done; `null` when the kernel does not tell. */
  fraction(): number | null {
    const { fraction } = this.#exports;
    if (!fraction) return null;
    return Math.min(1, Math.max(0, guarded("fraction", fraction)));
  }

  /** Tells a kernel that asks how long its range took. */
  took(ms: number): void {
    const { took } = this.#exports;
    if (took) guarded("took", () => took(ms));
  }

  partial(): Uint8Array {
    const [at, length] = guarded("partial", () => [this.#exports.partial() >>> 0, this.#exports.partialLength()]) as [
      number,
      number,
    ];
    const { buffer } = this.#exports.memory;
    if (length < 0 || length > limits.partialBytesMax || at + length > buffer.byteLength)
      throw new KernelError("kernel_trap", `The kernel's partial is not within its memory: ${length} bytes at ${at}.`);
    return new Uint8Array(buffer, at, length).slice();
  }

  #taker(name: "input" | "round"): (length: number, first?: number) => number {
    const take = this.#exports[name] as ((length: number, first?: number) => number) | undefined;
    if (!take) throw new KernelError("kernel_unavailable", `The kernel takes no ${name}, and the job has one.`);
    return take;
  }

  /** The pointer is an unsigned address that came as a signed number. */
  #copyIn(bytes: Uint8Array, pointer: number): void {
    new Uint8Array(this.#exports.memory.buffer).set(bytes, pointer >>> 0);
  }
}

/** Calls into the kernel; what it throws becomes a KernelError that names the call. */
function guarded<T>(call: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof KernelError) throw error;
    // Engines report a failed allocation, a call stack that ran over and a bad copy all as RangeError.
    const memory = error instanceof RangeError && /memory|allocat/i.test(error.message);
    throw new KernelError(
      memory ? "out_of_memory" : "kernel_trap",
      `The kernel failed in ${call}: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}
