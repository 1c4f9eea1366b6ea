/** The ledger's writes and questions as SQL. */
import {
  type AuditRecord,
  assertLimit,
  type CreditSum,
  type LedgerReader,
  type LedgerWrite,
  type Posting,
  postingsMax,
  type ReceiptRecord,
  receiptsMax,
  type VolunteerRecord,
} from "./ledger.ts";
import type { Row, Session } from "./sqlite-session.ts";
import { StoreError } from "./store.ts";

/** Within the transaction of the batch. Throws StoreError. */
export function writeLedger(session: Session, write: LedgerWrite): void {
  switch (write.type) {
    case "posting.insert": {
      const { work, kind, volunteer, job, purpose, coreSeconds, atMs, dueMs } = write.posting;
      session.run(
        "INSERT OR IGNORE INTO postings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        work,
        kind,
        session.name(volunteer),
        session.job(job),
        purpose,
        coreSeconds,
        atMs,
        dueMs,
      );
      return;
    }
    case "posting.retract":
      session.run(
        `INSERT OR IGNORE INTO postings
         SELECT work, 'retract', volunteer, job, purpose, -core_seconds, ?, max(due, ?) FROM postings
         WHERE work = ? AND kind = 'grant'`,
        write.atMs,
        write.dueMs,
        write.work,
      );
      return;
    case "volunteer.upsert": {
      const { id, team, submitter, statedAtMs } = write.volunteer;
      session.run("INSERT OR REPLACE INTO volunteers VALUES (?, ?, ?, ?)", id, team, submitter, statedAtMs);
      return;
    }
    case "volunteer.erase":
      session.run("INSERT OR REPLACE INTO volunteers VALUES (?, NULL, NULL, ?)", write.id, write.statedAtMs);
      session.run("UPDATE nodes SET name = NULL WHERE id = ?", write.id);
      return;
    case "receipt.append":
      append(session, write.receipt);
      return;
    case "audit.insert":
      insertAudit(session, write.audit);
      return;
  }
}

function insertAudit(session: Session, audit: AuditRecord): void {
  const { result, kind, lo, hi, node, own, verdict, reason, atMs } = audit;
  const info = session.run(
    "INSERT INTO audits SELECT id, ?, ?, ?, ?, ?, ?, ?, ? FROM results WHERE id = ?",
    kind,
    lo,
    hi,
    session.name(node),
    own ? 1 : 0,
    verdict,
    reason,
    atMs,
    result,
  );
  if (info.changes === 0) throw new StoreError("refused", `There is no result ${result} in the record.`);
}

function append(session: Session, receipt: ReceiptRecord): void {
  const last = session.get("SELECT sequence, hash FROM receipts ORDER BY sequence DESC LIMIT 1");
  const sequence = ((last?.sequence as number | undefined) ?? 0) + 1;
  if (receipt.sequence !== sequence || receipt.previous !== ((last?.hash as string | undefined) ?? null)) {
    throw new StoreError(
      "refused",
      `Receipt ${receipt.sequence} does not continue the chain, whose next is ${sequence}.`,
    );
  }
  session.run(
    "INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    sequence,
    session.job(receipt.job),
    receipt.revision,
    receipt.final ? 1 : 0,
    receipt.hash,
    receipt.previous,
    receipt.statement,
    receipt.signature,
    receipt.ranges,
    receipt.rangesBlob,
    receipt.issuedAtMs,
  );
}

const receiptColumns = `r.sequence, j.id AS job, r.revision, r.final, r.hash, r.previous, r.statement, r.signature,
  r.ranges, r.ranges_blob, r.issued_at`;

/** Synchronous; `sqlite.ts` asks it from the other side of the thread. */
export class SqliteLedger {
  constructor(private readonly session: Session) {}

  creditSums(afterMs: number, untilMs: number): CreditSum[] {
    const rows = this.session.all(
      `SELECT n.name AS volunteer, s.core_seconds, s.postings FROM
         (SELECT volunteer, sum(core_seconds) AS core_seconds, count(*) AS postings FROM postings
          WHERE due > ? AND due <= ? GROUP BY volunteer) s JOIN names n ON n.id = s.volunteer`,
      afterMs,
      untilMs,
    );
    return rows.map((row) => ({
      volunteer: row.volunteer as string,
      coreSeconds: row.core_seconds as number,
      postings: row.postings as number,
    }));
  }

