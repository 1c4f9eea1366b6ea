/** What the HTTP side needs of the ledger: receipts of jobs, and volunteers' credit. */

import type { GrainProof, Leaderboard, Postings, StatementBody, VolunteerPage } from "../../protocol/ledger.ts";

export interface ReceiptLink {
  sequence: number;
  hash: string;
  previous: string | null;
  issued_at: string;
}

export interface GridReceipts {
  /** Raw Ed25519 key in hex, and the newest receipt. */
  key(): Promise<{ coordinator: string; public_key: string; head: { sequence: number; hash: string } | null }>;
  /**
   * The receipt of a completed job as JSON text; with `at`, only the range that holds that grain. Null where there is no
   * such completed job or grain. Rejects with GridError.
   */
  receipt(job: string, at: { round: number; grain: number } | null): Promise<string | null>;
  /** A grain as it was answered; null where no result of the job stands for it. Rejects with GridError. */
  grain(job: string, round: number, grain: number): Promise<GrainProof | null>;
  /** Numbered above `after`, in order. */
  chain(after: number, limit: number): Promise<ReceiptLink[]>;
}

export interface GridVolunteers {
  /** The first `limit`, and all teams' sums. */
  leaderboard(limit: number): Promise<Leaderboard>;
  /** Null for an identity that was never here. */
  volunteer(id: string): Promise<VolunteerPage | null>;
  /** Newest first, those that count. Null for an identity that was never here. */
  postings(id: string, limit: number): Promise<Postings | null>;
  /**
   * Takes what an identity says of itself, `caller` being the submitter id of whoever brings it. Rejects with
   * GridError("invalid_statement") where it is not signed, not fresh, or not the caller's to say.
   */
  state(id: string, body: StatementBody, caller: string | null): Promise<VolunteerPage>;
  /** Forgets name, team and submitter. False for an identity that was never here. */
  erase(id: string): Promise<boolean>;
}
