/** The store's thread: one database, one request at a time, packed as msgpack. */
import { parentPort, workerData } from "node:worker_threads";
import { Packr } from "msgpackr";
import { SqliteRecord } from "./sqlite-record.ts";
import type { Synchronous } from "./sqlite-session.ts";
import { type JobFilter, StoreError, type Write } from "./store.ts";

if (!parentPort) throw new Error("this module runs in the store's thread");
const port = parentPort;
const packr = new Packr({ useRecords: true });
const { file, synchronous } = workerData as { file: string; synchronous: Synchronous };

let record: SqliteRecord | null = null;

type Call = { id: number; method: string; args: unknown[] };

function opened(): SqliteRecord {
  if (!record) throw new StoreError("refused", "The store is not open.");
  return record;
}

function close(): void {
  const closing = record;
  record = null;
  closing?.close();
}

function open(coordinator: string): unknown {
  close();
  const opening = new SqliteRecord(file, synchronous);
  try {
    const snapshot = opening.open(coordinator);
    record = opening;
    return snapshot;
  } catch (error) {
    opening.close();
    throw error;
  }
}

const methods: Record<string, (...args: never[]) => unknown> = {
  open,
  close,
  commit: (batch: Write[]) => opened().commit(batch),
  job: (id: string) => opened().reader.job(id),
  jobByIdempotencyKey: (submitter: string, key: string) => opened().reader.jobByIdempotencyKey(submitter, key),
  jobs: (filter: JobFilter) => opened().reader.jobs(filter),
  rounds: (job: string) => opened().reader.rounds(job),
  results: (job: string, round: number) => opened().reader.results(job, round),
  creditSums: (afterMs: number, untilMs: number) => opened().ledger.creditSums(afterMs, untilMs),
  postings: (volunteer: string, untilMs: number, limit: number) => opened().ledger.postings(volunteer, untilMs, limit),
  volunteers: () => opened().ledger.volunteers(),
  audits: (job: string, round: number) => opened().ledger.audits(job, round),
  lastReceipt: () => opened().ledger.lastReceipt(),
  receiptOf: (job: string) => opened().ledger.receiptOf(job),
  receipts: (after: number, limit: number) => opened().ledger.receipts(after, limit),
  nodeKeys: (ids: string[]) => opened().ledger.nodeKeys(ids),
  partials: (ids: number[]) => opened().reader.partials(ids),
  documents: (room: string) => opened().reader.documents(room),
  tainted: () => opened().reader.tainted(),
  jobAt: (id: string, round: number) => opened().reader.jobAt(id, round),
  sealable: (beforeMs: number, limit: number) => opened().reader.sealable(beforeMs, limit),
};

/** A copy of its own, which is handed over rather than cloned: what msgpackr returns is a view of its work space. */
function answer(value: unknown): void {
  const packed = new Uint8Array(packr.pack(value));
  port.postMessage(packed, [packed.buffer]);
}

port.on("message", (packed: Uint8Array) => {
  const { id, method, args } = packr.unpack(packed) as Call;
  try {
    const value = methods[method]?.(...(args as never[]));
    answer({ id, value });
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    answer({ id, error: { name, message, code: error instanceof StoreError ? error.code : null } });
  }
});
