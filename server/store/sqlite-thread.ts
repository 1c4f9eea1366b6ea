/** The store's thread: one database, one request at a time, packed as msgpack. */
import { parentPort, workerData } from "node:worker_threads";
import { Packr } from "msgpackr";
import { SqliteRecord } from "./sqlite-record.ts";
import { StoreError, type Write } from "./store.ts";

if (!parentPort) throw new Error("this module runs in the store's thread");
const port = parentPort;
const packr = new Packr({ useRecords: true });
const { file, synchronous } = workerData as { file: string; synchronous: "FULL" | "OFF" };

let record: SqliteRecord | null = null;

type Call = { id: number; method: string; args: unknown[] };

function opened(): SqliteRecord {
  if (!record) throw new StoreError("refused", "The store is not open.");
  return record;
}

const methods: Record<string, (...args: never[]) => unknown> = {
  open: (coordinator: string) => {
    record?.close();
    record = new SqliteRecord(file, synchronous);
    return record.open(coordinator);
  },
  commit: (batch: Write[]) => opened().commit(batch),
  job: (id: string) => opened().job(id),
  jobByIdempotencyKey: (submitter: string, key: string) => opened().jobByIdempotencyKey(submitter, key),
  jobs: (filter: Parameters<SqliteRecord["jobs"]>[0]) => opened().jobs(filter),
  rounds: (job: string) => opened().rounds(job),
  results: (job: string, round: number) => opened().results(job, round),
  partials: (ids: number[]) => opened().partials(ids),
  close: () => {
    record?.close();
    record = null;
  },
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
