/** The measurement as one table in text. Ratios first: clocks of shared machines wander, ratios of one run less so. */
import type { CaseResult, Row } from "./measure.ts";

const fixed = (value: number): string => value.toFixed(2);

export function report(results: CaseResult[]): string {
  const rows = [["", "x WASM SIMD", "lowest to highest", "by", "millions/s", "cores busy"]];
  for (const { name, unit, sets, rows: measured } of results) {
    rows.push([`**${name}** (${unit}; ${sets} sets)`]);
    for (const row of measured) rows.push("missing" in row ? [row.name, row.missing] : cells(row));
  }
  return table(rows);
}

const cells = ({ name, ratio, clock, perSecond, cpuMs, wallMs }: Row): string[] => [
  name,
  `${fixed(ratio.median)}x`,
  `${fixed(ratio.min)} to ${fixed(ratio.max)}`,
  clock === "cpu" ? "CPU time" : "clock",
  fixed(perSecond / 1e6),
  fixed(cpuMs.median / wallMs.median),
];

/** Columns padded to their widest entry; what is missing may run over its column. */
function table(rows: string[][]): string {
  const whole = rows.filter((row) => row.length === rows[0]?.length);
  const widths = (rows[0] as string[]).map((_, column) =>
    Math.max(...(column === 0 ? rows : whole).map((row) => (row[column] ?? "").length)),
  );
  const line = (row: string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head, ...body] = rows as [string[], ...string[][]];
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(line)].join("\n");
}

/** What the names in the table stand for, each once. */
export function legend(results: CaseResult[]): string {
  const about = new Map<string, string>();
  for (const { rows } of results) for (const row of rows) if ("about" in row) about.set(row.name, row.about);
  return [...about].map(([name, text]) => `${name}: ${text}`).join("\n");
}
