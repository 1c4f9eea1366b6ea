/** What a memory store holds, and how one write changes it. */
import { MemoryLedger } from "./memory-ledger.ts";
import { assertCovered } from "./ownership.ts";
import {
  type ExtentRecord,
  type JobPatch,
  type JobRecord,
  type KeyRecord,
  type NodeRecord,
  type ResultRecord,
  type RoundRecord,
  StoreError,
  type Write,
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

type Undo = () => void;

/** Changes the record and says how to take it back. Throws StoreError, having changed nothing. */
export function applyWrite(record: MemoryRecord, write: Write, epoch: number): Undo {
  switch (write.type) {
    case "job.insert":
      return insertJob(record, write.job);
    case "job.update":
      return updateJob(record.stored(write.id), write.patch);
    case "round.insert": {
      const stored = record.stored(write.round.job);
      const { round } = write.round;
      if (stored.rounds.some((known) => known.round === round)) throw twice(`round ${round}`);
      const undo = [push(stored.rounds, write.round), updateJob(stored, round > 0 ? { round } : {})];
      return () => {
        for (const back of undo) back();
      };
    }
    case "extent.claim": {
      const { extents } = record.stored(write.extent.job);
      if (write.extent.epoch !== epoch) {
        throw new StoreError("fenced", `An extent was claimed under epoch ${write.extent.epoch}.`);
      }
      if (extents.some(({ round, lo }) => round === write.extent.round && lo === write.extent.lo)) {
        throw twice(`extent at ${write.extent.lo}`);
      }
      return push(extents, write.extent);
    }
    case "result.insert": {
      const { result, partials } = write;
      const extents = record.stored(result.job).extents.filter(({ round }) => round === result.round);
      assertCovered(
        result,
        extents.sort((a, b) => a.lo - b.lo),
        write.epoch,
      );
      if (record.results.has(result.id)) throw twice(`result ${result.id}`);
      return put(record.results, result.id, { result, partials });
    }
    case "result.verdict": {
      const stored = record.results.get(write.id);
      if (!stored) throw new StoreError("refused", `There is no result ${write.id} in the record.`);
      const { standing, verdict } = write;
      return put(record.results, write.id, { ...stored, result: { ...stored.result, standing, verdict } });
    }
    case "node.upsert":
      return put(record.nodes, write.node.id, write.node);
    case "key.upsert":
      return put(record.keys, write.key.id, write.key);
    case "document.put": {
      const { room, key, value } = write;
      const name = JSON.stringify([room, key]);
      return value === null ? remove(record.documents, name) : put(record.documents, name, { room, key, value });
    }
    case "posting.insert":
      record.stored(write.posting.job);
      return record.ledger.apply(write, record.nodes);
    case "receipt.append":
      record.stored(write.receipt.job);
      return record.ledger.apply(write, record.nodes);
    default:
      return record.ledger.apply(write, record.nodes);
  }
}

const twice = (what: string): StoreError => new StoreError("refused", `The record has ${what} already.`);

function insertJob(record: MemoryRecord, job: JobRecord): Undo {
  if (record.jobs.has(job.id)) throw twice(`job ${job.id}`);
  if (job.idempotencyKey !== null && record.byKey(job.submitter, job.idempotencyKey)) {
    throw twice(`the idempotency key ${job.idempotencyKey}`);
  }
  return put(record.jobs, job.id, { seq: ++record.lastSeq, job, rounds: [], extents: [] });
}

function updateJob(stored: StoredJob, patch: JobPatch): Undo {
  const before = stored.job;
  const set = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== undefined));
  stored.job = { ...before, ...set };
  return () => {
    stored.job = before;
  };
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value): Undo {
  const had = map.has(key);
  const before = map.get(key) as Value;
  map.set(key, value);
  return () => {
    if (had) map.set(key, before);
    else map.delete(key);
  };
}

function remove<Key, Value>(map: Map<Key, Value>, key: Key): Undo {
  const had = map.has(key);
  const before = map.get(key) as Value;
  map.delete(key);
  return () => {
    if (had) map.set(key, before);
  };
}

function push<Value>(list: Value[], value: Value): Undo {
  list.push(value);
  return () => {
    list.pop();
  };
}
