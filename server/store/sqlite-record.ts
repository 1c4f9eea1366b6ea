/** The record in one SQLite file, synchronous; `sqlite-thread.ts` runs it off the event loop. */
import type { Backend } from "../../protocol/messages.ts";
import type { JobState } from "../../protocol/rest.ts";
import { type Database, openDatabase, type Statement } from "./driver.ts";
import { migrate } from "./schema.ts";
import {
  type ExtentRecord,
  type JobFilter,
  type JobPatch,
  type JobRecord,
  type KeyRecord,
  type NodeRecord,
  type ResultRecord,
  type RoundRecord,
  type Snapshot,
  type Standing,
  StoreError,
  type Write,
} from "./store.ts";

type Row = Record<string, unknown>;

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

const openStates = "('queued', 'running')";
const cachedMax = 10_000;

export class SqliteRecord {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #jobs = new Map<string, number>();
  readonly #names = new Map<string, number>();
  #epoch = 0;
  #broken = false;

  constructor(file: string, synchronous: "FULL" | "OFF") {
    this.#database = openDatabase(file);
    this.#database.pragma("journal_mode = WAL");
    this.#database.pragma(`synchronous = ${synchronous}`);
    this.#database.pragma("busy_timeout = 5000");
    this.#database.pragma("cache_size = -65536");
    this.#database.pragma("wal_autocheckpoint = 4000");
    migrate(this.#database);
  }

  close(): void {
    this.#database.close();
  }

  open(coordinator: string): Snapshot {
    const adopt = this.#database.transaction(() => {
      this.#run("UPDATE meta SET value = value + 1 WHERE key = 'epoch'");
      this.#epoch = this.#get("SELECT value FROM meta WHERE key = 'epoch'")?.value as number;
      this.#run(
        `UPDATE extents SET epoch = ?, owner = ? WHERE job IN (SELECT seq FROM jobs WHERE state IN ${openStates})`,
        this.#epoch,
        coordinator,
      );
    });
    adopt.immediate();
    return this.#snapshot();
  }

  /** All of the batch, or nothing. Throws StoreError. */
  commit(batch: readonly Write[]): void {
    if (this.#broken) throw new StoreError("unknown", "An earlier commit failed; the store must be opened again.");
    let committing = false;
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const epoch = this.#get("SELECT value FROM meta WHERE key = 'epoch'")?.value;
      if (epoch !== this.#epoch) throw new StoreError("fenced", `Epoch ${this.#epoch} is over; it is ${epoch} now.`);
      const extents = new Map<string, ExtentRecord[]>();
      for (const write of batch) this.#write(write, extents);
      committing = true;
      this.#database.exec("COMMIT");
    } catch (error) {
      throw this.#failed(error, committing);
    }
  }

  #failed(error: unknown, committing: boolean): StoreError {
    const code = (error as { code?: string }).code ?? "";
    const text = error instanceof Error ? error.message : String(error);
    // A transaction that cannot be rolled back, or whose fsync failed, may or may not be on disk.
    const uncertain =
      code.startsWith("SQLITE_IOERR") || (committing && code !== "SQLITE_FULL" && code !== "SQLITE_BUSY");
    let rolledBack = true;
    if (this.#database.inTransaction) {
      try {
        this.#database.exec("ROLLBACK");
      } catch {
        rolledBack = false;
      }
    }
    // Numbers given out in the batch went with it.
    this.#jobs.clear();
    this.#names.clear();
    if (uncertain || !rolledBack) {
      this.#broken = true;
      return new StoreError("unknown", `${code} ${text}`, { cause: error });
    }
    return error instanceof StoreError ? error : new StoreError("refused", `${code} ${text}`.trim(), { cause: error });
  }

  #write(write: Write, extents: Map<string, ExtentRecord[]>): void {
    switch (write.type) {
      case "result.insert":
        this.#insertResult(write, extents);
        return;
      case "result.verdict":
        this.#changed(
          this.#run(
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
      case "round.insert": {
        const { job, round, tasks, grainTasks, input } = write.round;
        this.#run("INSERT INTO rounds VALUES (?, ?, ?, ?, ?)", this.#job(job), round, tasks, grainTasks, input);
        return;
      }
      case "extent.claim": {
        const { job, round, lo, hi, owner, epoch } = write.extent;
        if (epoch !== this.#epoch) throw new StoreError("fenced", `An extent was claimed under epoch ${epoch}.`);
        this.#run("INSERT INTO extents VALUES (?, ?, ?, ?, ?, ?)", this.#job(job), round, lo, hi, owner, epoch);
        return;
      }
      case "node.upsert":
        this.#upsertNode(write.node);
        return;
      case "key.upsert": {
        const { id, secretHash, label, scopes, createdAtMs, revokedAtMs } = write.key;
        this.#run(
          "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?)",
          id,
          secretHash,
          label,
          JSON.stringify(scopes),
          createdAtMs,
          revokedAtMs,
        );
        return;
      }
    }
  }

  #insertResult(write: Extract<Write, { type: "result.insert" }>, extents: Map<string, ExtentRecord[]>): void {
    const { result, partials, epoch } = write;
    const job = this.#job(result.job);
    this.#assertOwned(result, job, epoch, extents);
    this.#run(
      "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      result.id,
      job,
      result.round,
      result.lo,
      result.hi,
      this.#name(result.node),
      result.own ? 1 : 0,
      result.backend,
      result.lease,
      this.#name(result.kernel),
      this.#name(result.build),
      result.computeMs,
      result.atMs,
      result.standing,
      result.verdict,
      result.signature,
      partials,
    );
  }

  /** A paused owner must not commit over the one that took its extents. */
  #assertOwned(result: ResultRecord, job: number, epoch: number, extents: Map<string, ExtentRecord[]>): void {
    const key = `${job}/${result.round}`;
    let owned = extents.get(key);
    if (!owned) {
      owned = this.#all("SELECT * FROM extents WHERE job = ? AND round = ? ORDER BY lo", job, result.round).map(
        (row) => ({ ...row, job: result.job }) as unknown as ExtentRecord,
      );
      extents.set(key, owned);
    }
    let at = result.lo;
    for (const extent of owned) {
      if (extent.epoch === epoch && extent.lo <= at && extent.hi > at) at = extent.hi;
    }
    if (at < result.hi) {
      throw new StoreError(
        "fenced",
        `Grains [${result.lo},${result.hi}) of job ${result.job} are not owned under epoch ${epoch}.`,
      );
    }
  }

  #insertJob(job: JobRecord): void {
    const info = this.#run(
      `INSERT INTO jobs (id, submitter, workload, payload, payload_blob, priority, kernel, files, idempotency_key,
         body_hash, created_at, started_at, finished_at, state, round, revision, reason, output, output_blob, stats)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
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
    );
    remember(this.#jobs, job.id, Number(info.lastInsertRowid));
  }

  #updateJob(id: string, patch: JobPatch): void {
    const fields = Object.keys(patch) as (keyof JobPatch)[];
    if (fields.length === 0) return;
    const values = fields.map((field) =>
      field === "reason" && patch.reason ? JSON.stringify(patch.reason) : (patch[field] as string | number | null),
    );
    const sets = fields.map((field) => `${patchColumns[field]} = ?`).join(", ");
    this.#changed(this.#run(`UPDATE jobs SET ${sets} WHERE id = ?`, ...values, id), `job ${id}`);
  }

  #upsertNode(node: NodeRecord): void {
    this.#run(
      "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      node.id,
      node.publicKey,
      node.name,
      node.own ? 1 : 0,
      node.firstSeenMs,
      node.lastSeenMs,
      node.acceptedSlices,
      node.rejectedSlices,
      node.coreSeconds,
    );
  }

  #changed(info: { changes: number }, what: string): void {
    if (info.changes === 0) throw new StoreError("refused", `There is no ${what} in the record.`);
  }

  // ---- reads ------------------------------------------------------------------------------------------

  #snapshot(): Snapshot {
    const counts: Record<JobState, number> = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    for (const row of this.#all("SELECT state, count(*) AS n FROM jobs GROUP BY state")) {
      counts[row.state as JobState] = row.n as number;
    }
    const jobs = this.#all(`SELECT * FROM jobs WHERE state IN ${openStates} ORDER BY seq`).map((row) => {
      const job = toJob(row);
      return {
        job,
        rounds: this.rounds(job.id),
        extents: this.#extents(job.id, row.seq as number),
        results: this.results(job.id, this.rounds(job.id).at(-1)?.round ?? job.round),
      };
    });
    return {
      epoch: this.#epoch,
      lastResultId: (this.#get("SELECT max(id) AS id FROM results")?.id as number | null) ?? 0,
      jobs,
      nodes: this.#all("SELECT * FROM nodes").map(toNode),
      keys: this.#all("SELECT * FROM keys").map(toKey),
      counts,
    };
  }

  #extents(job: string, seq: number): ExtentRecord[] {
    return this.#all("SELECT * FROM extents WHERE job = ? ORDER BY round, lo", seq).map(
      (row) => ({ ...row, job }) as unknown as ExtentRecord,
    );
  }

  job(id: string): JobRecord | null {
    const row = this.#get("SELECT * FROM jobs WHERE id = ?", id);
    return row ? toJob(row) : null;
  }

  jobByIdempotencyKey(submitter: string, key: string): JobRecord | null {
    const row = this.#get("SELECT * FROM jobs WHERE submitter = ? AND idempotency_key = ?", submitter, key);
    return row ? toJob(row) : null;
  }

  jobs(filter: JobFilter): { jobs: JobRecord[]; nextCursor: string | null } {
    const before = readCursor(filter.cursor);
    const where = ["seq < ?"];
    const values: (string | number)[] = [before];
    for (const [column, value] of [
      ["state", filter.state],
      ["workload", filter.workload],
      ["submitter", filter.submitter],
    ] as const) {
      if (value === undefined) continue;
      where.push(`${column} = ?`);
      values.push(value);
    }
    const rows = this.#all(
      `SELECT * FROM jobs WHERE ${where.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
      ...values,
      filter.limit + 1,
    );
    const page = rows.slice(0, filter.limit);
    return { jobs: page.map(toJob), nextCursor: rows.length > filter.limit ? `j${page.at(-1)?.seq}` : null };
  }

  rounds(job: string): RoundRecord[] {
    return this.#all("SELECT * FROM rounds WHERE job = ? ORDER BY round", this.#job(job, false)).map((row) => ({
      job,
      round: row.round as number,
      tasks: row.tasks as number,
      grainTasks: row.grain_tasks as number,
      input: row.input as string | null,
    }));
  }

  results(job: string, round: number): ResultRecord[] {
    return this.#all(
      `SELECT r.*, n.name AS node_name, k.name AS kernel_name, b.name AS build_name FROM results r
       JOIN names n ON n.id = r.node JOIN names k ON k.id = r.kernel JOIN names b ON b.id = r.build
       WHERE r.job = ? AND r.round = ? ORDER BY r.id`,
      this.#job(job, false),
      round,
    ).map((row) => toResult(row, job));
  }

  partials(ids: readonly number[]): Uint8Array[] {
    if (ids.length > 256) throw new RangeError(`${ids.length} results at once; at most 256.`);
    return ids.map((id) => {
      const row = this.#get("SELECT partials FROM results WHERE id = ?", id);
      if (!row) throw new RangeError(`There is no result ${id}.`);
      return row.partials as Uint8Array;
    });
  }

  // ---- numbers and statements -------------------------------------------------------------------------

  #job(id: string, must = true): number {
    const known = this.#jobs.get(id);
    if (known !== undefined) return known;
    const seq = this.#get("SELECT seq FROM jobs WHERE id = ?", id)?.seq as number | undefined;
    if (seq === undefined) {
      if (must) throw new StoreError("refused", `There is no job ${id} in the record.`);
      return -1;
    }
    remember(this.#jobs, id, seq);
    return seq;
  }

  #name(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    this.#run("INSERT OR IGNORE INTO names (name) VALUES (?)", name);
    const id = this.#get("SELECT id FROM names WHERE name = ?", name)?.id as number;
    remember(this.#names, name, id);
    return id;
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare<unknown[]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: unknown[]): { changes: number; lastInsertRowid: number | bigint } {
    return this.#statement(sql).run(...values);
  }

  #get(sql: string, ...values: unknown[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  #all(sql: string, ...values: unknown[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }
}

