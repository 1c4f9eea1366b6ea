/** The real programs as children: started, killed without a good-bye, started again, and never left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const workerFile = join(root, "dist", "worker.mjs");
const keptLines = 400;
const startMsMax = 45_000;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `holds` answers something other than false or null; throws with `story` when it does not in time. */
export async function until<T>(
  holds: () => Promise<T | false | null> | T | false | null,
  ms: number,
  story: () => string,
): Promise<T> {
  for (const endMs = performance.now() + ms; ; await sleep(20)) {
    const value = await holds();
    if (value !== false && value !== null) return value;
    if (performance.now() > endMs) throw new Error(`It did not come true within ${ms} ms: ${story()}`);
  }
}

/** One program that may be started again and again. */
export class Program {
  /** What it wrote, of all its lives, the last lines. */
  readonly lines: string[] = [];
  /** Ends that nobody asked for, and what the program itself calls a defect. */
  readonly surprises: string[] = [];
  #child: ChildProcess | null = null;
  #ended: Promise<NodeJS.Signals | number | null> = Promise.resolve(null);
  #asked = false;

  constructor(
    readonly name: string,
    private readonly args: () => string[],
    /** Added to this process's own; a change counts from the next start on. */
    readonly env: Record<string, string>,
  ) {}

  get isUp(): boolean {
    return this.#child !== null;
  }

  get pid(): number {
    if (!this.#child?.pid) throw new Error(`${this.name} is not running.`);
    return this.#child.pid;
  }

  spawn(): void {
    if (this.#child) throw new Error(`${this.name} runs already.`);
    this.#asked = false;
    const child = spawn(process.execPath, this.args(), {
      cwd: root,
      env: { ...process.env, ...this.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream! }).on("line", (line) => {
        this.lines.push(line);
        if (line.includes('"code":"defect"')) this.surprises.push(`${this.name}: ${line}`);
        if (this.lines.length > keptLines) this.lines.shift();
      });
    }
    this.#ended = new Promise((resolve) => {
      child.on("close", (code, signal) => {
        this.#child = null;
        if (!this.#asked) this.surprises.push(`${this.name} ended by itself (${signal ?? code}):\n${this.story()}`);
        resolve(signal ?? code);
      });
    });
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    await this.signal("SIGKILL");
  }

  /** Resolves with how it ended. */
  async signal(signal: NodeJS.Signals): Promise<NodeJS.Signals | number | null> {
    this.#asked = true;
    this.#child?.kill(signal);
    return this.#ended;
  }

  story(): string {
    return this.lines.slice(-30).join("\n");
  }
}

/** The coordinator, on one port for all its lives. */
export class CoordinatorProgram extends Program {
  #port = 0;

  constructor(
    readonly dataDir: string,
    options: { args?: readonly string[]; env?: Record<string, string> } = {},
  ) {
    super(
      "coordinator",
      () => [
        ...["--import", "tsx", "server/main.ts", "--json", "--host", "127.0.0.1", "--port", String(this.#port)],
        ...["--data", dataDir, ...(options.args ?? ["--no-worker"])],
      ],
      { QUEZTL_TEST_TIMING: "fast", ...options.env },
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get secrets(): { joinToken: string; operatorToken: string } {
    return JSON.parse(readFileSync(join(this.dataDir, "secrets.json"), "utf8"));
  }

  /** Starts it and waits until it serves. */
  async start(): Promise<void> {
    this.lines.length = 0;
    this.spawn();
    this.#port = await until(
      () => {
        if (!this.isUp) throw new Error(`The coordinator did not start:\n${this.story()}`);
        const line = this.lines.find((candidate) => candidate.includes('"code":"listening"'));
        return line ? Number(/:(\d+)"/.exec(line)?.[1]) : null;
      },
      startMsMax,
      () => this.story(),
    );
  }
}

/** A native worker with one thread. With a join token it is an own node, without one a volunteer's. */
export function workerProgram(
  coordinator: CoordinatorProgram,
  name: string,
  dataDir: string,
  joinToken: string | null,
  env: Record<string, string> = {},
): Program {
  if (!existsSync(workerFile)) throw new Error("dist/worker.mjs is missing: npm run build");
  const args = ["--coordinator", coordinator.url, "--threads", "1", "--no-gpu", "--name", name, "--data", dataDir];
  return new Program(name, () => [workerFile, ...args, "--json"], {
    ...env,
    ...(joinToken === null ? {} : { QUEZTL_JOIN_TOKEN: joinToken }),
  });
}
