/**
 * The worker's threads and children are the same program in another role, so that it can be one file. In the
 * bundle every module's URL is the bundle's; from source the entry stands beside this module.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { isMainThread, Worker, workerData } from "node:worker_threads";

export type Role = "main" | "compute" | "gpu";

const fromSource = import.meta.url.endsWith(".ts");
const entry = fromSource ? new URL("./main.ts", import.meta.url) : new URL(import.meta.url);
const roleVariable = "QUEZTL_WORKER_ROLE";

/** What this process or thread is. */
export function currentRole(): Role {
  if (!isMainThread) return (workerData as { role?: Role } | null)?.role ?? "main";
  return process.env[roleVariable] === "gpu" ? "gpu" : "main";
}

/** tsx's `--import` does not reach threads on Node 20, so a thread from source registers it itself. */
const bootCode = (): string =>
  `import { register } from ${JSON.stringify(import.meta.resolve("tsx/esm/api"))};\nregister();\nawait import(${JSON.stringify(entry.href)});`;

export function startComputeThread(): Worker {
  const data = { workerData: { role: "compute" satisfies Role } };
  if (!fromSource) return new Worker(entry, data);
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(bootCode())}`), { ...data, execArgv: [] });
}

/** A child process can be killed when a GPU hangs; a thread with pending GPU work would take Node along. */
export function startGpuChild(env: Record<string, string>): ChildProcess {
  return fork(fileURLToPath(entry), [], {
    env: { ...process.env, ...env, [roleVariable]: "gpu" },
    execArgv: fromSource ? ["--import", import.meta.resolve("tsx")] : [],
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
}
