/** The durable record, as a model: what was committed, and what a coordinator finds after a restart. */
import type { CoreWrite, NewJob } from "../../server/core/events.ts";
import type { StoredJob } from "../../server/core/restore.ts";
import type { JobStats } from "../../server/core/state.ts";
import { assertTransition } from "../../server/core/transitions.ts";
import type { TrustRecord } from "../../server/core/trust.ts";

export interface RecordedResult {
  id: number;
  job: string;
  round: number;
  lo: number;
  hi: number;
  node: string;
  own: boolean;
  lease: string;
  standing: "candidate" | "provisional" | "confirmed" | "rejected" | "retracted";
  verdict: string;
  partials: Uint8Array;
  computeMs: number;
  atMs: number;
}

export interface RecordedJob {
  seed: NewJob;
  createdAtMs: number;
  revision: number;
  rounds: { round: number; tasks: number; grainTasks: number; input: string | null; claimed: number }[];
  results: RecordedResult[];
  end: { state: "completed" | "failed" | "cancelled"; reason: string; output: string | null; stats: JobStats } | null;
}

/** A write with what only the writer's memory knows, taken down when it was asked for. */
export type Pending = { write: CoreWrite; seed: NewJob | null; atMs: number };

export class Record {
  readonly jobs = new Map<string, RecordedJob>();
  readonly results = new Map<number, RecordedResult>();
  readonly trust = new Map<string, TrustRecord>();
  epoch = 0;
  lastResult = 0;

  /** All of a batch. Throws where the core broke the record's rules. */
  commit(batch: readonly Pending[]): void {
    for (const pending of batch) this.#apply(pending);
  }

