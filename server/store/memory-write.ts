/** How one write changes what a memory store holds. */
import { applyBelief } from "./memory-belief.ts";
import { type MemoryRecord, put, remove, type StoredJob, type Undo } from "./memory-record.ts";
import { assertCovered } from "./ownership.ts";
import { type JobPatch, type JobRecord, StoreError, type Write } from "./store.ts";

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
    case "node.trust":
    case "results.confirm":
    case "job.reopen":
    case "job.seal":
      return applyBelief(record, write, epoch);
    case "posting.insert":
      record.stored(write.posting.job);
      return record.ledger.apply(write, record.nodes);
    case "audit.insert":
      if (!record.results.has(write.audit.result)) {
        throw new StoreError("refused", `There is no result ${write.audit.result} in the record.`);
      }
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

function push<Value>(list: Value[], value: Value): Undo {
  list.push(value);
  return () => {
    list.pop();
  };
}
