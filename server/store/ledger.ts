/**
 * The ledger's part of the record: credit as postings, receipts as a chain, and what volunteers said of themselves.
 * Postings and receipts are only ever added. A posting's key is the work that it speaks of and its kind, so the same
 * one written twice, over restarts too, counts once.
 */

/** What was computed: a result that stands for grains, an audit of another's, or grains that were there already. */
export type WorkPurpose = "result" | "audit" | "replica" | "spare";
export type PostingKind = "grant" | "retract";

export interface Posting {
  /** Number of the work, counted with the results: a result's is its id. */
  work: number;
  kind: PostingKind;
  /** The identity of the node that computed. */
  volunteer: string;
  job: string;
  purpose: WorkPurpose;
  /** Negative where credit is taken back. */
  coreSeconds: number;
  atMs: number;
  /** When it counts. */
  dueMs: number;
}

export interface VolunteerRecord {
  /** Node id. */
  id: string;
  team: string | null;
  /** Key id of the submitter whose jobs are this volunteer's own. */
  submitter: string | null;
  /** The last statement that its identity signed; an older one is not taken again. */
  statedAtMs: number;
}

export interface ReceiptRecord {
  /** From 1, without gaps. */
  sequence: number;
  job: string;
  revision: number;
  final: boolean;
  /** SHA-256 of the statement; the next receipt names it. */
  hash: string;
  previous: string | null;
  /** What is signed, as canonical JSON. */
  statement: string;
  signature: Uint8Array;
  /** The ranges as JSON, or the hash of a blob with it. */
  ranges: string | null;
  rangesBlob: string | null;
  issuedAtMs: number;
}

/** Grains of a result that another computed, and how they compared. */
export interface AuditRecord {
  result: number;
  kind: "audit" | "replica" | "checkpoint";
  lo: number;
  hi: number;
  /** Who computed them again. */
  node: string;
  own: boolean;
  verdict: "agrees" | "differs" | "resumed";
  reason: string;
  atMs: number;
}

export type LedgerWrite =
  /** Refused where the record has no such result. */
  | { type: "audit.insert"; audit: AuditRecord }
  /** Without effect where the record has the posting already. */
  | { type: "posting.insert"; posting: Posting }
  /** Takes a granted posting back, once; without effect where nothing was granted. Due not before the grant. */
  | { type: "posting.retract"; work: number; atMs: number; dueMs: number }
  | { type: "volunteer.upsert"; volunteer: VolunteerRecord }
  /** What a volunteer said of itself is gone: name, team, submitter. Its key, postings and signatures stay. */
  | { type: "volunteer.erase"; id: string; statedAtMs: number }
  /** Refused unless it continues the chain. */
  | { type: "receipt.append"; receipt: ReceiptRecord };

/** The sum of a volunteer's postings that fell due in some time. */
export interface CreditSum {
  volunteer: string;
  coreSeconds: number;
  postings: number;
}

/** Questions about the ledger; answered from what was committed. */
export interface LedgerReader {
  /** Sums of postings due after `afterMs` and not after `untilMs`, by volunteer. */
  creditSums(afterMs: number, untilMs: number): Promise<CreditSum[]>;
  /** A volunteer's postings that were due by `untilMs`, newest first; at most 10,000. */
  postings(volunteer: string, untilMs: number, limit: number): Promise<Posting[]>;
  volunteers(): Promise<VolunteerRecord[]>;
  lastReceipt(): Promise<ReceiptRecord | null>;
  /** The newest of a job. */
  receiptOf(job: string): Promise<ReceiptRecord | null>;
  /** Receipts numbered above `after`, in order, without their ranges; at most 1,000. */
  receipts(
    after: number,
    limit: number,
  ): Promise<Pick<ReceiptRecord, "sequence" | "hash" | "previous" | "issuedAtMs">[]>;
  /** Audits and replicas of the results of a round, in the order in which they came. */
  audits(job: string, round: number): Promise<AuditRecord[]>;
  /** Keys of nodes by id; ids that the record does not know are left out. */
  nodeKeys(ids: readonly string[]): Promise<{ id: string; publicKey: Uint8Array }[]>;
}

export const postingsMax = 10_000;
export const receiptsMax = 1_000;

/** Throws RangeError. */
export function assertLimit(limit: number, max: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > max)
    throw new RangeError(`a limit of 1 to ${max}, not ${limit}`);
}
