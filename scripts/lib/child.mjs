/** Child processes without a shell: run to the end with their output kept, or run in the foreground. */
import { spawn } from "node:child_process";
import { root } from "./paths.mjs";

/** Output kept of each child, for the explanation of a failure. */
const KEPT_CHARACTERS = 64 * 1024;
/**
 * What a terminal or a service manager sends to make a program stop.
 * @type {NodeJS.Signals[]}
 */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * @typedef {{ code: number, output: string, missing: boolean, timedOut: boolean }} Finished
 * `code` is 0 on success; `missing` means that the program itself was not found.
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

/** Stops every child that `run` started, for Ctrl-C during set-up. */
export function stopChildren() {
  for (const child of running) child.kill("SIGTERM");
}

/**
 * Runs a program to its end and keeps the last part of what it printed.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeoutMs?: number, onOutput?: (text: string) => void }} [options]
 * @returns {Promise<Finished>}
 */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    let output = "";
    let timedOut = false;
    const child = spawn(program, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    running.add(child);
    const timer = options.timeoutMs
      ? setTimeout(() => {
          timedOut = true;
          child.kill("SIGKILL");
        }, options.timeoutMs)
      : undefined;
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk).slice(-KEPT_CHARACTERS);
      options.onOutput?.(String(chunk));
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    const finish = (/** @type {number} */ code, missing = false) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({ code, output, missing, timedOut });
    };
    child.on("error", (/** @type {NodeJS.ErrnoException} */ error) => {
      output += String(error.message);
      finish(127, error.code === "ENOENT");
    });
    child.on("close", (code, signal) => finish(code ?? (signal ? 128 : 1)));
  });
}

/**
 * Runs a program in the foreground on this terminal until it ends, and resolves with its exit code.
 *
 * A Ctrl-C, or the closing of the window, reaches every process of the terminal, the program included, and npm passes
 * on what it gets as well. The program must see one signal for one keystroke, since a second one means "at once": so
 * what a terminal has delivered already is not passed on, and a repetition within a second is the same request.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function foreground(program, args, options = {}) {
  const child = spawn(program, args, { cwd: options.cwd ?? root, env: options.env ?? process.env, stdio: "inherit" });
  const terminal = Boolean(process.stdin.isTTY || process.stdout.isTTY);
  let passedOnAt = Number.NEGATIVE_INFINITY;
  const passOn = (/** @type {NodeJS.Signals} */ signal) => {
    if (signal !== "SIGTERM" && (terminal || process.platform === "win32")) return;
    if (performance.now() - passedOnAt < 1000) return;
    passedOnAt = performance.now();
    child.kill(signal === "SIGHUP" ? "SIGTERM" : signal);
  };
  for (const signal of STOP_SIGNALS) process.on(signal, passOn);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      for (const name of STOP_SIGNALS) process.off(name, passOn);
      resolve(code ?? (signal === "SIGINT" ? 130 : signal === "SIGTERM" ? 143 : 1));
    });
  });
}
