/** A compute thread: runs WASM kernels, one request at a time, and yields often enough to hear an abort. */
import { parentPort } from "node:worker_threads";
import { KernelError } from "../../kernels/run/errors.ts";
import { calibrationRun, GrainError, runWasmGrains } from "../../kernels/run/grains.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import type { FromCompute, ToCompute } from "./messages.ts";

/** Serves the parent until it is terminated. */
export function serveCompute(): void {
  if (!parentPort) throw new Error("a compute thread needs its parent");
  const port = parentPort;
  const post = (message: FromCompute): void => port.postMessage(message);
  const files = new FileRequests(post);
  const runner = new WasmRunner((sha256) => files.get(sha256));
  const aborts = new Map<number, AbortController>();
  const run = async (
    message: Extract<ToCompute, { type: "run" | "calibrate" }>,
    signal: AbortSignal,
  ): Promise<void> => {
    const { id } = message;
    try {
      const grains = message.type === "run" ? message : calibrationRun(message.workload, message.files);
      const answer = await runWasmGrains(runner, grains, signal, (fraction) =>
        post({ type: "fraction", id, fraction }),
      );
      post({ type: "done", id, ...answer });
    } catch (error) {
      post(failure(id, error));
    }
  };
  port.on("message", (message: ToCompute) => {
    if (message.type === "file") files.arrived(message);
    else if (message.type === "abort") aborts.get(message.id)?.abort();
    else {
      const abort = new AbortController();
      aborts.set(message.id, abort);
      void run(message, abort.signal).finally(() => aborts.delete(message.id));
    }
  });
  post({ type: "ready", gpu: null, message: "" });
}

export function failure(id: number, error: unknown): FromCompute {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "AbortError")
    return { type: "failed", id, reason: "aborted", message, grain: null };
  const cause = error instanceof GrainError ? error.cause : error;
  const reason = cause instanceof KernelError ? cause.reason : "internal";
  return { type: "failed", id, reason, message, grain: error instanceof GrainError ? error.grain : null };
}

/** Kernel files, asked of the parent once each. */
export class FileRequests {
  readonly #waiting = new Map<string, { resolve(bytes: Uint8Array): void; reject(error: Error): void }[]>();

  constructor(private readonly post: (message: FromCompute) => void) {}

  get(sha256: string, role = "wasm"): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const waiting = this.#waiting.get(sha256);
      if (waiting) waiting.push({ resolve, reject });
      else {
        this.#waiting.set(sha256, [{ resolve, reject }]);
        this.post({ type: "need", sha256, role });
      }
    });
  }

  arrived(message: Extract<ToCompute, { type: "file" }>): void {
    for (const waiting of this.#waiting.get(message.sha256) ?? []) {
      if (message.bytes) waiting.resolve(message.bytes);
      else waiting.reject(new KernelError("kernel_unavailable", message.message));
    }
    this.#waiting.delete(message.sha256);
  }
}
