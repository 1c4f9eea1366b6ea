/**
 * The child process that compiles a researcher's code and tries it with the job's first tasks and its last. Whatever the
 * code does, it does it here first, and here only: the parent kills this process when it is silent for too long.
 */
import type { Workload } from "../../kernels/contract.ts";
import { KernelError } from "../../kernels/run/errors.ts";
import { openTasks, type TaskInstance } from "../../kernels/run/task-instance.ts";
import { fromBase64, tasksOf } from "../../kernels/workloads/custom/inputs.ts";
import { unpackOutputs } from "../../kernels/workloads/custom/outputs.ts";
import { type CustomPayload, outputOf } from "../../kernels/workloads/custom/payload.ts";
import workload from "../../kernels/workloads/custom/workload.ts";
import { limits } from "../../protocol/limits.ts";
import { compile } from "./compile.ts";
import { inspect } from "./inspect.ts";
import type { Fault, Order, Word } from "./messages.ts";
import { inspectShader } from "./shader.ts";

/** Long enough to tell how long a task takes, short enough to wait for. */
const trialMs = 400;
const trialTasksMax = 256;
const dayMs = 86_400_000;

const say = (word: Word): Promise<void> => new Promise((resolve) => void process.send?.(word, () => resolve()));

async function make({ payload, library }: Order): Promise<void> {
  if (payload.language === "wgsl") {
    const seen = await inspectShader(payload.code ?? "");
    return say("fault" in seen ? { type: "fault", fault: seen.fault } : { type: "shader", shader: seen.shader });
  }
  const field = payload.language === "wasm" ? "module" : "code";
  const made =
    payload.language === "wasm"
      ? { wasm: fromBase64(payload.module ?? "") }
      : await compile(payload.code ?? "", library);
  const fault = "fault" in made ? made.fault : await inspect(made.wasm, field);
  if (fault || "fault" in made) return say({ type: "fault", fault: fault as Fault });
  await say({ type: "compiled", wasm: made.wasm });
  await attempt(made.wasm, payload, field);
}

async function attempt(wasm: Uint8Array, payload: CustomPayload, field: string): Promise<void> {
  try {
    const instance = openTasks(wasm, workload as unknown as Workload, payload);
    const tasks = tasksOf(payload);
    // The first run is slower: engines compile what runs often only then.
    await spent(instance, payload, 0, Math.min(tasks, trialTasksMax));
    const { ms, done } = await spent(instance, payload, 0, Math.min(tasks, trialTasksMax));
    if (tasks > 1) await spent(instance, payload, tasks - 1, tasks);
    const resumable = canResume(wasm, payload);
    await say({ type: "tried", taskMs: Math.min(dayMs, Math.max(0.001, ms / done)), resumable });
  } catch (error) {
    const reason = error instanceof KernelError ? error.reason : "internal";
    const message = error instanceof Error ? error.message : String(error);
    const remedy =
      reason === "out_of_memory"
        ? "Use less memory, or raise limits.memory_mb."
        : "Correct the code; the ABI is in docs/custom.md.";
    await say({ type: "fault", fault: { field, errors: [message], remedy } });
  }
}

/** Runs tasks lo..hi, or as many as fit the trial's time, and reads what they answer. */
async function spent(
  instance: TaskInstance,
  payload: CustomPayload,
  lo: number,
  hi: number,
): Promise<{ ms: number; done: number }> {
  let ms = 0;
  let done = 0;
  // One at a time, so that the parent hears of each.
  instance.begin(lo, hi);
  while (ms < trialMs) {
    const step = instance.step();
    ms += step.ms;
    // Of a long task a part may be done, as it tells itself.
    done = instance.fraction() * (hi - lo) || 1;
    await say({ type: "task" });
    if (step.done) break;
  }
  if (outputOf(payload) === "json")
    for (const [at, row] of unpackOutputs(instance.partial()).entries()) checkJson(row, lo + at);
  return { ms, done };
}

/** Whether a task that is under way can be saved, and taken up by a fresh instance. Throws where it should and cannot. */
function canResume(wasm: Uint8Array, payload: CustomPayload): boolean {
  const open = (): TaskInstance => {
    const instance = openTasks(wasm, workload as unknown as Workload, payload);
    instance.begin(0, 1);
    return instance;
  };
  const first = open();
  if (!first.canSave) return false;
  // What is done at once is never saved.
  if (first.step().done) return true;
  const saved = first.save();
  if (!saved) throw new Error(`What save answers is larger than ${limits.checkpointBytesMax} bytes.`);
  open().load(saved);
  return true;
}

function checkJson(row: Uint8Array, task: number): void {
  const text = new TextDecoder().decode(row);
  try {
    JSON.parse(text);
  } catch {
    throw new Error(
      `Task ${task} answers ${JSON.stringify(text.slice(0, 80))}, which is not JSON; or set output to "text".`,
    );
  }
}

process.on("disconnect", () => process.exit(0));
process.once("message", (order: Order) => {
  const ended = make(order).catch((error: unknown) => {
    const errors = [error instanceof Error ? error.message : String(error)];
    return say({ type: "fault", fault: { field: "code", errors, remedy: "Simplify the code, and report this." } });
  });
  void ended.then(() => process.disconnect?.());
});
