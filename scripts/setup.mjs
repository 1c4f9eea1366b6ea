/**
 * Set-up: installs what is missing, prepares the SQLite driver, builds kernels, bundles and pages.
 * Needs nothing but Node and npm, skips what is done, and is safe to start twice at once.
 */
import { join } from "node:path";
import { stopChildren } from "./lib/child.mjs";
import { acquireLock } from "./lib/lock.mjs";
import { cache } from "./lib/paths.mjs";
import { steps } from "./lib/steps.mjs";

const seconds = (/** @type {number} */ sinceMs) => ((performance.now() - sinceMs) / 1000).toFixed(1);

/** @param {string[]} only */
const chosen = (only) => steps.filter(({ name }) => only.length === 0 || only.includes(name));

/**
 * Performs the steps that are not done, and prints a line for each with its seconds.
 * @param {{ only?: string[] }} [options] the names of some steps; all without it
 */
export async function setup({ only = [] } = {}) {
  // The common case, everything done, takes no lock. Later steps are looked at only when the earlier ones are done:
  // the driver's stamp, say, is read from its installed package.
  if (chosen(only).every((step) => step.done())) return;
  const release = await acquireLock(join(cache, "setup.lock"), {
    onWait: (pid) => console.log(`Waiting for another set-up in this folder (process ${pid}).`),
  });
  let interrupted = /** @type {NodeJS.Signals | null} */ (null);
  const stop = (/** @type {NodeJS.Signals} */ signal) => {
    interrupted = signal;
    stopChildren();
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  try {
    for (const step of chosen(only)) if (!interrupted) await perform(step);
  } catch (error) {
    if (!interrupted) throw error;
  } finally {
    process.off("SIGINT", stop);
    process.off("SIGTERM", stop);
    await release();
  }
  if (interrupted) {
    console.error("Set-up was interrupted. What is done is kept; the next start goes on from there.");
    process.exit(interrupted === "SIGINT" ? 130 : 143);
  }
}

/** @param {import("./lib/steps.mjs").Step} step */
async function perform(step) {
  if (step.done()) return;
  const startMs = performance.now();
  const terminal = process.stdout.isTTY;
  const draw = () => process.stdout.write(`\r${step.title} ... ${seconds(startMs)} s `);
  const timer = terminal ? setInterval(draw, 200) : undefined;
  if (terminal) draw();
  else process.stdout.write(`${step.title} ... `);
  try {
    await step.perform(() => {});
    process.stdout.write(terminal ? `\r${step.title} ... ${seconds(startMs)} s \n` : `${seconds(startMs)} s\n`);
  } catch (error) {
    process.stdout.write(`stopped after ${seconds(startMs)} s\n`);
    throw error;
  } finally {
    clearInterval(timer);
  }
}

/** @param {string[]} args names of steps, all without any */
export async function main(args) {
  const unknown = args.find((name) => !steps.some((step) => step.name === name));
  if (unknown !== undefined) {
    console.error(`No step is called ${unknown}; there are ${steps.map(({ name }) => name).join(", ")}.`);
    return 2;
  }
  const startMs = performance.now();
  await setup({ only: args });
  console.log(`Set-up is complete (${seconds(startMs)} s).`);
  return 0;
}
