/** What the HTTP side needs of the ledger: receipts of jobs, and volunteers' credit. */

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
  /** Numbered above `after`, in order. */
  chain(after: number, limit: number): Promise<ReceiptLink[]>;
}
