/** The SQLite schema, as a list of migrations: one that was released is never changed. */
import type { Database } from "./driver.ts";

/**
 * Jobs, nodes and kernel builds are numbered within the database, so that a result's row and its index
 * entry hold small integers instead of long names: b-tree work, not fsync, bounds the rate of results.
 */
const migrations = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
  INSERT INTO meta VALUES ('epoch', 0);
  CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    submitter TEXT NOT NULL,
    workload TEXT NOT NULL,
    payload TEXT,
    payload_blob TEXT,
    priority INTEGER NOT NULL,
    kernel TEXT NOT NULL,
    files TEXT NOT NULL,
    idempotency_key TEXT,
    body_hash TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    state TEXT NOT NULL,
    round INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    reason TEXT,
    output TEXT,
    output_blob TEXT,
    stats TEXT
  );
  CREATE UNIQUE INDEX jobs_idempotency ON jobs (submitter, idempotency_key) WHERE idempotency_key IS NOT NULL;
  CREATE INDEX jobs_state ON jobs (state, seq);
  CREATE INDEX jobs_submitter ON jobs (submitter, seq);
  CREATE INDEX jobs_workload ON jobs (workload, seq);
  CREATE TABLE rounds (
    job INTEGER NOT NULL, round INTEGER NOT NULL, tasks INTEGER NOT NULL, grain_tasks INTEGER NOT NULL, input TEXT,
    PRIMARY KEY (job, round)
  ) WITHOUT ROWID;
  CREATE TABLE extents (
    job INTEGER NOT NULL, round INTEGER NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
    owner TEXT NOT NULL, epoch INTEGER NOT NULL,
    PRIMARY KEY (job, round, lo)
  ) WITHOUT ROWID;
  CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE results (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL,
    round INTEGER NOT NULL,
    lo INTEGER NOT NULL,
    hi INTEGER NOT NULL,
    node INTEGER NOT NULL,
    own INTEGER NOT NULL,
    backend TEXT NOT NULL,
    lease TEXT NOT NULL,
    kernel INTEGER NOT NULL,
    build INTEGER NOT NULL,
    compute_ms REAL NOT NULL,
    at INTEGER NOT NULL,
    standing TEXT NOT NULL,
    verdict TEXT NOT NULL,
    signature BLOB NOT NULL,
    partials BLOB
  );
  CREATE TABLE large_partials (id INTEGER PRIMARY KEY, partials BLOB NOT NULL);
  CREATE INDEX results_job ON results (job, round);
  CREATE TABLE nodes (
    id TEXT PRIMARY KEY, public_key BLOB NOT NULL, name TEXT, own INTEGER NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    accepted INTEGER NOT NULL, rejected INTEGER NOT NULL, core_seconds REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE keys (
    id TEXT PRIMARY KEY, secret_hash TEXT NOT NULL, label TEXT NOT NULL, scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL, revoked_at INTEGER
  ) WITHOUT ROWID;
  `,
  // What a node signs of its result; results from before have none.
  "ALTER TABLE results ADD COLUMN root BLOB NOT NULL DEFAULT x''",
  // The ledger. Postings and receipts are only ever added.
  `
  CREATE TABLE postings (
    work INTEGER NOT NULL, kind TEXT NOT NULL, volunteer INTEGER NOT NULL, job INTEGER NOT NULL,
    purpose TEXT NOT NULL, core_seconds REAL NOT NULL, at INTEGER NOT NULL, due INTEGER NOT NULL,
    PRIMARY KEY (work, kind)
  ) WITHOUT ROWID;
  CREATE INDEX postings_volunteer ON postings (volunteer, due);
  CREATE INDEX postings_due ON postings (due, volunteer, core_seconds);
  CREATE TABLE volunteers (
    id TEXT PRIMARY KEY, team TEXT, submitter TEXT, stated_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE receipts (
    sequence INTEGER PRIMARY KEY, job INTEGER NOT NULL, revision INTEGER NOT NULL, final INTEGER NOT NULL,
    hash TEXT NOT NULL, previous TEXT, statement TEXT NOT NULL, signature BLOB NOT NULL,
    ranges TEXT, ranges_blob TEXT, issued_at INTEGER NOT NULL
  );
  CREATE INDEX receipts_job ON receipts (job, sequence);
  CREATE TRIGGER postings_stay BEFORE UPDATE ON postings BEGIN SELECT raise(ABORT, 'postings are never changed'); END;
  CREATE TRIGGER postings_last BEFORE DELETE ON postings BEGIN SELECT raise(ABORT, 'postings are never removed'); END;
  CREATE TRIGGER receipts_stay BEFORE UPDATE ON receipts BEGIN SELECT raise(ABORT, 'receipts are never changed'); END;
  CREATE TRIGGER receipts_last BEFORE DELETE ON receipts BEGIN SELECT raise(ABORT, 'receipts are never removed'); END;
  `,
  // Belief. Who contributed to a finished job is kept until it is sealed, so that a proof against a node finds the jobs.
  `
  ALTER TABLE nodes ADD COLUMN trust TEXT NOT NULL DEFAULT '';
  ALTER TABLE nodes ADD COLUMN tainted_at INTEGER;
  CREATE INDEX nodes_tainted ON nodes (tainted_at) WHERE tainted_at IS NOT NULL;
  ALTER TABLE jobs ADD COLUMN verification TEXT;
  ALTER TABLE jobs ADD COLUMN sealed_at INTEGER;
  CREATE INDEX jobs_unsealed ON jobs (finished_at) WHERE state = 'completed' AND sealed_at IS NULL;
  CREATE TABLE contributions (node INTEGER NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (node, job)) WITHOUT ROWID;
  CREATE INDEX contributions_job ON contributions (job);
  CREATE TABLE audits (
    result INTEGER NOT NULL, kind TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL, node INTEGER NOT NULL,
    own INTEGER NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL
  );
  CREATE INDEX audits_result ON audits (result);
  `,
  // Small texts by room, which are read as a whole.
  `
  CREATE TABLE documents (room TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (room, key))
    WITHOUT ROWID;
  `,
  // What is usual for a key's jobs, where they do not say.
  `
  ALTER TABLE keys ADD COLUMN supply TEXT;
  ALTER TABLE keys ADD COLUMN region TEXT;
  `,
];

/** Brings a database to the newest schema. Throws when a newer program wrote it. */
export function migrate(database: Database): void {
  const version = database.pragma("user_version", { simple: true }) as number;
  if (version > migrations.length) {
    throw new Error(
      `The database has schema ${version}; this version knows up to ${migrations.length}. Update Queztl.`,
    );
  }
  for (let next = version; next < migrations.length; next++) {
    database.transaction(() => {
      database.exec(migrations[next] as string);
      database.pragma(`user_version = ${next + 1}`);
    })();
  }
}
