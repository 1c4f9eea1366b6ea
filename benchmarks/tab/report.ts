/** The rows as a table of Markdown. */
import type { Row } from "./suite.ts";

export function report(rows: readonly Row[]): string {
  const cells = rows.map((row) => [row.what, told(row.value, row.unit), targetOf(row), verdictOf(row)]);
  return table([["of a tab", "measured", "target", ""], ...cells]);
}

export function told(value: number, unit: Row["unit"]): string {
  if (unit === "share") return `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
  return `${value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${unit}`.trim();
}

function targetOf({ target, unit, least }: Row): string {
  if (target === null) return "";
  return `${least ? "at least" : "at most"} ${told(target, unit)}`;
}

export function verdictOf({ value, target, unit, least }: Row): string {
  if (target === null) return "";
  const short = least ? target - value : value - target;
  return short <= 0 ? "met" : `short by ${told(short, unit)}`;
}

function table([head = [], ...rows]: string[][]): string {
  const widths = head.map((_, at) => Math.max(3, ...[head, ...rows].map((row) => row[at]?.length ?? 0)));
  const line = (row: string[]): string => `| ${row.map((cell, at) => cell.padEnd(widths[at] as number)).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}
