/** A compute thread: runs WASM kernels, and yields often enough to hear an abort. */
import { parentPort } from "node:worker_threads";
import { runWasmGrains } from "../../kernels/run/grains.ts";
import { WasmRunner } from "../../kernels/run/wasm.ts";
import type { FromCompute, ToCompute } from "./messages.ts";
import { Serving } from "./serve.ts";

/** Serves the parent until it is terminated. */
export function serveCompute(): void {
  if (!parentPort) throw new Error("a compute thread needs its parent");
  const port = parentPort;
  const post = (message: FromCompute): void => port.postMessage(message);
  const serving = new Serving(post, "wasm");
  const runner = new WasmRunner((sha256) => serving.files.get(sha256));
  port.on("message", (message: ToCompute) => serving.take(message, (run, ...on) => runWasmGrains(runner, run, ...on)));
  post({ type: "ready", gpu: null, message: "" });
}
