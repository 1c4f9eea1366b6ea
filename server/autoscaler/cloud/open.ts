/** The providers by name. Each is loaded when it is chosen: its cloud's library is heavy, or not installed at all. */
import { totalmem } from "node:os";
import { join } from "node:path";
import { LocalProvider } from "./local.ts";
import type { CloudProvider } from "./provider.ts";

export interface OpenOptions {
  /** The environment as far as adapters may know it: their clouds' own variables. */
  cloud: Readonly<Record<string, string | undefined>>;
  /** Environment of processes on this machine. */
  env: Readonly<Record<string, string | undefined>>;
  dataDir: string;
  /** The worker as one file. */
  workerFile: string;
  log(code: string, message: string): void;
}

type Open = (options: OpenOptions) => Promise<CloudProvider>;

const adapters: Partial<Record<string, Open>> = {
  local: async ({ workerFile, dataDir, env, log }) =>
    new LocalProvider({ file: workerFile, dir: join(dataDir, "instances"), env, memoryBytes: totalmem(), log }),
};

/** Throws Error with the remedy where this build has no such provider. */
export async function openProvider(name: string, options: OpenOptions): Promise<CloudProvider> {
  const open = adapters[name];
  if (!open) {
    throw new Error(`This build has no provider "${name}": use one of ${Object.keys(adapters).join(", ")}.`);
  }
  return open(options);
}
