/** What a receipt says, from the record. Pure; `receipts.ts` issues, signs and keeps it. */
import { createHash, hash } from "node:crypto";
import { grainsOf } from "../../kernels/contract.ts";
import type { ReceiptRange, ReceiptStatement } from "../../protocol/ledger.ts";
import { leafHash } from "../../protocol/merkle.ts";
import { Coverage } from "../core/ranges.ts";
import type { JobRecord, ResultRecord, RoundRecord } from "../store/store.ts";
import { canonical } from "./canonical.ts";
import { verificationWords } from "./words.ts";

/** What differs from receipt to receipt of the same work. */
export type ReceiptContent = Omit<ReceiptStatement, "coordinator" | "sequence" | "previous" | "issued_at" | "type">;

export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex");
export const sha256 = (bytes: Uint8Array): Uint8Array => hash("sha256", bytes, "buffer");
export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

const counts: ReadonlySet<string> = new Set(["provisional", "confirmed", "sealed"]);

/** An audit of a result, where the record keeps them. */
export type AuditOf = (result: number) => ReceiptRange["audits"];

/** The results that a round rests on, and for which grains: earlier ones first, as the core covers grains. */
export function rangesOf(
  results: readonly ResultRecord[],
  keys: ReadonlyMap<string, Uint8Array>,
  auditsOf: AuditOf,
): ReceiptRange[] {
  const coverage = new Coverage<number>();
  const byId = new Map<number, ResultRecord>();
  for (const result of results) {
    if (!counts.has(result.standing)) continue;
    byId.set(result.id, result);
    for (const [lo, hi] of coverage.uncovered(result.lo, result.hi)) coverage.cover(lo, hi, result.id);
  }
  return coverage.entries.map(({ lo, hi, result }) => {
    const of = byId.get(result) as ResultRecord;
    return {
      round: of.round,
      lo,
      hi,
      result,
      standing: of.standing,
      verdict: "accept",
      reason: of.verdict || "none",
      audits: auditsOf(result),
      node_id: of.node,
      public_key: hex(keys.get(of.node) ?? new Uint8Array(0)),
      own: of.own,
      signed: {
        lease: of.lease,
        lo: of.lo,
        hi: of.hi,
        backend: of.backend,
        build: of.build,
        root: hex(of.root),
        signature: hex(of.signature),
      },
    };
  });
}

export const rangeLeaf = (range: ReceiptRange): Uint8Array => leafHash(Buffer.from(canonical(range)), sha256);

export interface ContentParts {
  job: JobRecord;
  rounds: readonly RoundRecord[];
  ranges: readonly ReceiptRange[];
  root: Uint8Array;
  /** As the job's page shows it. */
  verification: Record<string, unknown>;
  /** What the workload's certificate shows, where it has one. */
  certificate: "complete" | "evidence" | "none";
}

export function contentOf({ job, rounds, ranges, root, verification, certificate }: ContentParts): ReceiptContent {
  const byReason: Record<string, number> = {};
  const covered = new Map<number, number>();
  let own = 0;
  for (const { reason, round, lo, hi, own: byOwn } of ranges) {
    byReason[reason] = (byReason[reason] ?? 0) + hi - lo;
    covered.set(round, (covered.get(round) ?? 0) + hi - lo);
    if (byOwn) own += hi - lo;
  }
  const iso = (ms: number): string => new Date(ms).toISOString();
  const described = rounds.map((round) => ({
    round: round.round,
    tasks: round.tasks,
    grain_tasks: round.grainTasks,
    grains: grainsOf(round),
    grains_covered: covered.get(round.round) ?? 0,
    input_sha256: round.input,
  }));
  return {
    final: ranges.length > 0 && ranges.every(({ standing }) => standing === "sealed"),
    job: {
      task_id: job.id,
      workload_type: job.workload,
      payload_sha256: job.payloadBlob ?? sha256Hex(job.payload ?? "null"),
      kernel: job.kernel,
      files: job.files,
      submitted_at: iso(job.createdAtMs),
      finished_at: job.finishedAtMs === null ? null : iso(job.finishedAtMs),
      revision: job.revision,
      output_sha256: job.outputBlob ?? (job.output === null ? null : sha256Hex(job.output)),
    },
    rounds: described,
    ranges: { count: ranges.length, root: hex(root) },
    verification: {
      words: verificationWords({ byReason, own, rounds: described, certificate }),
      grains_by_reason: byReason,
      grains_by_own_nodes: own,
      job: verification,
    },
  };
}
