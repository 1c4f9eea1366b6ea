/** Worker threads from TypeScript sources: the same call works under tsx, in tests, and from a bundle. */
import { Worker } from "node:worker_threads";

/**
 * Starts the module at `url` as a thread. Sources are run through tsx, wherever this process came from:
 * `--import tsx` does not reach the threads of Node 20, so the thread registers it before anything else.
 */
export function spawnThread(url: URL, workerData: unknown): Worker {
  if (!url.pathname.endsWith(".ts")) return new Worker(url, { workerData });
  const boot = [
    `import { register } from ${JSON.stringify(import.meta.resolve("tsx/esm/api"))};`,
    "register();",
    `await import(${JSON.stringify(url.href)});`,
  ];
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(boot.join("\n"))}`), {
    workerData,
    execArgv: [],
  });
}
