/** Checks that all contenders compute the same, then measures them by turns, and compares each with WASM SIMD. */
import type { Absent, Case, Contender, Timed } from "./contender.ts";

export interface Spread {
  median: number;
  min: number;
  max: number;
}

export interface Row {
  name: string;
  about: string;
  clock: "wall" | "cpu";
  cpuMs: Spread;
  wallMs: Spread;
  /** Operations per second of its own clock, from the median. */
  perSecond: number;
  /** Speed over that of WASM SIMD in the same set, each by the row's own clock. */
  ratio: Spread;
}

export interface CaseResult {
  name: string;
  unit: string;
  operations: number;
  sets: number;
  rows: (Row | Absent)[];
}

export interface Plan {
  /** Every contender once each, in an order that moves on from set to set. */
  sets: number;
  /** A case that has taken this long begins no further set, */
  budgetMs: number;
  /** once it has so many. */
  setsMin: number;
  /** Runs before the first set: engines compile hot code anew, and the GPU's runner learns its pace. */
  warmUps: number;
}

const isContender = (one: Contender | Absent): one is Contender => "run" in one;

/** The first contender is what the others are compared with. Throws where two disagree. */
export async function measureCase(one: Case, all: (Contender | Absent)[], plan: Plan): Promise<CaseResult> {
  const contenders = all.filter(isContender);
  const startedMs = performance.now();
  await checkEqual(one, contenders);
  const runs = new Map<Contender, Timed[]>(contenders.map((contender) => [contender, []]));
  for (const contender of contenders)
    for (let warm = 0; warm < plan.warmUps; warm++) await contender.run(partOf(one, contender));
  let sets = 0;
  for (; sets < plan.sets; sets++) {
    if (sets >= plan.setsMin && performance.now() - startedMs > plan.budgetMs) break;
    const turn = sets % contenders.length;
    for (const contender of [...contenders.slice(turn), ...contenders.slice(0, turn)])
      runs.get(contender)?.push(await contender.run(partOf(one, contender)));
  }
  const base = runs.get(contenders[0] as Contender) as Timed[];
  const rows = all.map((row) =>
    isContender(row) ? rowOf(partOf(one, row), row, runs.get(row) as Timed[], base) : row,
  );
  return { name: one.name, unit: one.unit, operations: one.operations, sets, rows };
}

/** What a contender is given of a case. Throws where its share is no whole number of tasks. */
function partOf(one: Case, { name, share }: Contender): Case {
  const tasks = one.tasks * share;
  if (!Number.isInteger(tasks)) throw new Error(`${one.name}: ${one.tasks} tasks do not part into ${name}'s share.`);
  return { ...one, tasks, operations: one.operations * share };
}

async function checkEqual(one: Case, [first, ...others]: Contender[]): Promise<void> {
  if (!first) throw new Error("Nothing to measure.");
  for (const other of others) {
    const part = partOf(one, other);
    const expected = (await first.run(part)).partial;
    const { partial } = await other.run(part);
    const belief = one.workload.belief(one.payload, first.backend, other.backend);
    const reason = belief.disagreement(expected, partial);
    if (reason !== null) throw new Error(`${one.name}: ${other.name} differs from ${first.name}: ${reason}`);
  }
}

function rowOf(part: Case, { name, about, clock, share }: Contender, runs: Timed[], base: Timed[]): Row {
  const key = clock === "cpu" ? "cpuMs" : "wallMs";
  const [cpuMs, wallMs] = [spreadOf(runs.map((run) => run.cpuMs)), spreadOf(runs.map((run) => run.wallMs))];
  const own = clock === "cpu" ? cpuMs : wallMs;
  const ratio = spreadOf(runs.map((run, set) => ((base[set] as Timed)[key] * share) / run[key]));
  return { name, about, clock, cpuMs, wallMs, perSecond: (part.operations * 1000) / own.median, ratio };
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number) => sorted[index] ?? Number.NaN;
  const half = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
  return { median, min: at(0), max: at(sorted.length - 1) };
}
