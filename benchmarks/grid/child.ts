/** Child processes that answer calls over IPC: the coordinator and the nodes each run in one of their own. */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

interface Call {
  id: number;
  method: string;
  args: unknown;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

export class Child {
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #nextId = 1;

  private constructor(
    private readonly process: ChildProcess,
    private readonly name: string,
  ) {
    process.on("message", (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(new Error(`${this.name}: ${answer.error}`));
    });
    process.on("exit", (code, signal) => {
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`${name} ended (${signal ?? code})`));
      this.#waiting.clear();
    });
  }

  static start(module: URL, name: string, nodeFlags: string[] = []): Child {
    const execArgv = [...nodeFlags, "--import", import.meta.resolve("tsx")];
    return new Child(fork(fileURLToPath(module), [], { execArgv, serialization: "advanced" }), name);
  }

  call<T>(method: string, args: unknown = null): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.process.send({ id, method, args } satisfies Call);
    });
  }

  /** Lets it end by itself, so that a profile it was asked for is written; ends it after ten seconds. */
  async stop(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => this.process.once("exit", () => resolve()));
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    if (this.process.connected) this.process.disconnect();
    await gone;
    clearTimeout(timer);
  }
}

/** The child's side. Ends the process when the parent lets go. */
export function answerCalls(methods: Record<string, (args: never) => unknown>): void {
  process.on("message", async ({ id, method, args }: Call) => {
    let answer: Answer;
    try {
      answer = { id, value: await methods[method]?.(args as never) };
    } catch (error) {
      answer = { id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    }
    if (process.connected) process.send?.(answer);
  });
  process.on("disconnect", () => process.exit(0));
}