/** Keeps a cache of numbers from growing without end. */
function remember(cache: Map<string, number>, key: string, value: number): void {
  if (cache.size >= cachedMax) cache.clear();
  cache.set(key, value);
}

/** Throws RangeError for a cursor that no page gave. */
export function readCursor(cursor: string | undefined): number {
  if (cursor === undefined) return Number.MAX_SAFE_INTEGER;
  const match = /^j(\d{1,15})$/.exec(cursor);
  if (!match) throw new RangeError(`"${cursor.slice(0, 40)}" is no cursor of a job list.`);
  return Number(match[1]);
}

const parse = (text: unknown): unknown => (text === null ? null : JSON.parse(text as string));

function toJob(row: Row): JobRecord {
  return {
    id: row.id as string,
    submitter: row.submitter as string,
    workload: row.workload as string,
    payload: row.payload as string | null,
    payloadBlob: row.payload_blob as string | null,
    priority: row.priority as number,
    kernel: row.kernel as string,
    files: parse(row.files) as JobRecord["files"],
    idempotencyKey: row.idempotency_key as string | null,
    bodyHash: row.body_hash as string | null,
    createdAtMs: row.created_at as number,
    startedAtMs: row.started_at as number | null,
    finishedAtMs: row.finished_at as number | null,
    state: row.state as JobState,
    round: row.round as number,
    revision: row.revision as number,
    reason: parse(row.reason) as JobRecord["reason"],
    output: row.output as string | null,
    outputBlob: row.output_blob as string | null,
    stats: row.stats as string | null,
  };
}

