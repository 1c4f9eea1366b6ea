/** The real coordinator in a process of its own, as `npm start` runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobView, NetworkStatus, NodeView } from "../../../protocol/rest.ts";
import { waitFor } from "./wait.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

export interface Coordinator {
  url: string;
  /** Submits a job that no tab finishes; answers its id. */
  submitEndless(): Promise<string>;
  /** Grains of a job of which a result is stored. */
  stored(job: string): Promise<number>;
  /** Tabs that it knows. */
  tabs(): Promise<NodeView[]>;
  /** Leases that tabs hold. */
  held(): Promise<number>;
  /** Stops the process where it is, its sockets open, or lets it go on. */
  halt(halted: boolean): void;
  /** Leaves it no time for a word. */
  kill(): Promise<void>;
  startAgain(): Promise<void>;
  end(): Promise<void>;
}

/** `args` are those of `npm start`; without a native worker unless they say otherwise. */
export async function startCoordinator(args: string[] = ["--no-worker"]): Promise<Coordinator> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "queztl-bench-tab-"));
  const url = `http://localhost:${port}`;
  const told: string[] = [];
  const start = async (): Promise<ChildProcess> => {
    const flags = ["--import", "tsx", "server/main.ts", "--port", String(port), "--data", folder, "--no-open", ...args];
    const child = spawn(process.execPath, flags, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => told.push(data.toString()));
    const healthy = async () =>
      child.exitCode === null && (await fetch(`${url}/api/health`).catch(() => null))?.ok === true;
    await waitFor("the coordinator answers", healthy).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw new Error(`${String(error)}\n${told.join("").slice(-2_000)}`);
    });
    return child;
  };
  let child = await start();
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(`${url}/api/v1.2${path}`);
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  };
  const tabs = async (): Promise<NodeView[]> =>
    (await get<NetworkStatus>("/network/status")).nodes.filter((node) => node.kind === "tab");
  return {
    url,
    tabs,
    submitEndless: () => submitEndless(url),
    stored: async (job) => {
      const { progress } = await get<JobView>(`/workload/${job}`);
      return progress.grains_accepted + progress.grains_candidate;
    },
    held: async () => (await tabs()).reduce((sum, node) => sum + node.leases.length, 0),
    halt: (halted) => void child.kill(halted ? "SIGSTOP" : "SIGCONT"),
    kill: () => ended(child, "SIGKILL"),
    startAgain: async () => {
      child = await start();
    },
    end: async () => {
      child.kill("SIGCONT");
      // A stop takes its native worker with it.
      const late = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended(child, "SIGTERM");
      clearTimeout(late);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function submitEndless(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/v1.2/workload/submit`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ workload_type: "monte_carlo", payload: { iterations: 1e13 }, priority: 5 }),
  });
  if (answer.status !== 202) throw new Error(`submit answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { task_id: string }).task_id;
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill(signal);
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}
