/** Builds the shim that stands between a process and its disk, and gives the environment to run a process over it. */
import { spawnSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyPowerCut, type PowerCut, type PowerCutOptions } from "./powercut.ts";

const source = fileURLToPath(new URL("./shim.c", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/faults/", import.meta.url));

let built: { library: string } | { reason: string } | null = null;

/** The shim's library, or the reason why there is none on this machine. Built once per change of its source. */
export function buildShim(): { library: string } | { reason: string } {
  built ??= build();
  return built;
}

function build(): { library: string } | { reason: string } {
  if (process.platform !== "linux") return { reason: `LD_PRELOAD is of Linux; this is ${process.platform}` };
  const library = join(cache, "shim.so");
  mkdirSync(cache, { recursive: true });
  if (changedMs(library) > changedMs(source)) return { library };
  const aside = join(cache, `shim.${process.pid}.so`);
  for (const compiler of [process.env.CC, "cc", "gcc", "clang"]) {
    if (!compiler) continue;
    const args = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", aside, source, "-lpthread"];
    const done = spawnSync(compiler, args, { encoding: "utf8" });
    if (done.error) continue;
    if (done.status !== 0) throw new Error(`${compiler} cannot build ${source}:\n${done.stderr}`);
    renameSync(aside, library);
    return { library };
  }
  return { reason: "there is no C compiler (cc, gcc or clang)" };
}

function changedMs(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** How the disk behaves from now on, for the processes over it. What is left out is as usual. */
export interface DiskFaults {
  /** Bytes by which files may still grow before the disk is full. */
  spaceBytes?: number;
  /** So many syncs of files fail with EIO; what they were to write is lost at a power cut. */
  failingSyncs?: number;
}

/** A folder whose disk can fail. One process at a time may write to each of its files. */
export class FaultyDisk {
  /** The folder to work in; everything in it is covered. */
  readonly folder: string;
  readonly #base: string;
  readonly #state: string;
  readonly #library: string;
  #changes = 0;

  /** Throws where `buildShim` gives a reason. */
  constructor() {
    const shim = buildShim();
    if ("reason" in shim) throw new Error(`No faulty disk: ${shim.reason}.`);
    this.#library = shim.library;
    this.#base = realpathSync(mkdtempSync(join(tmpdir(), "queztl-faults-")));
    this.folder = join(this.#base, "disk");
    this.#state = join(this.#base, "state");
    mkdirSync(this.folder);
    mkdirSync(this.#state);
  }

  /** Add this to the environment of the process under test. */
  get env(): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      QUEZTL_FAULT_DIR: this.folder,
      QUEZTL_FAULT_STATE: this.#state,
      UV_USE_IO_URING: "0",
    };
  }

  /** From the next write or sync on. */
  set(faults: DiskFaults): void {
    const { spaceBytes = -1, failingSyncs = 0 } = faults;
    const aside = join(this.#state, "control.next");
    writeFileSync(aside, `space=${spaceBytes} eio=${failingSyncs} change=${++this.#changes}\n`);
    renameSync(aside, join(this.#state, "control"));
  }

  /**
   * Takes back what was not synced. Only when no process is left that works in the folder: kill it first
   * (SIGKILL) and wait for its end.
   */
  cutPower(options?: PowerCutOptions): PowerCut {
    return applyPowerCut(this.folder, this.#state, options);
  }

  /** Bytes of one of the folder's files, for assertions. */
  read(name: string): Uint8Array {
    return readFileSync(join(this.folder, name));
  }

  remove(): void {
    rmSync(this.#base, { recursive: true, force: true });
  }
}
