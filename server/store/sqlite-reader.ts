/** The store's questions as SQL. */
import type { JobState } from "../../protocol/rest.ts";
import { assertPartialsAsked, readPage, writeCursor } from "./paging.ts";
import { readSealable, readTainted } from "./sqlite-belief.ts";
import { toExtent, toJob, toKey, toNode, toResult, toRound } from "./sqlite-rows.ts";
import type { Session } from "./sqlite-session.ts";
import type {
  ExtentRecord,
  JobFilter,
  JobRecord,
  ResultRecord,
  RoundRecord,
  Snapshot,
  SnapshotJob,
  Taint,
} from "./store.ts";

export const openStates = "('queued', 'running')";

export class Reader {
  constructor(private readonly session: Session) {}

  snapshot(epoch: number): Snapshot {
    const counts: Record<JobState, number> = { queued: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
    for (const row of this.session.all("SELECT state, count(*) AS n FROM jobs GROUP BY state")) {
      counts[row.state as JobState] = row.n as number;
    }
    const jobs = this.session.all(`SELECT * FROM jobs WHERE state IN ${openStates} ORDER BY seq`).map((row) => {
      const job = toJob(row);
      return this.#jobAt(job, row.seq as number, job.round);
    });
    return {
      epoch,
      lastResultId: this.#lastId(),
      jobs,
      nodes: this.session.all("SELECT * FROM nodes").map(toNode),
      keys: this.session.all("SELECT * FROM keys").map(toKey),
      counts,
    };
  }

  #jobAt(job: JobRecord, seq: number, round: number): SnapshotJob {
    const { id } = job;
    return { job, rounds: this.rounds(id), extents: this.#extents(id, seq), results: this.results(id, round) };
  }

  jobAt(id: string, round: number): SnapshotJob | null {
    const row = this.session.get("SELECT * FROM jobs WHERE id = ?", id);
    return row ? this.#jobAt(toJob(row), row.seq as number, round) : null;
  }

  tainted(): Taint[] {
    return readTainted(this.session);
  }

  sealable(beforeMs: number, limit: number): string[] {
    return readSealable(this.session, beforeMs, limit);
  }

  #lastId(): number {
    const result = this.session.get("SELECT max(id) AS id FROM results")?.id as number | null;
    const work = this.session.get("SELECT max(work) AS id FROM postings")?.id as number | null;
    return Math.max(result ?? 0, work ?? 0);
  }

  #extents(job: string, seq: number): ExtentRecord[] {
    return this.session
      .all("SELECT * FROM extents WHERE job = ? ORDER BY round, lo", seq)
      .map((row) => toExtent(row, job));
  }

  job(id: string): JobRecord | null {
    const row = this.session.get("SELECT * FROM jobs WHERE id = ?", id);
    return row ? toJob(row) : null;
  }

  jobByIdempotencyKey(submitter: string, key: string): JobRecord | null {
    const row = this.session.get("SELECT * FROM jobs WHERE submitter = ? AND idempotency_key = ?", submitter, key);
    return row ? toJob(row) : null;
  }

  jobs(filter: JobFilter): { jobs: JobRecord[]; nextCursor: string | null } {
    const { before, limit } = readPage(filter);
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
    const rows = this.session.all(
      `SELECT * FROM jobs WHERE ${where.join(" AND ")} ORDER BY seq DESC LIMIT ?`,
      ...values,
      limit + 1,
    );
    const page = rows.slice(0, limit);
    return { jobs: page.map(toJob), nextCursor: rows.length > limit ? writeCursor(page.at(-1)?.seq as number) : null };
  }

  rounds(job: string): RoundRecord[] {
    const seq = this.session.findJob(job);
    const rows = this.session.all("SELECT * FROM rounds WHERE job = ? ORDER BY round", seq);
    return rows.map((row) => toRound(row, job));
  }

  results(job: string, round: number): ResultRecord[] {
    const rows = this.session.all(
      `SELECT r.id, r.round, r.lo, r.hi, n.name AS node, r.own, r.backend, r.lease, k.name AS kernel, b.name AS build,
         r.compute_ms, r.at, r.standing, r.verdict, r.root, r.signature
       FROM results r JOIN names n ON n.id = r.node JOIN names k ON k.id = r.kernel JOIN names b ON b.id = r.build
       WHERE r.job = ? AND r.round = ? ORDER BY r.id`,
      this.session.findJob(job),
      round,
    );
    return rows.map((row) => toResult(row, job));
  }

  partials(ids: readonly number[]): Uint8Array[] {
    assertPartialsAsked(ids);
    return ids.map((id) => {
      const row = this.session.get(
        `SELECT coalesce(r.partials, l.partials) AS partials
         FROM results r LEFT JOIN large_partials l ON l.id = r.id WHERE r.id = ?`,
        id,
      );
      if (!row) throw new RangeError(`There is no result ${id}.`);
      return row.partials as Uint8Array;
    });
  }

  documents(room: string): { key: string; value: string }[] {
    const rows = this.session.all("SELECT key, value FROM documents WHERE room = ? ORDER BY key", room);
    return rows.map(({ key, value }) => ({ key: key as string, value: value as string }));
  }
}
