/** The coordinator's database as it lies on disk, read apart from the coordinator's own code for it. */
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackPartials } from "../../protocol/partials.ts";
import { type Database, openDatabase } from "../../server/store/driver.ts";

export interface RecordedJob {
  seq: number;
  id: string;
  key: string | null;
  state: string;
  grains: number;
  acceptedGrains: number | null;
}

interface ResultRow {
  id: number;
  lo: number;
  hi: number;
  standing: string;
  partials: Buffer;
}

/** Opens a copy, so that looking changes nothing. Throws for a database that is damaged. */
export function readRecord<T>(dataDir: string, read: (record: RecordFile) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "queztl-record-"));
  let database: Database | null = null;
  try {
    for (const end of ["", "-wal"]) {
      const file = join(dataDir, `queztl.db${end}`);
      if (existsSync(file)) cpSync(file, join(folder, `queztl.db${end}`));
    }
    database = openDatabase(join(folder, "queztl.db"));
    const check = database.pragma("integrity_check", { simple: true });
    if (check !== "ok") throw new Error(`The database is damaged: ${check}`);
    return read(new RecordFile(database));
  } finally {
    database?.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

export class RecordFile {
  constructor(private readonly database: Database) {}

  jobs(): RecordedJob[] {
    const rows = this.database
      .prepare(
        `SELECT j.seq, j.id, j.idempotency_key AS key, j.state, j.stats, r.tasks, r.grain_tasks AS grainTasks
         FROM jobs j JOIN rounds r ON r.job = j.seq AND r.round = j.round ORDER BY j.seq`,
      )
      .all() as (Omit<RecordedJob, "grains" | "acceptedGrains"> & {
      stats: string | null;
      tasks: number;
      grainTasks: number;
    })[];
    return rows.map(({ stats, tasks, grainTasks, ...job }) => ({
      ...job,
      grains: Math.ceil(tasks / grainTasks),
      acceptedGrains: stats === null ? null : (JSON.parse(stats) as { acceptedGrains: number }).acceptedGrains,
    }));
  }

  results(job: number): ResultRow[] {
    return this.database
      .prepare(
        `SELECT r.id, r.lo, r.hi, r.standing, coalesce(r.partials, l.partials) AS partials
         FROM results r LEFT JOIN large_partials l ON l.id = r.id WHERE r.job = ? ORDER BY r.id`,
      )
      .all(job) as ResultRow[];
  }

  /** Which grains of a job have a result that no verdict took away, and the partial of the first one. */
  partials(job: RecordedJob, standings: readonly string[]): (Uint8Array | null)[] {
    const grains: (Uint8Array | null)[] = new Array(job.grains).fill(null);
    for (const { lo, hi, standing, partials } of this.results(job.seq)) {
      if (!standings.includes(standing)) continue;
      const each = unpackPartials(partials);
      if (each.length !== hi - lo) throw new Error(`A result of ${hi - lo} grains has ${each.length} partials.`);
      for (let grain = lo; grain < hi; grain++) grains[grain] ??= each[grain - lo] as Uint8Array;
    }
    return grains;
  }
}