  #apply({ write, seed, atMs }: Pending): void {
    switch (write.type) {
      // The ledger's, which is not simulated; its numbers are the results'.
      case "work.done":
        this.lastResult = Math.max(this.lastResult, write.id);
        return;
      case "job.insert":
        if (this.jobs.has(write.job)) throw new Error(`record: job ${write.job} is inserted twice`);
        this.jobs.set(write.job, {
          seed: seed as NewJob,
          createdAtMs: atMs,
          revision: 1,
          rounds: [],
          results: [],
          end: null,
        });
        return;
      case "round.insert": {
        const { rounds } = this.#job(write.job);
        if (rounds.length !== write.round) throw new Error(`record: round ${write.round} follows ${rounds.length - 1}`);
        const { round, tasks, grainTasks, input } = write;
        rounds.push({ round, tasks, grainTasks, input, claimed: 0 });
        return;
      }
      case "extent.claim": {
        const round = this.#job(write.job).rounds[write.round];
        if (round?.claimed !== write.lo) throw new Error(`record: extent from ${write.lo}, claimed ${round?.claimed}`);
        round.claimed = write.hi;
        return;
      }
      case "result.insert":
        this.#insert(write, atMs);
        return;
      case "result.verdict": {
        const result = this.results.get(write.id);
        if (!result) throw new Error(`record: verdict on result ${write.id}, which is not there`);
        assertTransition("standing", result.standing, write.standing, `result ${write.id} in the record`);
        result.standing = write.standing;
        result.verdict = write.verdict;
        return;
      }
      case "results.confirm":
        for (const id of write.ids) {
          const result = this.results.get(id);
          if (result?.standing !== "provisional")
            throw new Error(`record: result ${id}, ${result?.standing}, confirmed`);
          result.standing = "confirmed";
          result.verdict = write.verdict;
        }
        return;
      case "audit.done":
        if (!this.results.has(write.result)) throw new Error(`record: an audit of result ${write.result}, not there`);
        return;
      case "node.trust":
        this.trust.set(write.trust.node, structuredClone(write.trust));
        return;
      case "job.reopen": {
        const job = this.jobs.get(write.job);
        if (!job) throw new Error(`record: job ${write.job} was never inserted`);
        job.end = null;
        job.revision = write.revision;
        job.rounds = job.rounds.slice(0, write.round + 1);
        for (const result of job.results) {
          if (result.round > write.round && result.standing !== "rejected") result.standing = "retracted";
        }
        return;
      }
      case "job.ended": {
        const job = this.#job(write.job);
        if (job.end) throw new Error(`record: job ${write.job} ends twice`);
        const { state, output, stats } = write;
        job.end = { state, reason: write.reason?.code ?? "", output, stats: structuredClone(stats) };
        return;
      }
    }
  }

  #insert(write: Extract<CoreWrite, { type: "result.insert" }>, atMs: number): void {
    const { message, id, node, own, standing, verdict } = write;
    if (id <= this.lastResult) throw new Error(`record: result ${id} after ${this.lastResult}`);
    const job = this.#job(message.job);
    const round = job.rounds[message.round];
    if (!round || message.hi > round.claimed) throw new Error(`record: result ${id} for grains that nobody claimed`);
    const { round: number, lo, hi, lease, partials, computeMs } = message;
    const result = { id, job: message.job, round: number, lo, hi, node, own, lease, standing, verdict, partials };
    const recorded: RecordedResult = { ...result, computeMs, atMs };
    this.lastResult = id;
    this.results.set(id, recorded);
    job.results.push(recorded);
  }

  #job(id: string): RecordedJob {
    const job = this.jobs.get(id);
    if (!job) throw new Error(`record: job ${id} was never inserted`);
    if (job.end) throw new Error(`record: job ${id} ended already`);
    return job;
  }

  /** Open jobs, as a restart finds them. */
  open(): StoredJob[] {
    const found: StoredJob[] = [];
    for (const job of this.jobs.values()) {
      if (job.end) continue;
      const round = job.rounds.at(-1);
      if (!round) throw new Error(`record: job ${job.seed.id} has no round`);
      found.push(this.#storedAt(job, round));
    }
    return found;
  }

  #storedAt(job: RecordedJob, round: RecordedJob["rounds"][number]): StoredJob {
    const results = job.results.flatMap((result) => {
      const { standing } = result;
      if (result.round !== round.round || standing === "rejected" || standing === "retracted") return [];
      return [{ ...result, standing, backend: "wasm" as const }];
    });
    const { seed, createdAtMs, revision } = job;
    return { seed, createdAtMs, revision, round, claimed: round.claimed, results };
  }

  /** Completed jobs, and finished rounds of open ones, that rest on a node that was proven wrong; from where on. */
  tainted(): StoredJob[] {
    const found: StoredJob[] = [];
    for (const job of this.jobs.values()) {
      if (job.end && job.end.state !== "completed") continue;
      const current = job.end ? Number.POSITIVE_INFINITY : job.rounds.length - 1;
      const round = job.rounds.find(
        ({ round: number }) =>
          number < current && job.results.some((result) => result.round === number && this.#isTainted(result)),
      );
      if (round) found.push(this.#storedAt(job, round));
    }
    return found;
  }

  #isTainted({ node, own, standing, verdict, atMs }: RecordedResult): boolean {
    const taintedAtMs = this.trust.get(node)?.taintedAtMs ?? null;
    const counts = standing === "provisional" || standing === "confirmed";
    return !own && counts && verdict !== "certificate" && taintedAtMs !== null && atMs <= taintedAtMs;
  }

  /** Which durable result stands for each grain of a round, in commit order. `null`: none does. */
  standing(job: RecordedJob, round: number, only: "confirmed" | "kept"): (RecordedResult | null)[] {
    const grains: (RecordedResult | null)[] = Array(job.rounds[round]?.tasks ?? 0).fill(null);
    for (const result of job.results) {
      if (result.round !== round || result.standing === "rejected" || result.standing === "retracted") continue;
      if (only === "confirmed" && result.standing !== "confirmed") continue;
      for (let grain = result.lo; grain < result.hi; grain++) grains[grain] ??= result;
    }
    return grains;
  }
}
