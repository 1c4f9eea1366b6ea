/** What the record does about belief, as SQL: verdicts in bulk, jobs that are opened again, sealing, and what is tainted. */
import type { Session } from "./sqlite-session.ts";
import { StoreError, type Taint, type Write } from "./store.ts";

type BeliefWrite = Extract<Write, { type: "node.trust" | "results.confirm" | "job.reopen" | "job.seal" }>;

/** Standings of results that count. */
const counting = "('provisional', 'confirmed')";

export function writeBelief(session: Session, write: BeliefWrite, epoch: number): void {
  switch (write.type) {
    case "node.trust":
      changed(
        session.run(
          "UPDATE nodes SET trust = ?, tainted_at = ? WHERE id = ?",
          write.trust,
          write.taintedAtMs,
          write.id,
        ),
        `node ${write.id}`,
      );
      return;
    case "results.confirm":
      for (const id of write.ids) {
        const sql = "UPDATE results SET standing = 'confirmed', verdict = ? WHERE id = ?";
        changed(session.run(sql, write.verdict, id), `result ${id}`);
      }
      return;
    case "job.reopen":
      reopen(session, write, epoch);
      return;
    case "job.seal": {
      const seq = session.job(write.id);
      // A proof may have opened it again meanwhile.
      const sql = "UPDATE jobs SET sealed_at = ? WHERE seq = ? AND state = 'completed' AND sealed_at IS NULL";
      if (session.run(sql, write.atMs, seq).changes === 0) return;
      session.run(`UPDATE results SET standing = 'sealed' WHERE job = ? AND standing IN ${counting}`, seq);
      session.run("DELETE FROM contributions WHERE job = ?", seq);
      return;
    }
  }
}

function reopen(session: Session, write: Extract<Write, { type: "job.reopen" }>, epoch: number): void {
  if (write.epoch !== epoch) throw new StoreError("fenced", `A job was opened again under epoch ${write.epoch}.`);
  const seq = session.job(write.id);
  const { round } = write;
  session.run(
    "UPDATE jobs SET state = 'running', round = ?, revision = ?, finished_at = NULL WHERE seq = ?",
    round,
    write.revision,
    seq,
  );
  const again = "UPDATE results SET standing = 'retracted', verdict = 'round_again'";
  session.run(
    `${again} WHERE job = ? AND round > ? AND standing IN ('candidate', 'provisional', 'confirmed')`,
    seq,
    round,
  );
  session.run("DELETE FROM rounds WHERE job = ? AND round > ?", seq, round);
  session.run("DELETE FROM extents WHERE job = ? AND round > ?", seq, round);
  session.run("UPDATE extents SET owner = ?, epoch = ? WHERE job = ?", write.owner, write.epoch, seq);
  session.run("DELETE FROM contributions WHERE job = ?", seq);
}

/** Volunteers whose word a job that completes rests on. */
export function writeContributions(session: Session, job: string): void {
  session.run(
    `INSERT OR IGNORE INTO contributions
     SELECT DISTINCT node, job FROM results
     WHERE job = ? AND own = 0 AND standing IN ${counting} AND verdict <> 'certificate'`,
    session.job(job),
  );
}

export function readTainted(session: Session): Taint[] {
  const stands = `r.node = m.id AND r.own = 0 AND r.standing IN ${counting} AND r.verdict <> 'certificate'
    AND r.at <= n.tainted_at`;
  const rows = session.all(
    `SELECT job, min(round) AS round FROM (
       SELECT j.id AS job, r.round FROM nodes n JOIN names m ON m.name = n.id
         JOIN contributions c ON c.node = m.id JOIN jobs j ON j.seq = c.job JOIN results r ON r.job = j.seq
       WHERE n.tainted_at IS NOT NULL AND j.state = 'completed' AND j.sealed_at IS NULL AND ${stands}
       UNION ALL
       SELECT j.id, r.round FROM jobs j JOIN results r ON r.job = j.seq AND r.round < j.round
         JOIN names m ON m.id = r.node JOIN nodes n ON n.id = m.name
       WHERE j.state IN ('queued', 'running') AND j.round > 0 AND n.tainted_at IS NOT NULL AND ${stands}
     ) GROUP BY job`,
  );
  return rows.map((row) => ({ job: row.job as string, round: row.round as number }));
}

export function readSealable(session: Session, beforeMs: number, limit: number): string[] {
  const rows = session.all(
    `SELECT id FROM jobs WHERE state = 'completed' AND sealed_at IS NULL AND finished_at < ?
     ORDER BY finished_at LIMIT ?`,
    beforeMs,
    limit,
  );
  return rows.map((row) => row.id as string);
}

function changed(info: { changes: number }, what: string): void {
  if (info.changes === 0) throw new StoreError("refused", `There is no ${what} in the record.`);
}
