/** What the scenario keeps of jobs and results: enough to open a finished job again, and to tell right from wrong. */
import type { CoreWrite, NewJob } from "../../../server/core/events.ts";
import type { StoredJob, StoredResult } from "../../../server/core/restore.ts";

export interface Kept extends Omit<StoredResult, "standing"> {
  standing: "candidate" | "provisional" | "confirmed" | "rejected" | "retracted";
  partials: Uint8Array;
  /** Grains of it that are wrong. */
  wrong: number;
}

export interface KeptJob {
  seed: NewJob;
  createdAtMs: number;
  revision: number;
  claimed: number;
  results: Kept[];
  ended: boolean;
  /** Wrong grains when it completed for the first time. */
  firstWrong: number | null;
}

export class SabotageRecord {
  readonly jobs = new Map<string, KeptJob>();
  readonly results = new Map<number, Kept>();
  readonly #tainted = new Map<string, number>();

  apply(write: CoreWrite, seeds: Map<string, NewJob>, now: number): void {
    switch (write.type) {
      case "job.insert": {
        const seed = seeds.get(write.job) as NewJob;
        const kept = { seed, createdAtMs: now, revision: 0, claimed: 0, results: [], ended: false, firstWrong: null };
        this.jobs.set(write.job, kept);
        return;
      }
      case "extent.claim":
        this.#job(write.job).claimed = write.hi;
        return;
      case "result.insert": {
        const { id, node, own, standing, verdict, message } = write;
        const { lo, hi, backend, lease, partials, computeMs } = message;
        const wrong = countWrong(partials);
        const kept = {
          id,
          lo,
          hi,
          node,
          own,
          backend,
          lease,
          standing,
          verdict,
          computeMs,
          atMs: now,
          partials,
          wrong,
        };
        this.#job(message.job).results.push(kept);
        this.results.set(id, kept);
        return;
      }
      case "result.verdict":
        Object.assign(this.results.get(write.id) as Kept, { standing: write.standing, verdict: write.verdict });
        return;
      case "results.confirm":
        for (const id of write.ids) Object.assign(this.results.get(id) as Kept, { standing: "confirmed" });
        return;
      case "job.reopen":
        Object.assign(this.#job(write.job), { ended: false, revision: write.revision });
        return;
      case "job.ended": {
        if (write.state !== "completed") throw new Error(`job ${write.job} ${write.state}: ${write.reason?.message}`);
        const job = this.#job(write.job);
        job.ended = true;
        job.firstWrong ??= wrongIn(job);
        return;
      }
      case "node.trust":
        if (write.trust.taintedAtMs !== null) this.#tainted.set(write.trust.node, write.trust.taintedAtMs);
        return;
      case "round.insert":
      case "work.done":
      case "audit.done":
        return;
    }
  }

  #job(id: string): KeptJob {
    const job = this.jobs.get(id);
    if (!job) throw new Error(`job ${id} was never inserted`);
    return job;
  }

  /** Completed jobs that rest on the word of a node that was proven wrong. */
  tainted(): StoredJob[] {
    const found: StoredJob[] = [];
    for (const job of this.jobs.values()) {
      if (!job.ended || !job.results.some((result) => counts(result) && this.#isTainted(result))) continue;
      const { seed, createdAtMs, revision, claimed } = job;
      const { grains } = seed.payload as { grains: number };
      const round = { round: 0, tasks: grains, grainTasks: 1, input: null };
      const results = job.results.filter((result) => result.standing !== "rejected" && result.standing !== "retracted");
      found.push({ seed, createdAtMs, revision, round, claimed, results: results as (Kept & StoredResult)[] });
    }
    return found;
  }

  #isTainted({ own, node, verdict, atMs }: Kept): boolean {
    return !own && verdict !== "certificate" && atMs <= (this.#tainted.get(node) ?? Number.NEGATIVE_INFINITY);
  }
}

const counts = ({ standing }: Kept): boolean => standing === "provisional" || standing === "confirmed";

/** Wrong grains that stand in a job: of overlapping results the earlier one counts. */
export function wrongIn(job: KeptJob): number {
  let wrong = 0;
  const covered = new Uint8Array((job.seed.payload as { grains: number }).grains);
  for (const result of job.results) {
    if (!counts(result)) continue;
    if (result.wrong > 0) {
      for (let grain = result.lo; grain < result.hi; grain++) {
        if (covered[grain] === 0 && answerOf(result.partials, grain - result.lo) !== right) wrong++;
      }
    }
    covered.fill(1, result.lo, result.hi);
  }
  return wrong;
}

/** A grain's answer is one byte: right, what saboteurs agreed on, or what a fault made of it. */
export const right = 0;
const stride = 3;

const allRight = new Uint8Array(stride * 1_024).map((_, at) => (at % stride === 0 ? 1 : right));

/** A run of right answers, packed as results are; the same bytes for all. */
export const rightAnswers = (grains: number): Uint8Array => allRight.subarray(0, stride * grains);

export const answerOf = (packed: Uint8Array, index: number): number => packed[stride * index + 2] as number;

export function setAnswer(packed: Uint8Array, index: number, answer: number): void {
  packed[stride * index + 2] = answer;
}

export function countWrong(packed: Uint8Array): number {
  let wrong = 0;
  for (let at = 2; at < packed.length; at += stride) if (packed[at] !== right) wrong++;
  return wrong;
}
