/** The same algorithms in C, in vectors of the same width: compiled where there is a compiler, run in a child process. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Absent, Case, Contender, Timed } from "./contender.ts";

const sources = fileURLToPath(new URL("c/", import.meta.url));
const cache = fileURLToPath(new URL("../../.cache/bench/", import.meta.url));
const kernels = ["crypto_mining", "monte_carlo"];
/** Fused multiply-adds would round differently from the kernels. */
const commonFlags = ["-O3", "-ffp-contract=off"];

export interface NativeBuild {
  name: string;
  /** As the first argument of `c/main.c`. */
  form: "vectors" | "scalar";
  flags: readonly string[];
}

/** The plain widths of WASM first: 128-bit vectors, and one number at a time (no vectors made of loops either). */
const builds: Record<string, readonly NativeBuild[]> = {
  x64: [
    { name: "C, SSE4.1", form: "vectors", flags: ["-msse4.1"] },
    { name: "C, AVX", form: "vectors", flags: ["-mavx"] },
    { name: "C, this CPU's", form: "vectors", flags: ["-march=native"] },
    { name: "C scalar", form: "scalar", flags: ["-fno-tree-vectorize"] },
  ],
  arm64: [
    { name: "C, NEON", form: "vectors", flags: [] },
    { name: "C scalar", form: "scalar", flags: ["-fno-tree-vectorize"] },
  ],
};

export const nativeBuilds: readonly NativeBuild[] = builds[process.arch] ?? [];

interface Compiler {
  command: string;
  version: string;
}

/** `$CC`, or the first of the usual names that answers. */
export function findCompiler(): Compiler | null {
  for (const command of [process.env.CC, "cc", "gcc", "clang"]) {
    if (!command) continue;
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    if (status === 0) return { command, version: stdout.split("\n")[0]?.trim() ?? command };
  }
  return null;
}

export function nativeContender({ name, form, flags }: NativeBuild, compiler: Compiler | null): Contender | Absent {
  if (!compiler) return { name, missing: "no compiler: install gcc or clang, or name one in CC" };
  const programs = new Map<string, Program>();
  for (const kernel of kernels) {
    const compiled = compile(kernel, [...commonFlags, ...flags], compiler);
    if ("problem" in compiled) {
      for (const program of programs.values()) program.close();
      return { name, missing: `${compiler.command} ${flags.join(" ")}: ${compiled.problem}` };
    }
    programs.set(kernel, new Program(compiled.file, form));
  }
  return {
    name,
    backend: "wasm",
    clock: "cpu",
    share: 1,
    about: `${compiler.version} ${[...commonFlags, ...flags].join(" ")}`,
    run: (one) => (programs.get(one.workload.type) as Program).run(one),
    close: () => {
      for (const program of programs.values()) program.close();
    },
  };
}

/** Compiles unless the same was compiled before: the file is named by what goes into it. */
function compile(kernel: string, flags: string[], compiler: Compiler): { file: string } | { problem: string } {
  const inputs = ["main.c", `${kernel}.c`].map((name) => `${sources}${name}`);
  const key = createHash("sha256").update(JSON.stringify([compiler, flags]));
  for (const input of [...inputs, `${sources}kernel.h`, `${sources}lanes.h`]) key.update(readFileSync(input));
  const file = `${cache}${kernel}-${key.digest("hex").slice(0, 16)}`;
  if (existsSync(file)) return { file };
  mkdirSync(cache, { recursive: true });
  const { status, stderr } = spawnSync(compiler.command, [...flags, "-o", file, ...inputs, "-lm"], {
    encoding: "utf8",
  });
  return status === 0 ? { file } : { problem: stderr.trim().split("\n")[0] ?? `exit status ${status}` };
}

/** A running program of `c/main.c`: one request at a time. */
class Program {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(
    private readonly file: string,
    form: string,
  ) {
    this.#child = spawn(file, [form], { stdio: ["pipe", "pipe", "inherit"] });
    this.#reader = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async run({ workload, payload, tasks }: Case): Promise<Timed> {
    const params = Buffer.from(workload.params(payload, 0)).toString("hex");
    this.#child.stdin?.write(`0 ${tasks} ${params}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.file} ended without an answer: it refused the parameters of ${workload.type}.`);
    const [cpu, wall, partial] = (value as string).split(" ") as [string, string, string];
    return {
      partial: new Uint8Array(Buffer.from(partial, "hex")),
      cpuMs: Number(cpu) / 1e6,
      wallMs: Number(wall) / 1e6,
    };
  }

  close(): void {
    this.#reader.close();
    this.#child.stdin?.end();
  }
}
