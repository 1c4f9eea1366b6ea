/** The store over SQLite: its thread does the work, this side asks and waits. */
import { dirname } from "node:path";
import type { Worker } from "node:worker_threads";
import { Packr } from "msgpackr";
import { makeFolderSync } from "../durable.ts";
import { spawnThread } from "../thread.ts";
import type { LedgerReader } from "./ledger.ts";
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

export interface SqliteOptions {
  file: string;
  /** OFF exists for the test that shows what FULL is for. */
  synchronous?: "FULL" | "OFF";
  /** A commit that takes longer has an unknown outcome. */
  commitMsMax?: number;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: { name: string; message: string; code: StoreErrorCode | null };
}

export class SqliteStore implements Store {
  readonly #packr = new Packr({ useRecords: true });
  readonly ledger: LedgerReader = {
    creditSums: (...args) => this.#call("creditSums", ...args) as ReturnType<LedgerReader["creditSums"]>,
    postings: (...args) => this.#call("postings", ...args) as ReturnType<LedgerReader["postings"]>,
    volunteers: () => this.#call("volunteers") as ReturnType<LedgerReader["volunteers"]>,
    audits: (...args) => this.#call("audits", ...args) as ReturnType<LedgerReader["audits"]>,
    lastReceipt: () => this.#call("lastReceipt") as ReturnType<LedgerReader["lastReceipt"]>,
    receiptOf: (job) => this.#call("receiptOf", job) as ReturnType<LedgerReader["receiptOf"]>,
    receipts: (...args) => this.#call("receipts", ...args) as ReturnType<LedgerReader["receipts"]>,
    nodeKeys: (ids) => this.#call("nodeKeys", ids) as ReturnType<LedgerReader["nodeKeys"]>,
  };
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  /** Why there is no thread, when it ended by itself. */
  #gone: StoreError | null = null;
  /** A commit took too long: nothing is committed until the store is opened again. */
  #late = false;
  #nextId = 1;

  constructor(private readonly options: SqliteOptions) {
    makeFolderSync(dirname(options.file));
  }

  async open(coordinator: string): Promise<Snapshot> {
    // A thread whose commit is overdue is left behind: should it still write, the new epoch fences it.
    if (this.#late) this.#abandon("its commit took too long");
    this.#worker ??= this.#start();
    return (await this.#call("open", coordinator)) as Snapshot;
  }

  async commit(batch: readonly Write[]): Promise<void> {
    if (this.#late) throw new StoreError("unknown", "An earlier commit took too long; the store must be opened again.");
    const ms = this.options.commitMsMax ?? 60_000;
    let timer: NodeJS.Timeout | undefined;
    const overdue = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#late = true;
        reject(new StoreError("unknown", `A commit took longer than ${ms} ms.`));
      }, ms);
    });
    try {
      await Promise.race([this.#call("commit", batch), overdue]);
    } finally {
      clearTimeout(timer);
    }
  }

  job(id: string): Promise<JobRecord | null> {
    return this.#call("job", id) as Promise<JobRecord | null>;
  }

  jobByIdempotencyKey(submitter: string, key: string): Promise<JobRecord | null> {
    return this.#call("jobByIdempotencyKey", submitter, key) as Promise<JobRecord | null>;
  }

  jobs(filter: JobFilter): Promise<{ jobs: JobRecord[]; nextCursor: string | null }> {
    return this.#call("jobs", filter) as Promise<{ jobs: JobRecord[]; nextCursor: string | null }>;
  }

  rounds(job: string): Promise<RoundRecord[]> {
    return this.#call("rounds", job) as Promise<RoundRecord[]>;
  }

  results(job: string, round: number): Promise<ResultRecord[]> {
    return this.#call("results", job, round) as Promise<ResultRecord[]>;
  }

  partials(ids: readonly number[]): Promise<Uint8Array[]> {
    return this.#call("partials", ids) as Promise<Uint8Array[]>;
  }

  documents(room: string): Promise<{ key: string; value: string }[]> {
    return this.#call("documents", room) as Promise<{ key: string; value: string }[]>;
  }

  tainted(): Promise<Taint[]> {
    return this.#call("tainted") as Promise<Taint[]>;
  }

  jobAt(id: string, round: number): Promise<SnapshotJob | null> {
    return this.#call("jobAt", id, round) as Promise<SnapshotJob | null>;
  }

  sealable(beforeMs: number, limit: number): Promise<string[]> {
    return this.#call("sealable", beforeMs, limit) as Promise<string[]>;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    try {
      if (!this.#late) await this.#call("close");
    } finally {
      this.#abandon("the store was closed");
      await worker.terminate();
    }
  }

  #call(method: string, ...args: unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const worker = this.#worker;
      if (!worker) {
        reject(this.#gone ?? new StoreError("refused", "The store is not open."));
        return;
      }
      const id = this.#nextId++;
      const packed = new Uint8Array(this.#packr.pack({ id, method, args }));
      this.#waiting.set(id, { resolve, reject });
      // The process stays as long as an answer is due, and no longer.
      worker.ref();
      worker.postMessage(packed, [packed.buffer]);
    });
  }

  #start(): Worker {
    const { file, synchronous = "FULL" } = this.options;
    this.#gone = null;
    const worker = spawnThread(new URL("./sqlite-thread.ts", import.meta.url), { file, synchronous });
    worker.on("message", (packed: Uint8Array) => {
      if (this.#worker === worker) this.#onAnswer(this.#packr.unpack(packed) as Answer);
    });
    worker.on("error", (error) => this.#onGone(worker, error.message));
    worker.on("exit", (code) => this.#onGone(worker, `exit code ${code}`));
    worker.unref();
    return worker;
  }

  #onAnswer(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if (!answer.error) {
      waiting?.resolve(answer.value);
      return;
    }
    const { name, message, code } = answer.error;
    if (code) waiting?.reject(new StoreError(code, message));
    else waiting?.reject(name === "RangeError" ? new RangeError(message) : new StoreError("refused", message));
  }

  /** Whatever the thread was doing, its outcome is not known, and stays so until the store is opened again. */
  #onGone(worker: Worker, why: string): void {
    if (this.#worker !== worker) return;
    this.#abandon(why);
    this.#gone = new StoreError("unknown", `The store's thread ended (${why}); the store must be opened again.`);
  }

  #abandon(why: string): void {
    const worker = this.#worker;
    this.#worker = null;
    this.#late = false;
    for (const waiting of this.#waiting.values()) {
      waiting.reject(new StoreError("unknown", `The store's thread ended: ${why}.`));
    }
    this.#waiting.clear();
    worker?.unref();
    void worker?.terminate();
  }
}
