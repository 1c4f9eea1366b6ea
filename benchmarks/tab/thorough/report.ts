/** The measurement as a table: each row with what it is held to, and whether it holds. */
import { parts, type Transfer } from "./first.ts";
import type { Leaving } from "./leaving.ts";
import type { Measured } from "./suite.ts";
import { rateOf, type Throughput } from "./throughput.ts";
import { median } from "./wait.ts";

/** What a tab is held to. */
export const targets = {
  hiddenShare: 0.8,
  lostSeconds: 5,
  closeFreedMs: 1_000,
  silentFreedMs: 20_000,
  stopMs: 1_000,
  firstSliceMs: 10_000,
  longTaskMs: 50,
  /** Before kernels. */
  transferBytes: 150 * 1024,
};

interface Row {
  what: string;
  measured: string;
  target?: string;
  /** "" where nothing is asked of it. */
  verdict?: string;
}

const fixed = (value: number, digits = 1): string => value.toFixed(digits);
const count = (value: number): string => Math.round(value).toLocaleString("en-US");
const kb = (bytes: number): string => `${fixed(bytes / 1024)} KB`;
const most = (values: readonly number[]): number => Math.max(...values);

/** "met", or by how much it is short. */
export function atMost(value: number, limit: number, show: (by: number) => string): string {
  if (!Number.isFinite(value)) return "not measured";
  return value <= limit ? "met" : `short by ${show(value - limit)}`;
}

const ms = (value: number): string => `${count(value)} ms`;
const seconds = (value: number): string => `${fixed(value, 2)} s`;

export function table(rows: readonly string[][]): string {
  const widths = (rows[0] as string[]).map((_, column) => most(rows.map((row) => (row[column] ?? "").length)));
  const line = (row: string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  const [head, ...body] = rows as [string[], ...string[][]];
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...body.map(line)].join("\n");
}

function throughputRows(measured: Throughput): Row[] {
  const { backend, visible, hidden, longHidden, frozen, frozenFreedMs, thawedPhase } = measured;
  const name = backend === "wasm" ? "WASM, one thread" : "WebGPU on a software adapter";
  const base = rateOf(visible);
  const cores = (windows: readonly { cores: number }[]): string =>
    `${fixed(median(windows.map((window) => window.cores)), 2)} cores`;
  const share = (what: string, windows: Throughput["hidden"]): Row => {
    const found = rateOf(windows) / base;
    const row = {
      what: `${name}: ${what}`,
      measured: `${fixed(100 * found)}% of visible (${fixed(rateOf(windows), 3)} grains/s, ${cores(windows)})`,
    };
    if (backend !== "wasm") return row;
    const verdict =
      found >= targets.hiddenShare ? "met" : `short by ${fixed(100 * (targets.hiddenShare - found))} points`;
    return { ...row, target: `>= ${100 * targets.hiddenShare}%`, verdict };
  };
  return [
    { what: `${name}: visible`, measured: `${fixed(base, 3)} grains/s, ${cores(visible)}` },
    share("hidden, allowed to go on", hidden),
    ...(longHidden ? [share("hidden for more than five minutes", [longHidden])] : []),
    {
      what: `${name}: frozen`,
      measured: `${fixed(frozen.grains / (frozen.ms / 1000), 3)} grains/s, ${fixed(frozen.cores, 2)} cores; then ${thawedPhase}, and asks`,
    },
    {
      what: `${name}: leases free after a freeze`,
      measured: ms(frozenFreedMs),
      target: `<= ${ms(targets.closeFreedMs)}`,
      verdict: atMost(frozenFreedMs, targets.closeFreedMs, ms),
    },
  ];
}

function leavingRows(all: readonly Leaving[]): Row[] {
  return [...new Set(all.map(({ way }) => way))].flatMap((way) => {
    const of = all.filter((one) => one.way === way);
    const lost = of.map(({ lostSeconds }) => lostSeconds);
    const after = of.map(({ lostAfterReturnSeconds }) => lostAfterReturnSeconds);
    const freed = of.map(({ freedMs }) => freedMs);
    const freedMsMax = way === "close" || way === "reload" ? targets.closeFreedMs : targets.silentFreedMs;
    return [
      {
        what: `${way}: computing lost of the slice`,
        measured: `at most ${seconds(most(lost))}, median ${seconds(median(lost))} (n=${of.length}); after the next visit ${seconds(median(after))}`,
        target: `<= ${targets.lostSeconds} s`,
        verdict: atMost(most(lost), targets.lostSeconds, seconds),
      },
      {
        what: `${way}: leases free`,
        measured: `at most ${ms(most(freed))}, median ${ms(median(freed))}`,
        target: `<= ${ms(freedMsMax)}`,
        verdict: atMost(most(freed), freedMsMax, ms),
      },
    ];
  });
}

