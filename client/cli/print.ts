/** What people read: tables, times and progress. Texts of others lose their control characters before a terminal sees them. */
import type { JobView, NodeView } from "../sdk/index.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const control = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** One line of text that moves no cursor and changes no colour. */
export const plain = (text: string): string => text.replace(control, " ");

/** Columns as wide as their widest cell; the last is not padded. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map(plain));
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** "name  value" lines. */
export const facts = (pairs: readonly (readonly [string, string])[]): string => {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}  ${plain(value)}`.trimEnd()).join("\n");
};

export const percent = (fraction: number): string => {
  const shown = Math.floor(Math.min(1, Math.max(0, fraction)) * 1000) / 10;
  return `${shown.toFixed(1)}%`;
};

/** 3725 -> "1 h 2 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 0) return "-";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const number = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e15 ? String(value) : String(Number(value.toPrecision(3)));

export function jobFacts(job: JobView): string {
  const { progress, timings, verification } = job;
  const { overhead } = verification;
  return facts([
    ["job", job.task_id],
    ["workload", job.workload_type],
    ["state", job.status],
    ...job.reasons.map(({ message }) => ["reason", message] as const),
    ["done", `${percent(progress.fraction)} (${progress.grains_accepted} of ${progress.grains} grains)`],
    ["priority", String(job.priority)],
    ["submitted", `${timings.submitted_at} by ${job.submitter}`],
    ["elapsed", duration(timings.elapsed_seconds)],
    ["computed", duration(timings.compute_seconds)],
    ["results", verifiedLine(verification)],
    ...(overhead === null ? [] : [["compute spent", `${number(overhead)} times that of what counts`] as const]),
    ...(job.preview == null ? [] : [["so far", JSON.stringify(job.preview)] as const]),
  ]);
}

export function verifiedLine(verification: JobView["verification"]): string {
  const { accepted_results, own_results, audited_results, certified_results, rejected_results } = verification;
  const counts = [
    [own_results, "of own nodes"],
    [audited_results, "audited"],
    [certified_results, "with a certificate"],
  ] as const;
  const how = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return `${accepted_results} accepted${how.length > 0 ? ` (${how.join(", ")})` : ""}, ${rejected_results} rejected`;
}

export const jobTable = (jobs: readonly JobView[]): string =>
  table(
    ["JOB", "WORKLOAD", "STATE", "DONE", "PRIORITY", "ELAPSED", "SUBMITTED"],
    jobs.map(({ task_id, workload_type, status, progress, priority, timings }) => [
      ...[task_id, workload_type, status, percent(progress.fraction), String(priority)],
      ...[duration(timings.elapsed_seconds), timings.submitted_at],
    ]),
  );

export const nodeTable = (nodes: readonly NodeView[]): string =>
  table(
    ["NODE", "NAME", "KIND", "STATE", "SPEED", "SLICES", "DOING"],
    nodes.map((node) => [
      node.node_id,
      node.name ?? "-",
      node.own ? `${node.kind}, own` : node.kind,
      node.online ? "online" : "offline",
      speed(node),
      String(node.accepted_slices),
      doing(node),
    ]),
  );

/** Core-seconds of work done per second; "-" until measured. */
function speed({ backends }: NodeView): string {
  const known = backends.flatMap((backend) => backend.core_seconds_per_second ?? []);
  return known.length === 0 ? "-" : `${number(known.reduce((sum, one) => sum + one, 0))} cores`;
}

function doing({ online, leases, idle_reasons, last_seen }: NodeView): string {
  if (leases.length > 0) return [...new Set(leases.map(({ workload_type }) => workload_type))].join(", ");
  if (!online) return `last seen ${last_seen}`;
  return idle_reasons.map(({ message }) => message).join(" ") || "idle";
}
