/** What the record does about belief, in memory, with SQLite's semantics. */
import { type MemoryRecord, put, type Undo } from "./memory-record.ts";
import { type ResultRecord, StoreError, type Taint, type Write } from "./store.ts";

type BeliefWrite = Extract<Write, { type: "node.trust" | "results.confirm" | "job.reopen" | "job.seal" }>;

const counts = ({ standing }: ResultRecord): boolean => standing === "provisional" || standing === "confirmed";

export function applyBelief(record: MemoryRecord, write: BeliefWrite, epoch: number): Undo {
  switch (write.type) {
    case "node.trust": {
      const node = record.nodes.get(write.id);
      if (!node) throw new StoreError("refused", `There is no node ${write.id} in the record.`);
      return put(record.nodes, write.id, { ...node, trust: write.trust, taintedAtMs: write.taintedAtMs });
    }
    case "results.confirm": {
      for (const id of write.ids) {
        if (!record.results.has(id)) throw new StoreError("refused", `There is no result ${id} in the record.`);
      }
      const { verdict } = write;
      return all(write.ids.map((id) => change(record, id, { standing: "confirmed", verdict })));
    }
    case "job.reopen":
      return reopen(record, write, epoch);
    case "job.seal": {
      const stored = record.stored(write.id);
      const before = stored.job;
      // A proof may have opened it again meanwhile.
      if (before.state !== "completed" || before.sealedAtMs !== null) return () => {};
      stored.job = { ...before, sealedAtMs: write.atMs };
      const sealed = resultsOf(record, write.id).filter(counts);
      const undo = all(sealed.map(({ id }) => change(record, id, { standing: "sealed" })));
      return () => {
        undo();
        stored.job = before;
      };
    }
  }
}

function reopen(record: MemoryRecord, write: Extract<Write, { type: "job.reopen" }>, epoch: number): Undo {
  if (write.epoch !== epoch) throw new StoreError("fenced", `A job was opened again under epoch ${write.epoch}.`);
  const stored = record.stored(write.id);
  const { job, rounds, extents } = stored;
  const { round, revision, owner } = write;
  const later = resultsOf(record, write.id).filter(
    (result) => result.round > round && (counts(result) || result.standing === "candidate"),
  );
  stored.job = { ...job, state: "running", round, revision, finishedAtMs: null };
  stored.rounds = rounds.filter((other) => other.round <= round);
  stored.extents = extents.filter((other) => other.round <= round).map((other) => ({ ...other, owner, epoch }));
  const undo = all(later.map(({ id }) => change(record, id, { standing: "retracted", verdict: "round_again" })));
  return () => {
    undo();
    Object.assign(stored, { job, rounds, extents });
  };
}

function change(record: MemoryRecord, id: number, patch: Partial<ResultRecord>): Undo {
  const stored = record.results.get(id) as { result: ResultRecord; partials: Uint8Array };
  return put(record.results, id, { ...stored, result: { ...stored.result, ...patch } });
}

const resultsOf = (record: MemoryRecord, job: string): ResultRecord[] =>
  [...record.results.values()].map(({ result }) => result).filter((result) => result.job === job);

const all =
  (undo: Undo[]): Undo =>
  () => {
    for (const back of undo.reverse()) back();
  };

export function taintedIn(record: MemoryRecord): Taint[] {
  const found = new Map<string, number>();
  for (const { result } of record.results.values()) {
    const job = record.jobs.get(result.job)?.job;
    const taintedAtMs = record.nodes.get(result.node)?.taintedAtMs ?? null;
    if (!job || taintedAtMs === null || result.atMs > taintedAtMs) continue;
    if (!counts(result) || result.own || result.verdict === "certificate") continue;
    const finished = job.state === "completed" && job.sealedAtMs === null;
    const past = (job.state === "queued" || job.state === "running") && result.round < job.round;
    if (!finished && !past) continue;
    found.set(job.id, Math.min(found.get(job.id) ?? result.round, result.round));
  }
  return [...found].map(([job, round]) => ({ job, round }));
}