  postings(volunteer: string, untilMs: number, limit: number): Posting[] {
    assertLimit(limit, postingsMax);
    const rows = this.session.all(
      `SELECT p.*, j.id AS job_id FROM postings p JOIN jobs j ON j.seq = p.job
       WHERE p.volunteer = (SELECT id FROM names WHERE name = ?) AND p.due <= ? ORDER BY p.due DESC, p.work DESC LIMIT ?`,
      volunteer,
      untilMs,
      limit,
    );
    return rows.map((row) => ({
      work: row.work as number,
      kind: row.kind as Posting["kind"],
      volunteer,
      job: row.job_id as string,
      purpose: row.purpose as Posting["purpose"],
      coreSeconds: row.core_seconds as number,
      atMs: row.at as number,
      dueMs: row.due as number,
    }));
  }

  volunteers(): VolunteerRecord[] {
    return this.session.all("SELECT * FROM volunteers").map((row) => ({
      id: row.id as string,
      team: row.team as string | null,
      submitter: row.submitter as string | null,
      statedAtMs: row.stated_at as number,
    }));
  }

  audits(job: string, round: number): AuditRecord[] {
    const rows = this.session.all(
      `SELECT a.*, n.name AS node_id FROM results r JOIN audits a ON a.result = r.id JOIN names n ON n.id = a.node
       WHERE r.job = (SELECT seq FROM jobs WHERE id = ?) AND r.round = ? ORDER BY a.rowid`,
      job,
      round,
    );
    return rows.map((row) => ({
      result: row.result as number,
      kind: row.kind as AuditRecord["kind"],
      lo: row.lo as number,
      hi: row.hi as number,
      node: row.node_id as string,
      own: row.own === 1,
      verdict: row.verdict as AuditRecord["verdict"],
      reason: row.reason as string,
      atMs: row.at as number,
    }));
  }

  lastReceipt(): ReceiptRecord | null {
    return this.#receipt("ORDER BY r.sequence DESC LIMIT 1");
  }

  receiptOf(job: string): ReceiptRecord | null {
    const seq = this.session.findJob(job);
    return seq === null ? null : this.#receipt("WHERE r.job = ? ORDER BY r.sequence DESC LIMIT 1", seq);
  }

  receipts(after: number, limit: number): Awaited<ReturnType<LedgerReader["receipts"]>> {
    assertLimit(limit, receiptsMax);
    const rows = this.session.all(
      "SELECT sequence, hash, previous, issued_at FROM receipts WHERE sequence > ? ORDER BY sequence LIMIT ?",
      after,
      limit,
    );
    return rows.map((row) => ({
      sequence: row.sequence as number,
      hash: row.hash as string,
      previous: row.previous as string | null,
      issuedAtMs: row.issued_at as number,
    }));
  }

  nodeKeys(ids: readonly string[]): { id: string; publicKey: Uint8Array }[] {
    return ids.flatMap((id) => {
      const row = this.session.get("SELECT public_key FROM nodes WHERE id = ?", id);
      return row ? [{ id, publicKey: new Uint8Array(row.public_key as Buffer) }] : [];
    });
  }

  #receipt(which: string, ...values: unknown[]): ReceiptRecord | null {
    const sql = `SELECT ${receiptColumns} FROM receipts r JOIN jobs j ON j.seq = r.job ${which}`;
    const row = this.session.get(sql, ...values);
    return row ? toReceipt(row) : null;
  }
}

const toReceipt = (row: Row): ReceiptRecord => ({
  sequence: row.sequence as number,
  job: row.job as string,
  revision: row.revision as number,
  final: row.final === 1,
  hash: row.hash as string,
  previous: row.previous as string | null,
  statement: row.statement as string,
  signature: new Uint8Array(row.signature as Buffer),
  ranges: row.ranges as string | null,
  rangesBlob: row.ranges_blob as string | null,
  issuedAtMs: row.issued_at as number,
});
