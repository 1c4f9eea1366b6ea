/** How a job was verified, in sentences with their numbers. */
import type { ReceiptStatement } from "../../protocol/ledger.ts";
import type { Catalog } from "../catalog.ts";
import type { JobRecord } from "../store/store.ts";

/** What each reason for counting a result means. A reason that is not here speaks for itself. */
const meanings: Record<string, string> = {
  own: "were computed by the operator's own nodes",
  own_node: "were computed by the operator's own nodes",
  certificate: "are in results whose certificate was recomputed and holds",
  audit: "are in results of which a part, drawn after they had arrived, was recomputed elsewhere and agreed",
  replica: "were computed by several nodes of different networks, alike",
  trust: "rest on the word of nodes that passed many audits; they were not drawn for an audit themselves",
  none: "count without a stated reason",
};

export interface WordsOf {
  byReason: Readonly<Record<string, number>>;
  own: number;
  rounds: readonly Pick<ReceiptStatement["rounds"][number], "grains" | "grains_covered">[];
  certificate: "complete" | "evidence" | "none";
}

export function verificationWords({ byReason, own, rounds, certificate }: WordsOf): string[] {
  const grains = rounds.reduce((sum, round) => sum + round.grains, 0);
  const covered = rounds.reduce((sum, round) => sum + round.grains_covered, 0);
  const share = (part: number): string => (covered === 0 ? "0%" : `${Math.round((part / covered) * 1_000) / 10}%`);
  const words = [
    covered === grains
      ? `All ${grains} grains are covered by results that their nodes signed.`
      : `${covered} of ${grains} grains are covered by results that their nodes signed; the workload needed no more.`,
    `Own nodes computed ${share(own)} of them, volunteers ${share(covered - own)}.`,
  ];
  for (const [reason, count] of Object.entries(byReason).sort(([, a], [, b]) => b - a)) {
    words.push(`${count} grains (${share(count)}) ${meanings[reason] ?? `count for the reason "${reason}"`}.`);
  }
  if (certificate === "evidence") {
    const sure = "The certificate shows that what was reported is right, and not that nothing was left out";
    words.push(`${sure}: something withheld is found only by an audit or a replica.`);
  }
  return words;
}

/** What the workload's certificate shows of a job's results. None, where the payload is not at hand to ask it. */
export function certificateOf(catalog: Catalog, job: JobRecord): "complete" | "evidence" | "none" {
  const entry = catalog.get(job.workload);
  if (!entry?.hasCheck || job.payload === null) return "none";
  const parsed = entry.workload.payload.safeParse(JSON.parse(job.payload));
  return parsed.success ? entry.workload.belief(parsed.data, "wasm", "wasm").certificate : "none";
}
