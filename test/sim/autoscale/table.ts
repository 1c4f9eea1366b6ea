/**
 * The autoscaler beside what people use today, on made traces of a working day: what each costs and how long jobs wait.
 *
 *   npm run sim -- --scenario autoscale [--trace diurnal] [--hours 8] [--seed 1] [--policy predictive] [--drain 500]
 *     [--volunteers 20] [--faults] [--json]
 *
 * "under/over" and "% of time" are SPEC's elasticity, "unstable" its instability (percent of the minutes in which supply did not
 * move as demand did), "leaked" the minutes of instances that the ledger did not know of.
 *
 * A policy that forecasts watches for three days before it is listened to: `--trace "false pattern" --hours 168 --drain 500
 * --policy reactive --policy predictive`.
 */
import { parseArgs } from "node:util";
import { policySchema } from "../../../protocol/scaling.ts";
import type { PolicyName } from "../../../server/autoscaler/model.ts";
import { defaultSettings } from "../../../server/autoscaler/settings.ts";
import { clairvoyantDollars } from "./clairvoyant.ts";
import { type Machines, overtimeS, runRule, type Score } from "./fleet.ts";
import { type OurScore, runOurs } from "./ours.ts";
import { rules } from "./rules.ts";
import { type Arrival, hourS, longTraces, stays, traces } from "./traces.ts";

export const machines: Machines = { cores: 2, bootS: 90, dollarsPerHour: 0.0416, max: 100 };
/** The default, and what one may set it to: the time that work may take, in seconds, and the instances that are always there. */
const swept: readonly [drainS: number, minNodes: number][] = [
  [defaultSettings.drainMs / 1_000, 0],
  [200, 40],
  [300, 20],
  ...([200, 300, 600, 1_200, 1_800, 2_400, 3_600, 4_800, 6_000, 7_200, 9_600] as const).map(
    (drainS) => [drainS, 0] as [number, number],
  ),
];

/** Nothing more comes, and what is queued is done. */
const afterS = hourS;

export interface Compared {
  trace: string;
  coreSeconds: number;
  /** The work's own price: nobody can do it for less, without volunteers. */
  leastDollars: number;
  ours: ComparedScore[];
  others: Score[];
}

/** With what the cheapest plan of who knows all beforehand costs, whose p99 is no longer than ours; null for long traces. */
export type ComparedScore = OurScore & { clairvoyantDollars: number | null };

/** Beyond this the programme takes very long to solve. */
const plannedS = 26 * hourS;

export interface Choices {
  sweep?: readonly [drainS: number, minNodes: number][];
  policies?: readonly PolicyName[];
  /** Volunteers online, on average. */
  volunteers?: number;
  /** Ours runs on a cloud with faults; the rules, which know none, never do. */
  faults?: boolean;
}

export async function compare(
  trace: string,
  seed: number,
  lengthS: number,
  { sweep = swept, policies = ["reactive"], volunteers = 0, faults = false }: Choices = {},
): Promise<Compared> {
  const all = { ...traces, ...longTraces };
  const make = all[trace];
  if (!make) throw new RangeError(`There is no trace ${trace}. Traces: ${Object.keys(all).join(", ")}.`);
  const arrivals: Arrival[] = make(seed, lengthS);
  const coreSeconds = arrivals.reduce((sum, arrival) => sum + arrival.coreSeconds, 0);
  const endS = lengthS + afterS;
  const online = volunteers > 0 ? stays(seed, endS + overtimeS, volunteers) : [];
  // Strangers' grains are computed twice.
  const scene = { arrivals, volunteers: online, replication: volunteers > 0 ? 2 : 1, lengthS: endS };
  const ours: ComparedScore[] = [];
  const settings = policies.flatMap((policy) => sweep.map(([drainS, minNodes]) => ({ policy, drainS, minNodes })));
  for (const setting of settings) {
    const score = await runOurs(setting, scene, machines, faults);
    const planned = { ...scene, lengthS: score.endS };
    const best = score.endS > plannedS ? null : await clairvoyantDollars(planned, machines, score.waitP99S);
    ours.push({ ...score, clairvoyantDollars: best });
  }
  const others = rules(machines.max).map((rule) => runRule(rule, scene, machines));
  const leastDollars = (coreSeconds / machines.cores / 3_600) * machines.dollarsPerHour;
  return { trace, coreSeconds, leastDollars, ours, others };
}

