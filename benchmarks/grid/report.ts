/** The measurement as tables in text: ratios first, since wall clocks of shared machines wander. */

import type { Peer } from "./peers.ts";
import { type LatencyFigures, type Measured, nameOf } from "./suite.ts";

/** What the grid is held to; ratios to BullMQ in the same run, and bytes. */
export const aims = { ratio: { 1: 1.5, 10: 5, 100: 20 } as Record<number, number>, latency: 1, idleBytes: 12 << 10 };

const count = (value: number): string => Math.round(value).toLocaleString("en-US");
const fixed = (value: number, digits = 1): string => value.toFixed(digits);

/** Columns padded to their widest entry. */
function table(rows: string[][]): string {
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const line = (row: string[]): string =>
    `| ${row.map((entry, column) => entry.padEnd(widths[column] as number)).join(" | ")} |`;
  const [head, ...body] = rows as [string[], ...string[][]];
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(line)].join("\n");
}

const rateOf = (peer: Peer): number | null => ("result" in peer ? peer.result.tasksPerSecond : null);
const ratio = (value: number, to: number | null): string => (to === null ? "-" : `${fixed(value / to, 2)}x`);

/** Tasks for the CPU that one job costs BullMQ, client and server together: what a full machine comes to. */
function cpuRatio(usPerTask: number, bullmq: Peer): string {
  if (!("result" in bullmq) || bullmq.result.serverUsPerTask === null) return "-";
  return `${fixed((bullmq.result.serverUsPerTask + bullmq.result.clientUsPerTask) / usPerTask, 2)}x`;
}

function throughputTable({ cells, bullmq, graphile }: Measured): string {
  const rows = [
    [
      "",
      "tasks/s",
      "x BullMQ",
      "aim",
      "CPU: x BullMQ",
      "x Graphile",
      "submitted/s",
      "server us/task",
      "nodes us/task",
      "loop busy",
      "cores",
    ],
  ];
  for (const cell of cells) {
    const aimed = !cell.sign && cell.frames === "turn";
    rows.push([
      nameOf(cell),
      count(cell.tasksPerSecond),
      ratio(cell.tasksPerSecond, rateOf(bullmq)),
      aimed ? `${aims.ratio[cell.slice]}x` : "",
      cpuRatio(cell.coordinatorUsPerTask + cell.nodesUsPerTask, bullmq),
      ratio(cell.tasksPerSecond, rateOf(graphile)),
      count(cell.submittedPerSecond),
      fixed(cell.coordinatorUsPerTask),
      fixed(cell.nodesUsPerTask),
      `${Math.round(cell.eventLoopUtilisation * 100)}%`,
      fixed(cell.coresBusy, 2),
    ]);
  }
  for (const peer of [bullmq, graphile]) rows.push(peerRow(peer, rateOf(bullmq), rateOf(graphile)));
  return table(rows);
}

function peerRow(peer: Peer, bullmq: number | null, graphile: number | null): string[] {
  if (!("result" in peer)) return [peer.name, peer.missing];
  const { tasksPerSecond, submittedPerSecond, serverUsPerTask, clientUsPerTask } = peer.result;
  return [
    peer.name,
    count(tasksPerSecond),
    ratio(tasksPerSecond, bullmq),
    "",
    "",
    ratio(tasksPerSecond, graphile),
    count(submittedPerSecond),
    serverUsPerTask === null ? "-" : fixed(serverUsPerTask),
    fixed(clientUsPerTask),
    "",
    "",
  ];
}

function latencyTable({ latency: { rows: told, reduce, bullmq } }: Measured): string {
  const row = (name: string, of: LatencyFigures): string[] => [
    name,
    fixed(of.startP50, 2),
    ratio(of.startP50, bullmq?.startP50 ?? null),
    fixed(of.startP99, 2),
    fixed(of.acceptedP50, 2),
    fixed(of.resultP50, 2),
    ratio(of.resultP50, bullmq?.resultP50 ?? null),
    fixed(of.resultP99, 2),
  ];
  return table([
    ["milliseconds", "start p50", "x BullMQ", "start p99", "accepted p50", "result p50", "x BullMQ", "result p99"],
    row("job whose output the judge makes", reduce),
    row("job whose partials are its output", told),
    ...(bullmq ? [row("BullMQ", bullmq)] : []),
  ]);
}

export function report(measured: Measured): string {
  const { idle, failures } = measured;
  return [
    throughputTable(measured),
    latencyTable(measured),
    `Memory of an idle node, over ${count(idle.nodes)} nodes: ${fixed(idle.bytesPerNode / 1024)} KB resident in the ` +
      `coordinator (aim: at most ${aims.idleBytes >> 10} KB; kernel socket buffers are not included).`,
    ...failures.map((failure) => `FAILED ${failure}`),
  ].join("\n\n");
}