function stopRows(all: Measured["stops"]): Row[] {
  return [...new Set(all.map(({ state }) => state))].map((state) => {
    const of = all.filter((one) => one.state === state);
    const on = most(of.map(({ computedOnMs }) => computedOnMs));
    const freed = of.flatMap(({ freedMs }) => (freedMs === null ? [] : [freedMs]));
    const before = median(of.map(({ coresBefore }) => coresBefore));
    const told = [
      `${fixed(before, 2)} cores before; computes on for at most ${ms(on)}`,
      `says so after ${ms(most(of.map(({ saidMs }) => saidMs)))}`,
    ];
    if (freed.length > 0) told.push(`leases free after ${ms(most(freed))}`);
    return {
      what: `Stop while ${state}`,
      measured: told.join(", "),
      target: `<= ${ms(targets.stopMs)}`,
      verdict: atMost(on, targets.stopMs, ms),
    };
  });
}

function firstRows(first: Measured["first"]): Row[] {
  if (first.length === 0) return [];
  const spread = (values: number[]): string =>
    `median ${ms(median(values))}, at most ${ms(most(values))} (n=${first.length})`;
  const target = `<= ${ms(targets.firstSliceMs)}`;
  const row = (what: string, values: number[]): Row => ({
    what,
    measured: spread(values),
    target,
    verdict: atMost(most(values), targets.firstSliceMs, ms),
  });
  return [
    { what: "from the address until Donate can be pressed", measured: spread(first.map(({ readyMs }) => readyMs)) },
    row(
      "from the address to the first accepted slice",
      first.map(({ fromUrlMs }) => fromUrlMs),
    ),
    row(
      "from the click to the first accepted slice",
      first.map(({ fromClickMs }) => fromClickMs),
    ),
  ];
}

export const sumOf = (transfers: readonly Transfer[]): number => transfers.reduce((sum, { bytes }) => sum + bytes, 0);

function transferRows(transfers: readonly Transfer[]): Row[] {
  if (transfers.length === 0) return [];
  const before = sumOf(transfers.filter(({ part }) => part !== "kernels"));
  const rows = parts.map((part): Row => {
    const of = transfers.filter((transfer) => transfer.part === part);
    const plain = of.filter(({ encoding, bytes }) => encoding === "none" && part !== "WebSocket" && bytes > 1_500);
    const note = plain.length === 0 ? "" : `, ${plain.length} of them uncompressed (${kb(sumOf(plain))})`;
    return {
      what: `transferred: ${part}`,
      measured: `${kb(sumOf(of))} in ${of.length} ${part === "WebSocket" ? "frames" : "answers"}${note}`,
    };
  });
  return [
    ...rows,
    {
      what: "transferred before kernels, to the first accepted slice",
      measured: kb(before),
      target: `<= ${kb(targets.transferBytes)}`,
      verdict: atMost(before, targets.transferBytes, kb),
    },
  ];
}

function smoothRows(all: Measured["smoothness"]): Row[] {
  return all.map(({ name, longTasks, longestTaskMs, frames, frameP50Ms, frameP99Ms, late }) => {
    const smooth = `frames ${fixed(frameP50Ms)} ms p50, ${fixed(frameP99Ms)} ms p99, ${fixed(100 * late)}% of ${frames} late`;
    const row = {
      what: `main thread ${name}`,
      measured: `${longTasks} long tasks, longest ${ms(longestTaskMs)}; ${smooth}`,
    };
    if (!name.startsWith("computing")) return row;
    const verdict = atMost(longestTaskMs, targets.longTaskMs, ms);
    return { ...row, target: `no task > ${ms(targets.longTaskMs)}`, verdict };
  });
}

export function rowsOf(measured: Measured): Row[] {
  return [
    ...measured.throughput.flatMap(throughputRows),
    ...leavingRows(measured.leaving),
    ...stopRows(measured.stops),
    ...firstRows(measured.first),
    ...smoothRows(measured.smoothness),
    ...transferRows(measured.transfer),
  ];
}

export function report(measured: Measured): string {
  const rows = rowsOf(measured).map(({ what, measured: found, target = "", verdict = "" }) => [
    what,
    found,
    target,
    verdict,
  ]);
  const failures = measured.failures.map((failure) => `FAILED ${failure}`);
  return [table([["", "measured", "target", "verdict"], ...rows]), ...failures].join("\n\n");
}
