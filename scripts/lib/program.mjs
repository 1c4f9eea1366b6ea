/** A program of ours that runs beside this one, may be killed without a good-bye, and be started again. */
import { spawn } from "node:child_process";
import { root } from "./paths.mjs";

const KEPT_CHARACTERS = 8 * 1024;

export class Program {
  /** @type {import("node:child_process").ChildProcess | null} */
  #child = null;
  /** @type {Promise<void>} */
  #gone = Promise.resolve();
  /** The last of what it printed, of all its lives. */
  output = "";
  /** It ended although nobody killed it. */
  failed = false;

  /** @param {string} name @param {string[]} args @param {NodeJS.ProcessEnv} env */
  constructor(name, args, env) {
    this.name = name;
    this.args = args;
    this.env = env;
  }

  get isUp() {
    return this.#child !== null;
  }

  /** Its process, 0 when there is none. */
  get pid() {
    return this.#child?.pid ?? 0;
  }

  start() {
    const child = spawn(process.execPath, this.args, {
      cwd: root,
      env: this.env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      // A group of its own: Ctrl-C in the terminal is for whoever started it, who then ends it.
      detached: process.platform !== "win32",
    });
    this.#child = child;
    const keep = (/** @type {Buffer} */ chunk) => {
      this.output = (this.output + chunk).slice(-KEPT_CHARACTERS);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#gone = new Promise((resolve) => {
      const end = () => {
        if (this.#child === child) this.failed = true;
        if (this.#child === child) this.#child = null;
        resolve();
      };
      child.on("error", end);
      child.on("exit", end);
    });
  }

  /** SIGKILL: it can neither tidy up nor say anything. Resolves when it is gone. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    child?.kill("SIGKILL");
    await this.#gone;
  }
}
