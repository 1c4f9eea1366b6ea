/** `grid.map`: a program of one's own over many inputs, in batches of which only some are under way at a time. */
import type { Job } from "./job.ts";
import { invalidArgument } from "./problem.ts";
import type { CallOptions, SubmitOptions } from "./types.ts";

export interface MapOptions extends Omit<SubmitOptions, "idempotencyKey"> {
  /** AssemblyScript as text, or a WebAssembly module's bytes. See docs/custom.md. */
  source: string | Uint8Array;
  /** Handed to the program's `init`, as JSON. */
  params?: unknown;
  /** How its outputs are read; as JSON without it. */
  output?: "json" | "text" | "binary";
  limits?: { memory_mb?: number; task_seconds?: number; output_bytes?: number };
  /** Of its random numbers. */
  seed?: number;
  /** Inputs in a job; 256 without it. */
  batch?: number;
  /** Jobs under way, or done and not yet asked for; 4 without it. Inputs are read as far as that. */
  inFlight?: number;
  /** The same name, inputs and source are the same jobs, from any process: what was done before is not done again. */
  name?: string;
}

export interface Mapped<Value> {
  index: number;
  value: Value;
}

/** The part of `Grid` that is needed. */
interface Submits {
  submit(type: "custom", payload: never, options: SubmitOptions): Promise<Job<{ outputs: unknown[] }>>;
}

const batchMax = 65_536;

/** Throws GridProblem. Leaving the loop cancels what is under way, unless it has a name. */
export async function* mapOver<Value>(
  grid: Submits,
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  { source, params, output, limits, seed, batch = 256, inFlight = 4, name, ...options }: MapOptions,
): AsyncGenerator<Mapped<Value>, void, undefined> {
  whole("batch", batch, batchMax);
  whole("inFlight", inFlight, 1_024);
  const code =
    typeof source === "string"
      ? { language: "assemblyscript", code: source }
      : { language: "wasm", module: base64(source) };
  const submit = (values: unknown[], at: number): Promise<Job<{ outputs: unknown[] }>> =>
    grid.submit("custom", { ...code, params, output, limits, seed, inputs: { values } } as never, {
      ...options,
      ...(name === undefined ? {} : { idempotencyKey: `${name}.${at}` }),
    });
  const open: Open[] = [];
  let next = 0;
  let done = false;
  try {
    for await (const values of batchesOf(inputs, batch)) {
      open.push(begin(submit(values, next), next, options));
      next += values.length;
      while (open.length >= inFlight) yield* rowsOf<Value>(open);
    }
    while (open.length > 0) yield* rowsOf<Value>(open);
    done = true;
  } finally {
    if (!done && name === undefined) await Promise.all(open.map(({ cancel }) => cancel()));
  }
}

interface Open {
  first: number;
  outputs: Promise<unknown[]>;
  cancel(): Promise<void>;
}

function begin(submitted: Promise<Job<{ outputs: unknown[] }>>, first: number, { signal }: CallOptions): Open {
  const given = signal ? { signal } : {};
  const outputs = submitted.then(async (job) => (await job.result(given)).outputs);
  // It is awaited in its turn; until then a failure is nobody's surprise.
  outputs.catch(() => {});
  return {
    first,
    outputs,
    cancel: async () => {
      await submitted.then((job) => job.cancel()).catch(() => {});
    },
  };
}

async function* rowsOf<Value>(open: Open[]): AsyncGenerator<Mapped<Value>, void, undefined> {
  const [{ first, outputs }] = open as [Open];
  const rows = await outputs;
  open.shift();
  for (const [offset, value] of rows.entries()) yield { index: first + offset, value: value as Value };
}

async function* batchesOf(
  inputs: Iterable<unknown> | AsyncIterable<unknown>,
  size: number,
): AsyncGenerator<unknown[], void, undefined> {
  let batch: unknown[] = [];
  for await (const input of inputs) {
    if (batch.push(input) < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

function whole(field: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  throw invalidArgument(field, `${field} is ${value}`, `Give a whole number from 1 to ${most}`);
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return btoa(text);
}
