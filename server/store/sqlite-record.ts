/** The record in one SQLite file, synchronous; `sqlite-thread.ts` runs it off the event loop. */
import { SqliteLedger } from "./sqlite-ledger.ts";
import { openStates, Reader } from "./sqlite-reader.ts";
import { Session, type Synchronous } from "./sqlite-session.ts";
import { BatchWriter } from "./sqlite-writer.ts";
import { type Snapshot, StoreError, type Write } from "./store.ts";

export class SqliteRecord {
  readonly reader: Reader;
  readonly ledger: SqliteLedger;
  readonly #session: Session;
  #epoch = 0;
  #broken = false;

  constructor(file: string, synchronous: Synchronous) {
    this.#session = new Session(file, synchronous);
    this.reader = new Reader(this.#session);
    this.ledger = new SqliteLedger(this.#session);
  }

  close(): void {
    this.#session.database.close();
  }

  open(coordinator: string): Snapshot {
    const { database } = this.#session;
    const adopt = database.transaction(() => {
      this.#session.run("UPDATE meta SET value = value + 1 WHERE key = 'epoch'");
      this.#epoch = this.#epochOfRecord();
      this.#session.run(
        `UPDATE extents SET epoch = ?, owner = ? WHERE job IN (SELECT seq FROM jobs WHERE state IN ${openStates})`,
        this.#epoch,
        coordinator,
      );
    });
    adopt.immediate();
    // One view of the record, whoever else writes meanwhile.
    return database.transaction(() => this.reader.snapshot(this.#epoch)).deferred();
  }

  /** All of the batch, or nothing. Throws StoreError. */
  commit(batch: readonly Write[]): void {
    if (this.#broken) throw new StoreError("unknown", "An earlier commit failed; the store must be opened again.");
    let committing = false;
    try {
      this.#session.run("BEGIN IMMEDIATE");
      const epoch = this.#epochOfRecord();
      if (epoch !== this.#epoch) throw new StoreError("fenced", `Epoch ${this.#epoch} is over; it is ${epoch} now.`);
      const writer = new BatchWriter(this.#session, this.#epoch);
      for (const write of batch) writer.write(write);
      committing = true;
      this.#session.run("COMMIT");
    } catch (error) {
      throw this.#failed(error, committing);
    }
  }

  #epochOfRecord(): number {
    return this.#session.get("SELECT value FROM meta WHERE key = 'epoch'")?.value as number;
  }

  #failed(error: unknown, committing: boolean): StoreError {
    const code = error instanceof StoreError ? "" : ((error as { code?: string }).code ?? "");
    const text = error instanceof Error ? error.message : String(error);
    // A transaction that cannot be rolled back, or whose fsync failed, may or may not be on disk.
    const uncertain =
      code.startsWith("SQLITE_IOERR") || (committing && code !== "SQLITE_FULL" && code !== "SQLITE_BUSY");
    const rolledBack = this.#rollBack();
    this.#session.forget();
    if (uncertain || !rolledBack) {
      this.#broken = true;
      return new StoreError("unknown", `${code} ${text}`.trim(), { cause: error });
    }
    return error instanceof StoreError ? error : new StoreError("refused", `${code} ${text}`.trim(), { cause: error });
  }

  /** Whether the database is out of the transaction, as far as it says. */
  #rollBack(): boolean {
    const { database } = this.#session;
    if (database.inTransaction) {
      try {
        database.exec("ROLLBACK");
      } catch {
        return false;
      }
    }
    return !database.inTransaction;
  }
}
