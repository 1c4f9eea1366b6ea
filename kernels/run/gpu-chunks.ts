/** How a batch of grains is cut into command buffers that a device finishes in time. Pure: needs no GPU. */
import { type GpuProgram, grainTasks, type Workload } from "../contract.ts";
import type { GrainRun } from "./grains.ts";

/** What a command buffer should take. */
const TARGET_MS = 50;
/** Small enough for any device and kernel: what is tried while the speed is not known. */
const FIRST_INVOCATIONS = 1 << 12;
/** Of a shader that nobody at the grid wrote. */
const FIRST_INVOCATIONS_OF_STRANGERS = 64;
const INVOCATIONS_MIN = 64;
const INVOCATIONS_MAX = 2 ** 30;
/** Growth from buffer to buffer: a small one is mostly latency, and tells little of a large one. */
const GROWTH_MAX = 4;
const PACES_MAX = 64;
/** Chunks of a command buffer. */
export const CHUNKS_MAX = 1024;

/** Invocations first..first+count of a grain of the batch. */
export interface Chunk {
  /** Counted from the batch's first. */
  grain: number;
  taskLo: number;
  tasks: number;
  pass: number;
  first: number;
  count: number;
}

/** The chunks of a batch, in order, each command buffer's as its budget allows. */
export class Chunks {
  /** Invocations of the batch. */
  readonly total: number;
  readonly #whole: Chunk[];
  #rest: Chunk | undefined;

  constructor(run: GrainRun, program: GpuProgram<unknown>, turn = 0) {
    this.#whole = Array.from({ length: run.hi - run.lo }, (_, grain) => {
      const [lo, hi] = grainTasks(run, run.lo + grain);
      const tasks = hi - lo;
      const passes = program.passes?.(run.payload, run.round, lo, hi, turn) ?? [
        program.invocations(run.payload, tasks),
      ];
      return passes.map((count, pass) => ({ grain, taskLo: lo, tasks, pass, first: 0, count }));
    }).flat();
    this.total = this.#whole.reduce((sum, { count }) => sum + count, 0);
    this.#whole.reverse();
    this.#rest = this.#whole.pop();
  }

  /** The next chunks, of at most `budget` (1 or more) invocations together; none when all were taken. */
  take(budget: number): Chunk[] {
    const taken: Chunk[] = [];
    for (let left = budget; this.#rest && left > 0 && taken.length < CHUNKS_MAX; ) {
      const { first, count } = this.#rest;
      const now = Math.min(count, left);
      if (now > 0) taken.push({ ...this.#rest, count: now });
      left -= now;
      this.#rest = now < count ? { ...this.#rest, first: first + now, count: count - now } : this.#whole.pop();
    }
    return taken;
  }
}

/** Begins the keys of researchers' own shaders. */
const STRANGE = "own/";

/**
 * What tells apart the speeds of one shader: the operations of an invocation. Payloads that share it run alike; one
 * whose invocations have more to do starts anew, lest it inherit chunks that are too long for it.
 */
export function paceKey(build: string, workload: Workload, run: GrainRun): string {
  const [lo, hi] = grainTasks(run, run.lo);
  const invocations = workload.gpu?.invocations(run.payload, hi - lo) ?? 1;
  const { operations } = workload.cost(run.payload, lo, hi);
  return `${workload.tasks ? STRANGE : ""}${build}/${(operations / Math.max(1, invocations)).toPrecision(2)}`;
}

/** Invocations that take about TARGET_MS on this device, learnt as they run. */
export class GpuPaces {
  readonly #paces = new Map<string, number>();

  /** `share`, above 0 to 1, shortens the command buffers, for a device that was lost under longer ones. */
  constructor(private readonly share = 1) {}

  budget(key: string): number {
    return this.#paces.get(key) ?? (key.startsWith(STRANGE) ? FIRST_INVOCATIONS_OF_STRANGERS : FIRST_INVOCATIONS);
  }

  /** Notes that a command buffer of `invocations`, allowed `budget`, took `ms`. */
  note(key: string, invocations: number, ms: number): void {
    const budget = this.budget(key);
    // A last, short buffer says little about a full one, unless it took too long.
    const targetMs = TARGET_MS * this.share;
    if (invocations < budget / 2 && ms < targetMs) return;
    const fitting = Math.floor((invocations * targetMs) / Math.max(ms, 0.05));
    if (this.#paces.size >= PACES_MAX && !this.#paces.has(key)) this.#paces.clear();
    this.#paces.set(key, Math.max(INVOCATIONS_MIN, Math.min(fitting, budget * GROWTH_MAX, INVOCATIONS_MAX)));
  }
}
