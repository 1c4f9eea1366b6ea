/** What end-to-end tests ask of a browser that Playwright does not drive: one page, in a new profile of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface OtherBrowser {
  /** What it calls itself, e.g. "firefox 153.7.0". */
  readonly name: string;
  /** Errors that no script of a page caught, since the start; absent where the protocol does not tell them. */
  readonly errors?: readonly string[];
  /** Opens an address, and waits until the page has loaded. */
  goto(url: string): Promise<void>;
  /** As the button of that name. */
  back(): Promise<void>;
  /** Runs a function in the page, which sees nothing from outside, and gives what it answers. */
  evaluate<T>(script: () => T | Promise<T>): Promise<T>;
  /** A real press of the pointer on the element with this `data-testid`. */
  press(testId: string): Promise<void>;
  /** What is visible of the page, as PNG. */
  screenshot(): Promise<Buffer>;
  /** Ends the browser and all that was started for it, and removes its profile. */
  end(): Promise<void>;
}

/** Time for a browser to start; one CPU core may be shared with compilers. */
export const startMsMax = 30_000;

/** The answer of `script`, as the source of a promise of JSON, for protocols that know no functions. */
export const asJson = (script: () => unknown): string =>
  `(async () => (${script.toString()})())().then((value) => JSON.stringify(value ?? null))`;

/** Processes of one browser, and a folder for all that it writes. */
export class Household {
  readonly folder = mkdtempSync(join(tmpdir(), "queztl-browser-"));
  readonly #children: ChildProcess[] = [];

  /**
   * Starts a program and gives the first group of `announced` once it was printed. Each has a process group of its own,
   * so that the processes it starts end with it.
   */
  start(program: string, args: string[], announced: RegExp, env: Record<string, string> = {}): Promise<string> {
    const child = spawn(program, args, {
      // Caches and settings of the browser's user are neither read nor written.
      env: { ...process.env, HOME: this.folder, XDG_RUNTIME_DIR: this.folder, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#children.push(child);
    return new Promise((resolve, reject) => {
      let told = "";
      const fail = (why: string): void => reject(new Error(`${program} ${why}:\n${told}`));
      const timer = setTimeout(() => fail(`did not start within ${startMsMax} ms`), startMsMax);
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code) => fail(`ended with ${code}`));
      for (const stream of [child.stdout, child.stderr]) {
        stream.on("data", (data: Buffer) => {
          told = (told + data.toString()).slice(-8_192);
          const found = announced.exec(told)?.[1];
          if (found === undefined) return;
          clearTimeout(timer);
          resolve(found);
        });
      }
    });
  }

  async end(): Promise<void> {
    await Promise.all(this.#children.reverse().map(killGroup));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function killGroup(child: ChildProcess): Promise<void> {
  const ended = child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
  const exited = ended ? Promise.resolve() : new Promise<void>((resolve) => child.once("exit", () => resolve()));
  try {
    if (process.platform === "win32") child.kill("SIGKILL");
    // The leader may be gone before those it started.
    else if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nobody of the group is left.
  }
  return exited;
}