/** As cheap and as quick as the other, and in one of both better by a hundredth. */
export const dominates = (a: Score, b: Score): boolean =>
  a.leftCoreSeconds <= b.leftCoreSeconds + 1 &&
  a.dollars <= b.dollars &&
  a.waitP99S <= b.waitP99S &&
  (a.dollars < 0.99 * b.dollars || a.waitP99S < 0.99 * b.waitP99S);

const kinds = ["HPA", "KEDA", "thresholds", "Buildkite", "always max"];

/** Of each kind of rule: how many of its settings ours is better than in both, and how many are better than all of ours. */
export function verdicts({ ours, others }: Compared): string[] {
  return kinds.map((kind) => {
    const all = others.filter(({ name }) => name.startsWith(kind));
    const below = all.filter((other) => ours.some((mine) => dominates(mine, other))).length;
    const above = all.filter(
      (other) => ours.every((mine) => !dominates(mine, other)) && ours.some((mine) => dominates(other, mine)),
    ).length;
    return `${kind}: ${below} of ${all.length} settings dominated, ${above} dominate one of ours`;
  });
}

const line = (score: Score & Partial<ComparedScore>, leastDollars: number): string => {
  const { name, dollars, waitP50S, waitP99S, launches, most, under, over, underTime, overTime } = score;
  const { clairvoyantDollars: best, leakedMinutes, instability } = score;
  return [
    name.padEnd(32),
    `$${dollars.toFixed(2)}`.padStart(8),
    `${(dollars / leastDollars).toFixed(2)}x`.padStart(7),
    `${Math.round(waitP50S)} s`.padStart(8),
    `${Math.round(waitP99S)} s`.padStart(8),
    String(launches).padStart(8),
    String(most).padStart(5),
    `${under.toFixed(0)}/${over.toFixed(0)}`.padStart(9),
    `${underTime.toFixed(0)}/${overTime.toFixed(0)}`.padStart(8),
    instability.toFixed(0).padStart(8),
    (leakedMinutes === undefined ? "-" : String(leakedMinutes)).padStart(6),
    best == null ? "" : `${(dollars / best).toFixed(2)}x`.padStart(8),
    score.volunteered ? `${(100 * score.volunteered).toFixed(0)} % by volunteers` : "",
  ].join(" ");
};

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      trace: { type: "string" },
      hours: { type: "string", default: "8" },
      seed: { type: "string", default: "1" },
      policy: { type: "string", multiple: true, default: ["reactive"] },
      volunteers: { type: "string", default: "0" },
      drain: { type: "string", multiple: true },
      faults: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
    },
  });
  const names = values.trace === undefined ? Object.keys(traces) : [values.trace];
  const sweep = values.drain?.map((drain): [number, number] => [Number(drain), 0]);
  const all: Compared[] = [];
  for (const name of names) {
    const lengthS = Number(values.hours) * hourS;
    const volunteers = Number(values.volunteers);
    const policies = values.policy.map((policy) => policySchema.parse(policy));
    const compared = await compare(name, Number(values.seed), lengthS, {
      sweep,
      policies,
      volunteers,
      faults: values.faults,
    });
    all.push(compared);
    if (values.json) continue;
    const { coreSeconds, leastDollars, ours, others } = compared;
    console.log(
      `\n${name} (synthetic, seed ${values.seed}): ${coreSeconds} core-seconds, worth $${leastDollars.toFixed(2)}`,
    );
    console.log(
      "                                    cost  x least wait p50 wait p99 launches most under/over % of time unstable leaked  x best",
    );
    for (const score of [...ours, ...others]) console.log(line(score, leastDollars));
    for (const verdict of verdicts(compared)) console.log(verdict);
  }
  if (values.json) console.log(JSON.stringify(all, null, 2));
}
