/** A worker in a container: what it runs, and how large it is. */
import type { Boot } from "./provider.ts";

/** Node and nothing else: the worker is fetched from the coordinator. */
export const imageDefault = "node:22-slim";

/**
 * Fetches the worker and becomes its parent: a first process of a container must hand signals on. `process.argv` has the
 * coordinator's address and the worker's other arguments.
 */
const bootstrap = `
const { writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const [url, ...args] = process.argv.slice(1);
const file = "/tmp/worker.mjs";
async function fetched() {
  for (let tries = 1; ; tries++) {
    try {
      const answer = await fetch(url + "/worker.mjs");
      if (!answer.ok) throw new Error("the coordinator answered " + answer.status);
      return await answer.text();
    } catch (error) {
      if (tries === 30) throw error;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}
fetched().then((text) => {
  writeFileSync(file, text);
  const worker = spawn(process.execPath, [file, "--coordinator", url, ...args], { stdio: ["ignore", "inherit", "inherit"] });
  for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => worker.kill(signal));
  worker.on("exit", (code) => process.exit(code ?? 1));
}, (error) => { console.error(String(error)); process.exit(1); });
`;

export function containerCommand(boot: Boot, name: string): string[] {
  const seconds = (ms: number): string => String(Math.ceil(ms / 1000));
  return [
    ...["node", "-e", bootstrap, boot.coordinatorUrl.replace(/\/+$/, "")],
    ...["--data", "/tmp/queztl", "--name", `instance ${name}`],
    ...["--end-after", seconds(boot.lifetimeMs), "--end-if-silent", seconds(boot.silenceMs)],
  ];
}

/** "2x4096": cores, and MiB of memory. */
export interface Size {
  name: string;
  cores: number;
  memoryBytes: number;
}

/** Throws Error with the remedy. */
export function sizesOf(text: string, variable: string): Size[] {
  const names = text
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "");
  return names.map((name) => {
    const [, cores, megabytes] = /^(\d+(?:\.\d+)?)x(\d+)$/.exec(name) ?? [];
    if (cores === undefined || megabytes === undefined || Number(cores) <= 0 || Number(megabytes) < 128)
      throw new Error(`${variable} has "${name}": write cores and MiB of memory, as "2x4096".`);
    return { name, cores: Number(cores), memoryBytes: Number(megabytes) * 2 ** 20 };
  });
}
