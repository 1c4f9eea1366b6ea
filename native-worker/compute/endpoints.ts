/** Threads and child processes as endpoints of lanes. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startComputeThread, startGpuChild } from "../roles.ts";
import { gpuVariables } from "./gpu.ts";
import type { Endpoint, LaneOptions } from "./lane.ts";
import type { FromCompute, ToCompute } from "./messages.ts";

type On = Parameters<LaneOptions["start"]>[0];

export function threadEndpoint(on: On): Endpoint {
  const worker = startComputeThread();
  worker.on("message", (message: FromCompute) => on.message(message));
  worker.on("error", (error) => on.gone(`The compute thread failed: ${error.message}`));
  worker.on("exit", (code) => on.gone(`The compute thread ended with code ${code}.`));
  return { post: (message: ToCompute) => worker.postMessage(message), kill: () => void worker.terminate() };
}

const stderrCharsMax = 500;

export function childEndpoint(on: On, enginesDir: string, allowSoftwareGpu: boolean): Endpoint {
  const child = startGpuChild({
    ...runtimeDir(enginesDir),
    [gpuVariables.enginesDir]: enginesDir,
    [gpuVariables.software]: allowSoftwareGpu ? "1" : "",
  });
  let said = "";
  child.stderr?.on("data", (data: Buffer) => {
    said = `${said}${data}`.slice(-stderrCharsMax);
  });
  child.on("message", (message) => on.message(message as FromCompute));
  child.on("error", (error) => on.gone(error.message));
  child.on("close", (code, signal) => {
    const last = said.trim().split("\n").at(-1) ?? "";
    on.gone(`The GPU process ended (${signal ?? `code ${code}`}). ${last}`.trim());
  });
  return {
    post: (message: ToCompute) => {
      if (child.connected) child.send(message as never, () => {});
    },
    kill: () => child.kill("SIGKILL"),
  };
}

/** Vulkan's loader complains on every start where a session has no such folder, as services have none. */
function runtimeDir(enginesDir: string): Record<string, string> {
  if (process.platform !== "linux" || process.env.XDG_RUNTIME_DIR) return {};
  const folder = join(enginesDir, "runtime");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return { XDG_RUNTIME_DIR: folder };
}
