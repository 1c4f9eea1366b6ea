/** The vectors of every registered workload, and its built kernels: what conformance tests run over. Node only. */
import { readFileSync } from "node:fs";
import type { KernelFiles } from "../../protocol/messages.ts";
import { grainTasks, type Host, type Workload } from "../contract.ts";
import { loadManifest, readKernelFile } from "../manifest.ts";
import type { GrainRun } from "../run/grains.ts";
import { workloads } from "../workloads.ts";
import type { Variant } from "./foreign.ts";

const manifest = loadManifest();

export interface Subject {
  workload: Workload;
  host: Host;
  files: KernelFiles;
  /** The shader as compilers of other GPUs may read it; none where it is all integers. */
  variants: readonly Variant[];
  cases: readonly Case[];
}

export interface Case {
  name: string;
  payload: unknown;
  grain: number;
  /** Tasks of the grain. */
  lo: number;
  hi: number;
  expected: Uint8Array;
}

interface Vectors {
  cases: { name: string; payload: unknown; grains: { grain: number; partialHex: string }[] }[];
}

export async function loadSubjects(): Promise<Subject[]> {
  return Promise.all([...workloads.values()].map(loadSubject));
}

async function loadSubject(workload: Workload): Promise<Subject> {
  const folder = new URL(`../workloads/${workload.type}/`, import.meta.url);
  const { default: host } = (await import(new URL("host.ts", folder).href)) as { default: Host };
  const variants = await import(new URL("variants.ts", folder).href).then(
    (module: { variants: Variant[] }) => module.variants,
    (error: { code?: string }) => {
      if (error.code === "ERR_MODULE_NOT_FOUND") return [];
      throw error;
    },
  );
  const vectors = JSON.parse(readFileSync(new URL("vectors.json", folder), "utf8")) as Vectors;
  const files = manifest[workload.type]?.files;
  if (!files) throw new Error(`The kernels of ${workload.type} are not built: run node kernels/build.mjs.`);
  return { workload, host, files, variants, cases: vectors.cases.flatMap((entry) => casesOf(workload, entry)) };
}

function casesOf(workload: Workload, entry: Vectors["cases"][number]): Case[] {
  const payload = workload.payload.parse(entry.payload);
  const plan = workload.plan(payload);
  return entry.grains.map(({ grain, partialHex }) => {
    const [lo, hi] = grainTasks(plan, grain);
    return { name: entry.name, payload, grain, lo, hi, expected: new Uint8Array(Buffer.from(partialHex, "hex")) };
  });
}

/** Bytes of a kernel file of the build. */
export function readKernel(files: KernelFiles, role: string): Uint8Array {
  const file = files[role];
  if (!file) throw new Error(`There is no ${role} among the kernels: run node kernels/build.mjs.`);
  return readKernelFile(role, file.sha256);
}

export function runOf(subject: Subject, { payload, grain }: Case, grains = 1): GrainRun {
  const { tasks, grainTasks: size } = subject.workload.plan(payload);
  return {
    workload: subject.workload.type,
    files: subject.files,
    payload,
    round: 0,
    tasks,
    grainTasks: size,
    input: null,
    inputs: null,
    inputsFirstTask: 0,
    lo: grain,
    hi: grain + grains,
  };
}
