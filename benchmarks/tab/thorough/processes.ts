/**
 * What the kernel of the system says of a browser's processes and threads (Linux: /proc). It is a witness of computing
 * that does not depend on what the page tells.
 */
import { readdirSync, readFileSync } from "node:fs";

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It ended meanwhile.
    return "";
  }
};

const numbersIn = (folder: string): number[] => {
  try {
    return readdirSync(folder)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
};

/** A process and all that descend from it. */
export function familyOf(root: number): number[] {
  const parents = numbersIn("/proc").map((pid) => {
    // "pid (name) state ppid": a name may hold spaces and parentheses.
    const fields = read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ");
    return [pid, Number(fields?.[1])] as const;
  });
  const family = [root];
  for (const parent of family) family.push(...parents.filter(([, ppid]) => ppid === parent).map(([pid]) => pid));
  return family;
}

/**
 * Those of a family that are of one kind: Chromium names it on their command lines, which its zygotes rewrite with blanks
 * between the words. Throws where there is none, since a witness of nothing would see every tab rest.
 */
export function processesOf(root: number, type: "renderer" | "gpu-process"): number[] {
  const found = familyOf(root).filter((pid) => kindOf(read(`/proc/${pid}/cmdline`)) === type);
  if (found.length === 0) throw new Error(`No process of the browser ${root} is a ${type}.`);
  return found;
}

export const kindOf = (commandLine: string): string | undefined => /[\0 ]--type=([a-z-]+)/.exec(commandLine)?.[1];

/** Name that Chromium gives to threads of workers, as the system cuts it. */
const workerThread = /^DedicatedWorker/;

/**
 * CPU time of the threads of workers in `renderers`, and of all threads of `whole`, in milliseconds since the first
 * sample. Threads that end between two samples lose what they used after the first.
 */
export class ComputeClock {
  readonly #seen = new Map<string, number>();
  readonly #counts = new Map<string, boolean>();
  #ms = 0;

  constructor(
    private readonly renderers: readonly number[],
    private readonly whole: readonly number[] = [],
  ) {
    this.sample();
    this.#ms = 0;
  }

  sample(): number {
    for (const pid of this.renderers) this.#add(pid, (key) => workerThread.test(read(`/proc/${key}/comm`)));
    for (const pid of this.whole) this.#add(pid, () => true);
    return this.#ms;
  }

  #add(pid: number, counts: (key: string) => boolean): void {
    for (const tid of numbersIn(`/proc/${pid}/task`)) {
      const key = `${pid}/task/${tid}`;
      // A thread gets its name a moment after it was made, so only a yes is remembered.
      if (!this.#counts.get(key)) {
        if (!counts(key)) continue;
        this.#counts.set(key, true);
      }
      const ns = Number(read(`/proc/${key}/schedstat`).split(" ")[0]);
      if (!(ns > 0)) continue;
      this.#ms += (ns - (this.#seen.get(key) ?? 0)) / 1e6;
      this.#seen.set(key, ns);
    }
  }
}

export interface Sample {
  /** As Date.now(), which pages of this machine share. */
  atMs: number;
  cpuMs: number;
}

/** Share of one core in an interval from which on it counts as computing. */
export const busyShare = 0.2;
/** Intervals are at least this long: shorter ones are finer than the scheduler. */
const intervalMsMin = 10;

/** When the last interval of `samples` ended in which something computed; null where none did after `fromMs`. */
export function lastBusy(samples: readonly Sample[], fromMs: number): number | null {
  let found: number | null = null;
  let before = samples[0];
  for (const sample of samples) {
    if (!before || sample.atMs - before.atMs < intervalMsMin) continue;
    const share = (sample.cpuMs - before.cpuMs) / (sample.atMs - before.atMs);
    if (share > busyShare && sample.atMs > fromMs) found = sample.atMs;
    before = sample;
  }
  return found;
}

/** CPU time over the time, in the last `ms` before `atMs`: whether the witness saw what it is asked about. */
export function coresBefore(samples: readonly Sample[], atMs: number, ms: number): number {
  const of = samples.filter((sample) => sample.atMs <= atMs && sample.atMs >= atMs - ms);
  const [first, last] = [of[0], of.at(-1)];
  return first && last && last.atMs > first.atMs ? (last.cpuMs - first.cpuMs) / (last.atMs - first.atMs) : 0;
}

/** Samples a clock as fast as it can until `until` resolves. */
export async function sampleUntil(clock: ComputeClock, until: Promise<unknown>): Promise<Sample[]> {
  const samples: Sample[] = [];
  let over = false;
  void until
    .finally(() => {
      over = true;
    })
    .catch(() => {});
  while (!over) {
    samples.push({ atMs: Date.now(), cpuMs: clock.sample() });
    await new Promise((resolve) => setTimeout(resolve, 8));
  }
  await until;
  return samples;
}
