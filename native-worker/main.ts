/** The native worker's program: `node native-worker` here, `node worker.mjs` elsewhere. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { serveGpu } from "./compute/gpu.ts";
import { serveCompute } from "./compute/thread.ts";
import { flagsOf, usage, WorkerFlagError } from "./flags.ts";
import { serveHealth } from "./health.ts";
import { installWebGpu } from "./install.ts";
import { WorkerNode } from "./node.ts";
import { currentRole } from "./roles.ts";
import { Watchdog } from "./watchdog.ts";

/** Set by the bundler; from source there is no build to name. */
declare const __QUEZTL_VERSION__: string | undefined;
const version = typeof __QUEZTL_VERSION__ === "string" ? __QUEZTL_VERSION__ : "(source)";

async function main(): Promise<void> {
  const flags = flagsOf(process.argv.slice(2), process.env);
  if (flags === "help") {
    console.log(usage());
    return;
  }
  const log = (code: string, message: string): void => {
    const at = new Date().toISOString();
    process.stderr.write(
      flags.json ? `${JSON.stringify({ at, code, message })}\n` : `${at.slice(11, 19)} ${message}\n`,
    );
  };
  mkdirSync(flags.dataDir, { recursive: true });
  const enginesDir = flags.enginesDir ?? join(flags.dataDir, "engines");
  if (flags.withGpu) await installWebGpu(enginesDir, flags.yes, log);
  const node = new WorkerNode({ ...flags, enginesDir, log, version });
  stopOnSignals(node, log);
  if (flags.withParent) stopWithParent(node);
  await node.start();
  watch(node, flags, log);
  if (flags.port !== null) serveHealth(flags.port, node, log);
  narrate(node, log);
}

/** Says in plain words when something changes that its owner wants to know. */
function narrate(node: WorkerNode, log: (code: string, message: string) => void): void {
  let said = "";
  let accepted = 0;
  node.onChange((view) => {
    const line = `${view.reason.message} ${view.phase === "online" ? "" : view.reason.remedy}`.trim();
    if (line !== said) {
      said = line;
      log(view.reason.code, line);
      if (view.phase === "refused") void node.stop("refused").then(() => process.exit(1));
    }
    if (view.standing.accepted > accepted) {
      accepted = view.standing.accepted;
      log("accepted", `${accepted} slices accepted, ${view.standing.coreSeconds.toFixed(1)} core-seconds.`);
    }
  });
}

function stopOnSignals(node: WorkerNode, log: (code: string, message: string) => void): void {
  let stopping = false;
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(130);
      stopping = true;
      log("stopping", "Handing in what is finished; once more to stop at once.");
      node.drain("signal").then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

/** A rented machine's worker ends by itself. */
function watch(
  node: WorkerNode,
  flags: { endAfter: number | null; endIfSilent: number | null },
  log: (code: string, message: string) => void,
): void {
  const inMs = (seconds: number | null): number | null => (seconds === null ? null : seconds * 1000);
  const watchdog = new Watchdog({
    endAfterMs: inMs(flags.endAfter),
    endIfSilentMs: inMs(flags.endIfSilent),
    now: () => performance.now(),
  });
  if (flags.endAfter === null && flags.endIfSilent === null) return;
  const timer = setInterval(() => {
    const why = watchdog.look(node.view?.phase === "online");
    if (why === null) return;
    clearInterval(timer);
    log(why.code, why.message);
    const end = why.code === "lifetime" ? node.drain("lifetime") : node.stop("coordinator silent");
    void end.finally(() => process.exit(0));
  }, 1_000);
}

/** The parent holds our standard input open as long as it lives. What is not acknowledged is on disk. */
function stopWithParent(node: WorkerNode): void {
  process.stderr.on("error", () => {});
  process.stdin.on("end", () => void node.stop("parent ended").then(() => process.exit(0)));
  process.stdin.resume();
}

const role = currentRole();
if (role === "compute") serveCompute();
else if (role === "gpu") void serveGpu();
else {
  main().catch((error: unknown) => {
    console.error(
      error instanceof WorkerFlagError ? error.message : error instanceof Error ? error.message : String(error),
    );
    process.exit(1);
  });
}
