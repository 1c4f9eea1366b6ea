/** What a memory store holds. */
import { MemoryLedger } from "./memory-ledger.ts";
import {
  type ExtentRecord,
  type JobRecord,
  type KeyRecord,
  type NodeRecord,
  type ResultRecord,
  type RoundRecord,
  StoreError,
} from "./store.ts";

export interface StoredJob {
  seq: number;
  job: JobRecord;
  rounds: RoundRecord[];
  extents: ExtentRecord[];
}

export class MemoryRecord {
  epoch = 0;
  lastSeq = 0;
  readonly jobs = new Map<string, StoredJob>();
  readonly results = new Map<number, { result: ResultRecord; partials: Uint8Array }>();
  readonly nodes = new Map<string, NodeRecord>();
  readonly keys = new Map<string, KeyRecord>();
  readonly ledger = new MemoryLedger();
  /** By room and key. */
  readonly documents = new Map<string, { room: string; key: string; value: string }>();

  byKey(submitter: string, key: string): JobRecord | undefined {
    for (const { job } of this.jobs.values()) {
      if (job.submitter === submitter && job.idempotencyKey === key) return job;
    }
    return undefined;
  }

  /** Copies, in id order. */
  resultsOf(job: string, round: number): ResultRecord[] {
    const found: ResultRecord[] = [];
    for (const { result } of this.results.values()) {
      if (result.job === job && result.round === round) found.push(structuredClone(result));
    }
    return found.sort((a, b) => a.id - b.id);
  }

  stored(job: string): StoredJob {
    const stored = this.jobs.get(job);
    if (!stored) throw new StoreError("refused", `There is no job ${job} in the record.`);
    return stored;
  }
}

export type Undo = () => void;

export function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): Undo {
  const had = map.has(key);
  const before = map.get(key) as Value;
  map.set(key, value);
  return () => {
    if (had) map.set(key, before);
    else map.delete(key);
  };
}

export function remove<Key, Value>(map: Map<Key, Value>, key: Key): Undo {
  const had = map.has(key);
  const before = map.get(key) as Value;
  map.delete(key);
  return () => {
    if (had) map.set(key, before);
  };
}