function toResult(row: Row, job: string): ResultRecord {
  return {
    id: row.id as number,
    job,
    round: row.round as number,
    lo: row.lo as number,
    hi: row.hi as number,
    node: row.node_name as string,
    own: row.own === 1,
    backend: row.backend as Backend,
    lease: row.lease as string,
    kernel: row.kernel_name as string,
    build: row.build_name as string,
    computeMs: row.compute_ms as number,
    atMs: row.at as number,
    standing: row.standing as Standing,
    verdict: row.verdict as string,
    signature: new Uint8Array(row.signature as Buffer),
  };
}

function toNode(row: Row): NodeRecord {
  return {
    id: row.id as string,
    publicKey: new Uint8Array(row.public_key as Buffer),
    name: row.name as string | null,
    own: row.own === 1,
    firstSeenMs: row.first_seen as number,
    lastSeenMs: row.last_seen as number,
    acceptedSlices: row.accepted as number,
    rejectedSlices: row.rejected as number,
    coreSeconds: row.core_seconds as number,
  };
}

function toKey(row: Row): KeyRecord {
  return {
    id: row.id as string,
    secretHash: row.secret_hash as string,
    label: row.label as string,
    scopes: parse(row.scopes) as string[],
    createdAtMs: row.created_at as number,
    revokedAtMs: row.revoked_at as number | null,
  };
}
