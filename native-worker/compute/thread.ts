/** A compute thread: runs WASM kernels, one request at a time, and yields often enough to hear an abort. */
import { parentPort } from "node:worker_threads";
import { grainsOf, grainTasks } from "../../kernels/contract.ts";
import { KernelError } from "../../kernels/run/errors.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import { workloads } from "../../kernels/workloads.ts";
import type { ComputeTask, FromCompute, ToCompute } from "./messages.ts";

/** Serves the parent until it is terminated. */
export function serveCompute(): void {
  if (!parentPort) throw new Error("a compute thread needs its parent");
  const port = parentPort;
  const post = (message: FromCompute): void => port.postMessage(message);
  const files = new FileRequests(post);
  const runner = new WasmRunner((sha256) => files.get(sha256));
  const aborts = new Map<number, AbortController>();
  port.on("message", (message: ToCompute) => {
    if (message.type === "file") files.arrived(message);
    else if (message.type === "abort") aborts.get(message.id)?.abort();
    else {
      const abort = new AbortController();
      aborts.set(message.id, abort);
      const task = message.type === "run" ? message : calibrationTask(message);
      void run(runner, task, abort.signal, post).finally(() => aborts.delete(message.id));
    }
  });
  post({ type: "ready", gpu: null, message: "" });
}

/** One grain of the workload's own short payload. */
export function calibrationTask(message: Extract<ToCompute, { type: "calibrate" }>): ComputeTask {
  const workload = workloads.get(message.workload);
  if (!workload) throw new Error(`There is no workload ${message.workload}.`);
  const { tasks, grainTasks: size } = workload.plan(workload.calibration);
  return {
    ...message,
    type: "run",
    payload: workload.calibration,
    round: 0,
    tasks,
    grainTasks: size,
    input: null,
    inputs: null,
    inputsFirstTask: 0,
    lo: 0,
    hi: Math.min(1, grainsOf({ tasks, grainTasks: size })),
  };
}

async function run(
  runner: WasmRunner,
  task: ComputeTask,
  signal: AbortSignal,
  post: (message: FromCompute) => void,
): Promise<void> {
  const workload = workloads.get(task.workload);
  let grain = task.lo;
  try {
    if (!workload) throw new KernelError("kernel_unavailable", `This worker has no workload ${task.workload}.`);
    const partials: Uint8Array[] = [];
    let computeMs = 0;
    let build = "";
    for (; grain < task.hi; grain++) {
      const [lo, hi] = grainTasks(task, grain);
      const answer = await runner.run({ ...task, workload, lo, hi }, signal, (fraction) => {
        post({ type: "fraction", id: task.id, fraction });
      });
      partials.push(answer.partial);
      computeMs += answer.computeMs;
      build = answer.build;
    }
    post({ type: "done", id: task.id, partials, computeMs, build });
  } catch (error) {
    post(failure(task.id, error, grain));
  }
}

export function failure(id: number, error: unknown, grain: number | null): FromCompute {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && error.name === "AbortError")
    return { type: "failed", id, reason: "aborted", message, grain };
  return { type: "failed", id, reason: error instanceof KernelError ? error.reason : "internal", message, grain };
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
