/** The native worker that `npm start` runs on this machine: an own node, started again when it dies. */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism } from "node:os";

export interface LocalWorkerOptions {
  /** The worker as one file. */
  file: string;
  coordinatorUrl: string;
  joinToken: string;
  dataDir: string;
  threads: number | null;
  log(code: string, message: string): void;
}

const stopMsMax = 4_000;

export class LocalWorker {
  #child: ChildProcess | null = null;
  #stopping = false;
  #failures = 0;

  constructor(private readonly options: LocalWorkerOptions) {}

  start(): void {
    const { file, coordinatorUrl, dataDir, threads } = this.options;
    // One core is left to the coordinator and to whoever sits at this machine.
    const count = threads ?? Math.max(1, availableParallelism() - 1);
    const startedMs = Date.now();
    const child = spawn(
      process.execPath,
      [
        file,
        "--coordinator",
        coordinatorUrl,
        "--threads",
        String(count),
        "--data",
        dataDir,
        "--name",
        "this machine",
        "--with-parent",
      ],
      {
        // The token goes by environment: arguments are readable by every user of the machine.
        env: { ...process.env, QUEZTL_JOIN_TOKEN: this.options.joinToken, QUEZTL_MODE: "worker" },
        // It ends when its standard input does: also when this process is killed and cannot say so.
        stdio: ["pipe", "ignore", "pipe"],
        // Ctrl-C reaches the coordinator, which stops the worker in order.
        detached: process.platform !== "win32",
      },
    );
    this.#child = child;
    const lines: string[] = [];
    child.stderr?.on("data", (data: Buffer) => {
      lines.push(data.toString());
      if (lines.length > 20) lines.shift();
    });
    child.on("error", (error) => this.options.log("local_worker", error.message));
    child.on("exit", (code, signal) => {
      this.#child = null;
      if (this.#stopping) return;
      this.#failures = Date.now() - startedMs > 60_000 ? 0 : this.#failures + 1;
      const waitMs = Math.min(60_000, 500 * 2 ** this.#failures);
      this.options.log(
        "local_worker",
        `The worker of this machine ended (${signal ?? code}); it starts again in ${waitMs / 1000} s. ${lines.join("").trim().split("\n").at(-1) ?? ""}`,
      );
      setTimeout(() => {
        if (!this.#stopping) this.start();
      }, waitMs).unref();
    });
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Lets it hand in what is finished; resolves when it is gone. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (!child) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      child.once("exit", () => {
        clearTimeout(timer);
        resolve();
      });
      child.kill("SIGTERM");
    });
  }
}
