/**
 * The store in memory, with SQLite's semantics: for tests and the simulator. Faults can be asked for, so that what
 * a coordinator does after them can be tested without breaking a disk.
 */
import type { JobState } from "../../protocol/rest.ts";
import type { LedgerReader } from "./ledger.ts";
import { taintedIn } from "./memory-belief.ts";
import type { MemoryLedger } from "./memory-ledger.ts";
import { MemoryRecord, type StoredJob } from "./memory-record.ts";
import { applyWrite } from "./memory-write.ts";
import { assertPartialsAsked, readPage, writeCursor } from "./paging.ts";
import {
  type JobFilter,
  type JobRecord,
  type ResultRecord,
  type RoundRecord,
  type Snapshot,
  type SnapshotJob,
  type Store,
  StoreError,
  type StoreErrorCode,
  type Taint,
  type Write,
} from "./store.ts";

const isOpen = (state: JobState): boolean => state === "queued" || state === "running";

/** A commit's failure to come. `written` says what an unknown outcome turns out to be. */
interface Fault {
  code: StoreErrorCode;
  written: boolean;
}

export class MemoryStore implements Store {
  #epoch = 0;
  #open = false;
  #broken = false;
  readonly #faults: Fault[] = [];
  readonly ledger: LedgerReader = {
    creditSums: async (...args) => this.#read((ledger) => ledger.creditSums(...args)),
    postings: async (...args) => this.#read((ledger) => ledger.postingsOf(...args)),
    volunteers: async () => this.#read((ledger) => [...ledger.volunteers.values()]),
    audits: async (job, round) => {
      this.#assertOpen();
      const { results, ledger } = this.record;
      const isOf = ({ result }: { result: number }): boolean => {
        const of = results.get(result)?.result;
        return of?.job === job && of.round === round;
      };
      return structuredClone(ledger.audits.filter(isOf));
    },
    lastReceipt: async () => this.#read((ledger) => ledger.receipts.at(-1) ?? null),
    receiptOf: async (job) =>
      this.#read((ledger) => ledger.receipts.findLast((receipt) => receipt.job === job) ?? null),
    receipts: async (...args) => this.#read((ledger) => ledger.chain(...args)),
    nodeKeys: async (ids) =>
      this.#read(() =>
        ids.flatMap((id) => {
          const node = this.record.nodes.get(id);
          return node ? [{ id, publicKey: node.publicKey }] : [];
        }),
      ),
  };

  /** Stores over the same record stand for coordinators over the same database. */
  constructor(readonly record: MemoryRecord = new MemoryRecord()) {}

  /** The next commit that no earlier fault takes fails so. An unknown outcome was written, or not. */
  failNextCommit(code: StoreErrorCode, options: { written?: boolean } = {}): void {
    this.#faults.push({ code, written: code === "unknown" && (options.written ?? false) });
  }

  async open(coordinator: string): Promise<Snapshot> {
    const { record } = this;
    this.#epoch = ++record.epoch;
    this.#open = true;
    this.#broken = false;
    for (const stored of record.jobs.values()) {
      if (!isOpen(stored.job.state)) continue;
      for (const extent of stored.extents) Object.assign(extent, { epoch: this.#epoch, owner: coordinator });
    }
    return this.#snapshot();
  }

  async commit(batch: readonly Write[]): Promise<void> {
    this.#assertOpen();
    if (this.#broken) throw new StoreError("unknown", "An earlier commit failed; the store must be opened again.");
    if (this.record.epoch !== this.#epoch) {
      throw new StoreError("fenced", `Epoch ${this.#epoch} is over; it is ${this.record.epoch} now.`);
    }
    const fault = this.#faults.shift();
    if (!fault || fault.written) this.#apply(structuredClone(batch));
    if (!fault) return;
    this.#broken = fault.code === "unknown";
    throw new StoreError(fault.code, "This fault was asked for.");
  }

  #apply(batch: readonly Write[]): void {
    const undo: (() => void)[] = [];
    try {
      for (const write of batch) undo.push(applyWrite(this.record, write, this.#epoch));
    } catch (error) {
      for (const back of undo.reverse()) back();
      throw error;
    }
  }

  async job(id: string): Promise<JobRecord | null> {
    this.#assertOpen();
    return structuredClone(this.record.jobs.get(id)?.job ?? null);
  }

  async jobByIdempotencyKey(submitter: string, key: string): Promise<JobRecord | null> {
    this.#assertOpen();
    return structuredClone(this.record.byKey(submitter, key) ?? null);
  }

  async jobs(filter: JobFilter): Promise<{ jobs: JobRecord[]; nextCursor: string | null }> {
    this.#assertOpen();
    const { before, limit } = readPage(filter);
    const found = [...this.record.jobs.values()]
      .filter(({ seq, job }) => seq < before && matches(job, filter))
      .sort((a, b) => b.seq - a.seq);
    const page = found.slice(0, limit);
    return {
      jobs: page.map(({ job }) => structuredClone(job)),
      nextCursor: found.length > limit ? writeCursor((page.at(-1) as StoredJob).seq) : null,
    };
  }

  async rounds(job: string): Promise<RoundRecord[]> {
    this.#assertOpen();
    return structuredClone(this.record.jobs.get(job)?.rounds ?? []).sort((a, b) => a.round - b.round);
  }

  async results(job: string, round: number): Promise<ResultRecord[]> {
    this.#assertOpen();
    return this.record.resultsOf(job, round);
  }

  async partials(ids: readonly number[]): Promise<Uint8Array[]> {
    this.#assertOpen();
    assertPartialsAsked(ids);
    return ids.map((id) => {
      const stored = this.record.results.get(id);
      if (!stored) throw new RangeError(`There is no result ${id}.`);
      return Uint8Array.from(stored.partials);
    });
  }

  async documents(room: string): Promise<{ key: string; value: string }[]> {
    this.#assertOpen();
    return [...this.record.documents.values()]
      .filter((document) => document.room === room)
      .map(({ key, value }) => ({ key, value }))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async tainted(): Promise<Taint[]> {
    this.#assertOpen();
    return taintedIn(this.record);
  }

  async jobAt(id: string, round: number): Promise<SnapshotJob | null> {
    this.#assertOpen();
    const stored = this.record.jobs.get(id);
    return stored ? structuredClone(this.#jobAt(stored, round)) : null;
  }

  async sealable(beforeMs: number, limit: number): Promise<string[]> {
    this.#assertOpen();
    return [...this.record.jobs.values()]
      .map(({ job }) => job)
      .filter((job) => job.state === "completed" && job.sealedAtMs === null && (job.finishedAtMs ?? 0) < beforeMs)
      .sort((a, b) => (a.finishedAtMs ?? 0) - (b.finishedAtMs ?? 0))
      .slice(0, limit)
      .map((job) => job.id);
  }

  #jobAt({ job, rounds, extents }: StoredJob, round: number): SnapshotJob {
    return {
      job,
      rounds: [...rounds].sort((a, b) => a.round - b.round),
      extents: [...extents].sort((a, b) => a.round - b.round || a.lo - b.lo),
      results: this.record.resultsOf(job.id, round),
    };
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #read<Answer>(ask: (ledger: MemoryLedger) => Answer): Answer {
    this.#assertOpen();
    return structuredClone(ask(this.record.ledger));
  }

  #assertOpen(): void {
    if (!this.#open) throw new StoreError("refused", "The store is not open.");
  }

  #snapshot(): Snapshot {
    const { record } = this;
    const counts: Record<JobState, number> = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    for (const { job } of record.jobs.values()) counts[job.state]++;
    const open = [...record.jobs.values()].filter(({ job }) => isOpen(job.state)).sort((a, b) => a.seq - b.seq);
    return structuredClone({
      epoch: this.#epoch,
      lastResultId: lastIdOf(record),
      jobs: open.map((stored) => this.#jobAt(stored, stored.job.round)),
      nodes: [...record.nodes.values()],
      keys: [...record.keys.values()],
      counts,
    });
  }
}

function lastIdOf(record: MemoryRecord): number {
  let last = Math.max(0, ...record.results.keys());
  for (const { work } of record.ledger.postings.values()) last = Math.max(last, work);
  return last;
}

function matches(job: JobRecord, filter: JobFilter): boolean {
  return (
    (filter.state === undefined || job.state === filter.state) &&
    (filter.workload === undefined || job.workload === filter.workload) &&
    (filter.submitter === undefined || job.submitter === filter.submitter)
  );
}
