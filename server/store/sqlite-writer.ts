/** One batch's writes as SQL, within the transaction that `sqlite-record.ts` began. */
import { assertCovered } from "./ownership.ts";
import { writeBelief, writeContributions } from "./sqlite-belief.ts";
import { writeLedger } from "./sqlite-ledger.ts";
import type { Session } from "./sqlite-session.ts";
import {
  type ExtentRecord,
  type JobPatch,
  type JobRecord,
  type NodeRecord,
  type ResultRecord,
  type RoundRecord,
  StoreError,
  type Write,
} from "./store.ts";

type Span = Pick<ExtentRecord, "lo" | "hi" | "epoch">;

/** Columns of `jobs` that a patch may set, by the record's field. */
const patchColumns: Record<keyof JobPatch, string> = {
  startedAtMs: "started_at",
  finishedAtMs: "finished_at",
  state: "state",
  round: "round",
  revision: "revision",
  reason: "reason",
  output: "output",
  outputBlob: "output_blob",
  stats: "stats",
};

/** Bytes of partials kept in the result's row; a verdict rewrites the row, and larger ones need not move with it. */
const inlinePartialsMax = 1_024;

export class BatchWriter {
  readonly #extents = new Map<string, Span[]>();

  constructor(
    private readonly session: Session,
    private readonly epoch: number,
  ) {}

  write(write: Write): void {
    switch (write.type) {
      case "result.insert":
        this.#insertResult(write);
        return;
      case "result.verdict":
        this.#changed(
          this.session.run(
            "UPDATE results SET standing = ?, verdict = ? WHERE id = ?",
            write.standing,
            write.verdict,
            write.id,
          ),
          `result ${write.id}`,
        );
        return;
      case "job.insert":
        this.#insertJob(write.job);
        return;
      case "job.update":
        this.#updateJob(write.id, write.patch);
        return;
      case "round.insert":
        this.#insertRound(write.round);
        return;
      case "extent.claim":
        this.#claim(write.extent);
        return;
      case "node.upsert":
        this.#upsertNode(write.node);
        return;
      case "key.upsert": {
        const { id, secretHash, label, scopes, createdAtMs, revokedAtMs, supply, region } = write.key;
        this.session.run(
          "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
          id,
          secretHash,
          label,
          JSON.stringify(scopes),
          createdAtMs,
          revokedAtMs,
          supply,
          region,
        );
        return;
      }
      case "document.put": {
        const { room, key, value } = write;
        if (value === null) this.session.run("DELETE FROM documents WHERE room = ? AND key = ?", room, key);
        else this.session.run("INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", room, key, value);
        return;
      }
      case "node.trust":
      case "results.confirm":
      case "job.reopen":
      case "job.seal":
        writeBelief(this.session, write, this.epoch);
        // The extents of a job that is open again are of this epoch.
        if (write.type === "job.reopen") this.#extents.clear();
        return;
      default:
        writeLedger(this.session, write);
    }
  }

  #insertRound({ job, round, tasks, grainTasks, input }: RoundRecord): void {
    const seq = this.session.job(job);
    this.session.run("INSERT INTO rounds VALUES (?, ?, ?, ?, ?)", seq, round, tasks, grainTasks, input);
    // A job's row carries its first round already.
    if (round > 0) this.session.run("UPDATE jobs SET round = ? WHERE seq = ?", round, seq);
  }

  #claim({ job, round, lo, hi, owner, epoch }: ExtentRecord): void {
    if (epoch !== this.epoch) throw new StoreError("fenced", `An extent was claimed under epoch ${epoch}.`);
    const seq = this.session.job(job);
    this.session.run("INSERT INTO extents VALUES (?, ?, ?, ?, ?, ?)", seq, round, lo, hi, owner, epoch);
    this.#extents.delete(`${seq}/${round}`);
  }

  #insertResult(write: Extract<Write, { type: "result.insert" }>): void {
    const { result, partials, epoch } = write;
    const job = this.session.job(result.job);
    this.#assertOwned(result, job, epoch);
    const large = partials.byteLength > inlinePartialsMax;
    if (large) this.session.run("INSERT INTO large_partials VALUES (?, ?)", result.id, partials);
    this.session.run(
      "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      result.id,
      job,
      result.round,
      result.lo,
      result.hi,
      this.session.name(result.node),
      result.own ? 1 : 0,
      result.backend,
      result.lease,
      this.session.name(result.kernel),
      this.session.name(result.build),
      result.computeMs,
      result.atMs,
      result.standing,
      result.verdict,
      result.signature,
      large ? null : partials,
      result.root,
    );
  }

  /** Extents are read once a batch for each round that has results in it. */
  #assertOwned(result: ResultRecord, job: number, epoch: number): void {
    const key = `${job}/${result.round}`;
    let extents = this.#extents.get(key);
    if (!extents) {
      const sql = "SELECT lo, hi, epoch FROM extents WHERE job = ? AND round = ? ORDER BY lo";
      extents = this.session.all(sql, job, result.round) as unknown as Span[];
      this.#extents.set(key, extents);
    }
    assertCovered(result, extents, epoch);
  }

  #insertJob(job: JobRecord): void {
    const info = this.session.run(
      `INSERT INTO jobs (id, submitter, workload, payload, payload_blob, priority, kernel, files, idempotency_key,
         body_hash, created_at, started_at, finished_at, state, round, revision, reason, output, output_blob, stats,
         verification, sealed_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      job.id,
      job.submitter,
      job.workload,
      job.payload,
      job.payloadBlob,
      job.priority,
      job.kernel,
      JSON.stringify(job.files),
      job.idempotencyKey,
      job.bodyHash,
      job.createdAtMs,
      job.startedAtMs,
      job.finishedAtMs,
      job.state,
      job.round,
      job.revision,
      job.reason === null ? null : JSON.stringify(job.reason),
      job.output,
      job.outputBlob,
      job.stats,
      job.verification,
      job.sealedAtMs,
    );
    this.session.rememberJob(job.id, Number(info.lastInsertRowid));
  }

  #updateJob(id: string, patch: JobPatch): void {
    const fields = (Object.keys(patch) as (keyof JobPatch)[]).filter((field) => patch[field] !== undefined);
    if (fields.length === 0) return;
    const values = fields.map((field) =>
      field === "reason" && patch.reason ? JSON.stringify(patch.reason) : (patch[field] as string | number | null),
    );
    const sets = fields.map((field) => `${patchColumns[field]} = ?`).join(", ");
    this.#changed(this.session.run(`UPDATE jobs SET ${sets} WHERE id = ?`, ...values, id), `job ${id}`);
    if (patch.state === "completed") writeContributions(this.session, id);
  }

  #upsertNode(node: NodeRecord): void {
    this.session.run(
      "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      node.id,
      node.publicKey,
      node.name,
      node.own ? 1 : 0,
      node.firstSeenMs,
      node.lastSeenMs,
      node.acceptedSlices,
      node.rejectedSlices,
      node.coreSeconds,
      node.trust,
      node.taintedAtMs,
    );
  }

  #changed(info: { changes: number }, what: string): void {
    if (info.changes === 0) throw new StoreError("refused", `There is no ${what} in the record.`);
  }
}
