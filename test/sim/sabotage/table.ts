/**
 * The table: every strategy against the default and the strict policy, complete certificates, and the baselines.
 * `npm run sim -- --scenario sabotage [--json] [--grains 40e6] [--seeds 1] [--saboteurs 0.2] [--strategy NAME]`.
 */
import { parseArgs } from "node:util";
import { Random } from "../random.ts";
import { type Baseline, runBaseline } from "./baselines.ts";
import { fineStrategies, type Strategy, strategies } from "./population.ts";
import { type CellFigures, type CellOptions, policies, runCell } from "./scenario.ts";
import { wilson } from "./wilson.ts";

export interface Row {
  policy: string;
  strategy: Strategy;
  accepted: number;
  wrongFirst: number | null;
  wrongFinal: number;
  /** 95%, of the final share. Wrong grains of one result are not independent, so that it is too narrow. */
  wilson: [lo: number, hi: number];
  jobsWrong: number | null;
  overhead: number;
  audits: number | null;
  saboteursBanned: number | null;
  honestBanned: number | null;
}

const volunteers = 200;

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      json: { type: "boolean", default: false },
      grains: { type: "string", default: "40e6" },
      units: { type: "string", default: "100000" },
      seeds: { type: "string", default: "1" },
      saboteurs: { type: "string", default: "0.2" },
      strategy: { type: "string" },
      policy: { type: "string" },
    },
  });
  const [grains, units, seeds, saboteurs] = [values.grains, values.units, values.seeds, values.saboteurs].map(Number);
  const run = {
    grains: grains as number,
    units: units as number,
    seeds: seeds as number,
    saboteurs: saboteurs as number,
  };
  const isWanted = (policy: string, strategy: Strategy): boolean =>
    (values.strategy ?? strategy) === strategy && (values.policy ?? policy) === policy;
  const rows: Row[] = [];
  for (const row of table(run, isWanted)) {
    rows.push(row);
    if (!values.json) console.log(rows.length === 1 ? `${head}\n${line(row)}` : line(row));
  }
  if (values.json) console.log(JSON.stringify({ ...run, volunteers, rows }, null, 2));
}

export interface TableOptions {
  grains: number;
  units: number;
  seeds: number;
  saboteurs: number;
}

export function* table(
  options: TableOptions,
  isWanted: (policy: string, strategy: Strategy) => boolean = () => true,
): Generator<Row> {
  const all = [...strategies, ...fineStrategies];
  for (const policy of ["default", "strict", "certificates"] as const) {
    for (const strategy of policy === "certificates" ? (["always lie", "lie 5%"] as const) : all) {
      if (isWanted(policy, strategy)) yield coreRow(policy, strategy, options);
    }
  }
  for (const baseline of ["quorum 2", "BOINC adaptive"] as const) {
    for (const strategy of strategies) if (isWanted(baseline, strategy)) yield baselineRow(baseline, strategy, options);
  }
}

function coreRow(policy: "default" | "strict" | "certificates", strategy: Strategy, options: TableOptions): Row {
  const cell: Omit<CellOptions, "seed"> = {
    saboteurs: options.saboteurs,
    strategy,
    verification: policy === "strict" ? policies.strict : policies.default,
    certified: policy === "certificates",
    volunteers,
    grains: options.grains,
  };
  const found = Array.from({ length: options.seeds }, (_, index) => runCell({ ...cell, seed: index + 1 }));
  const sum = (of: (figures: CellFigures) => number): number => found.reduce((total, each) => total + of(each), 0);
  const accepted = sum((each) => each.accepted);
  const wrong = sum((each) => each.finalWrong);
  return {
    policy,
    strategy,
    accepted,
    wrongFirst: sum((each) => each.firstWrong) / accepted,
    wrongFinal: wrong / accepted,
    wilson: wilson(wrong, accepted),
    jobsWrong: sum((each) => each.jobsWrong) / sum((each) => each.jobs),
    overhead: sum((each) => each.cost.computed) / accepted,
    audits: sum((each) => each.cost.audit) / accepted,
    saboteursBanned: sum((each) => each.saboteursBanned),
    honestBanned: sum((each) => each.honestBanned),
  };
}

function baselineRow(policy: Baseline, strategy: Strategy, { units, seeds, saboteurs }: TableOptions): Row {
  let accepted = 0;
  let wrong = 0;
  let overhead = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const found = runBaseline(policy, { random: new Random(seed), saboteurs, strategy, volunteers, units });
    accepted += found.accepted;
    wrong += found.wrong;
    overhead += found.overhead / seeds;
  }
  const none = { wrongFirst: null, jobsWrong: null, audits: null, saboteursBanned: null, honestBanned: null };
  return {
    policy,
    strategy,
    accepted,
    wrongFinal: wrong / accepted,
    wilson: wilson(wrong, accepted),
    overhead,
    ...none,
  };
}

const columns = [
  "policy",
  "strategy",
  "wrong, first",
  "wrong, final",
  "95%",
  "jobs wrong",
  "compute",
  "audits",
  "banned",
];
const head = `| ${columns.join(" | ")} |\n|${columns.map(() => "---").join("|")}|`;

const share = (value: number | null): string => (value === null ? "" : value === 0 ? "0" : value.toExponential(1));
const percent = (value: number | null): string => (value === null ? "" : `${(100 * value).toFixed(2)}%`);

function line(row: Row): string {
  const banned = row.honestBanned === null ? "" : `${row.saboteursBanned} liars, ${row.honestBanned} honest`;
  const cells = [
    row.policy,
    row.strategy,
    share(row.wrongFirst),
    share(row.wrongFinal),
    row.wilson.map(share).join(" to "),
    percent(row.jobsWrong),
    `${row.overhead.toFixed(3)}x`,
    percent(row.audits),
    banned,
  ];
  return `| ${cells.join(" | ")} |`;
}
