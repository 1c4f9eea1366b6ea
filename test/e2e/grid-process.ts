/** The real coordinator and real native workers, as processes of their own, for end-to-end tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface RunningGrid {
  url: string;
  dataDir: string;
  joinToken: string;
  operatorToken: string;
  /** Everything the coordinator printed. */
  output(): string;
  /** A native worker; `own` gives it the join token. */
  worker(options: { own: boolean; args?: string[] }): ChildProcess;
  /** Kills the coordinator, which leaves it no time for a word; `startAgain` has it at the same address. */
  killCoordinator(): Promise<void>;
  startAgain(): Promise<void>;
  /** Kills everything and removes what it wrote. */
  end(): Promise<void>;
}

export async function startGrid(args: string[] = []): Promise<RunningGrid> {
  const port = await freePort();
  const dataDir = mkdtempSync(join(tmpdir(), "queztl-e2e-"));
  const children: ChildProcess[] = [];
  let printed = "";
  const url = `http://localhost:${port}`;
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "server/main.ts", "--port", String(port), "--data", dataDir, "--no-worker", ...args],
      { cwd: root, stdio: ["ignore", "pipe", "pipe"] },
    );
    children.push(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => {
        printed += data.toString();
      });
    }
    await until(
      async () => (await fetch(`${url}/api/health`).catch(() => null))?.ok === true,
      20_000,
      () => printed,
    );
    return child;
  };
  let coordinator = await start();
  const secrets = JSON.parse(readFileSync(join(dataDir, "secrets.json"), "utf8")) as Record<string, string>;
  return {
    url,
    dataDir,
    joinToken: secrets.joinToken as string,
    operatorToken: secrets.operatorToken as string,
    output: () => printed,
    worker: ({ own, args: more = [] }) => {
      const folder = join(dataDir, `worker-${children.length}`);
      const child = spawn(
        process.execPath,
        ["dist/worker.mjs", "--coordinator", url, "--threads", "1", "--data", folder, ...more],
        {
          cwd: root,
          stdio: ["ignore", "ignore", "pipe"],
          env: { ...process.env, ...(own ? { QUEZTL_JOIN_TOKEN: secrets.joinToken as string } : {}) },
        },
      );
      child.stderr?.on("data", (data: Buffer) => {
        printed += data.toString();
      });
      children.push(child);
      return child;
    },
    killCoordinator: () => kill(coordinator),
    startAgain: async () => {
      coordinator = await start();
    },
    end: async () => {
      await Promise.all(children.map(kill));
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

/** Polls until `holds`; throws with `story` when it does not in time. */
export async function until(holds: () => Promise<boolean>, ms: number, story: () => string = () => ""): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`It did not come true within ${ms} ms.\n${story()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

export async function submit(grid: RunningGrid, body: unknown): Promise<string> {
  const response = await fetch(`${grid.url}/api/v1.2/workload/submit`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (response.status !== 202) throw new Error(`submit answered ${response.status}: ${await response.text()}`);
  return ((await response.json()) as { task_id: string }).task_id;
}
