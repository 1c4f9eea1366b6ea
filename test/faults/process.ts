/** A process over a faulty disk, which prints what it acknowledges, and dies without a good-bye. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FaultyDisk } from "./shim.ts";

const tsx = import.meta.resolve("tsx");
const printedBytesMax = 64 * 1024;

export class CoveredProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<NodeJS.Signals | number | null>;
  #isGone = false;
  #error = "";
  #waiting: (() => void)[] = [];

  /** Runs a TypeScript file over the disk; `env` is added to this process's own. */
  constructor(disk: FaultyDisk, script: URL, args: readonly string[], env: Record<string, string> = {}) {
    const all = ["--import", tsx, fileURLToPath(script), ...args];
    this.#child = spawn(process.execPath, all, {
      env: { ...process.env, ...env, ...disk.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr!.on("data", (chunk) => {
      this.#error = (this.#error + chunk).slice(-printedBytesMax);
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        this.#isGone = true;
        resolve(signal ?? code);
        this.#wake();
      });
    });
  }

  /** What follows `word` on the lines that begin with it. */
  said(word: string): string[] {
    return this.lines.flatMap((line) => (line.startsWith(`${word} `) ? [line.slice(word.length + 1)] : []));
  }

  /** Resolves once `is` holds of what was printed; throws when the process ends before. */
  async until(is: () => boolean): Promise<void> {
    while (!is()) {
      if (this.#isGone) throw new Error(`The process ended:\n${this.lines.slice(-20).join("\n")}\n${this.#error}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** SIGKILL. Resolves when it is gone and all it had printed has been read; throws when it had ended by itself. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    const end = await this.#ended;
    if (end !== "SIGKILL") throw new Error(`The process ended by itself (${end}): ${this.#error}`);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** The random numbers of a seed, uniform in [0,1); a failing test prints the seed. */
export function randomOf(seed: number): () => number {
  let state = (Math.abs(seed) % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
