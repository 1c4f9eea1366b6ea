/** One connection: its prepared statements, and the numbers that stand for long names within the database. */
import { type Database, openDatabase, type Statement } from "./driver.ts";
import { migrate } from "./schema.ts";
import { StoreError } from "./store.ts";

export type Row = Record<string, unknown>;
export type Synchronous = "FULL" | "OFF";

/** Numbers kept in memory, of jobs and of names each. */
const cachedMax = 10_000;

export class Session {
  readonly database: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #jobs = new Map<string, number>();
  readonly #names = new Map<string, number>();

  constructor(file: string, synchronous: Synchronous) {
    this.database = openDatabase(file);
    try {
      this.database.pragma("busy_timeout = 5000");
      this.database.pragma("journal_mode = WAL");
      this.database.pragma(`synchronous = ${synchronous}`);
      this.database.pragma("cache_size = -65536");
      this.database.pragma("wal_autocheckpoint = 4000");
      // After a failed fsync the log may be in the system's cache only, counted as clean: what is read from it is
      // written anew, into the database, before anything is appended to it.
      this.database.pragma("wal_checkpoint(TRUNCATE)");
      migrate(this.database);
    } catch (error) {
      this.database.close();
      throw error;
    }
  }

  run(sql: string, ...values: unknown[]): { changes: number; lastInsertRowid: number | bigint } {
    return this.#statement(sql).run(...values);
  }

  get(sql: string, ...values: unknown[]): Row | undefined {
    return this.#statement(sql).get(...values) as Row | undefined;
  }

  all(sql: string, ...values: unknown[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }

  /** Null for a job that is not in the record. */
  findJob(id: string): number | null {
    const known = this.#jobs.get(id);
    if (known !== undefined) return known;
    const seq = this.get("SELECT seq FROM jobs WHERE id = ?", id)?.seq as number | undefined;
    if (seq === undefined) return null;
    this.rememberJob(id, seq);
    return seq;
  }

  /** Throws StoreError for a job that is not in the record. */
  job(id: string): number {
    const seq = this.findJob(id);
    if (seq === null) throw new StoreError("refused", `There is no job ${id} in the record.`);
    return seq;
  }

  rememberJob(id: string, seq: number): void {
    remember(this.#jobs, id, seq);
  }

  /** The number of a name, given out at its first use. */
  name(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    this.run("INSERT OR IGNORE INTO names (name) VALUES (?)", name);
    const id = this.get("SELECT id FROM names WHERE name = ?", name)?.id as number;
    remember(this.#names, name, id);
    return id;
  }

  /** Numbers given out in a transaction go with it. */
  forget(): void {
    this.#jobs.clear();
    this.#names.clear();
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.database.prepare<unknown[]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Keeps a cache of numbers from growing without end. */
function remember(cache: Map<string, number>, key: string, value: number): void {
  if (cache.size >= cachedMax) cache.clear();
  cache.set(key, value);
}
