/** What people use today, as each is documented. */
import type { Look, Rule } from "./fleet.ts";

/** Highest of what was wanted lately. */
class Window {
  readonly #seen: [atS: number, wanted: number][] = [];

  constructor(private readonly lengthS: number) {}

  highest(atS: number, wanted: number): number {
    this.#seen.push([atS, wanted]);
    while ((this.#seen[0] as [number, number])[0] < atS - this.lengthS) this.#seen.shift();
    return Math.max(...this.#seen.map(([, each]) => each));
  }
}

/** At most doubled, or four more, in 15 s: the default of the autoscaling/v2 behaviour. */
const stepped = (instances: number, wanted: number): number => Math.min(wanted, Math.max(2 * instances, instances + 4));

/** Kubernetes HPA: ceil(n * utilisation / target), tolerance 0.1, scale-down by the highest of five minutes, at least one. */
export const hpa = (target: number): Rule => {
  const window = new Window(300);
  return {
    name: `HPA at ${target}`,
    everyS: 15,
    wanted({ atS, instances, utilisation }: Look) {
      const ratio = utilisation / target;
      const plain = Math.abs(ratio - 1) <= 0.1 ? instances : Math.ceil(Math.max(1, instances) * ratio);
      const wanted = Math.max(1, stepped(instances, plain));
      const highest = window.highest(atS, wanted);
      return wanted >= instances ? wanted : Math.min(instances, highest);
    },
  };
};

/** KEDA on the length of a queue: ceil(jobs / jobs per replica) through the HPA, to none after a cooldown of five minutes. */
export const keda = (jobsEach: number): Rule => {
  const window = new Window(300);
  let emptySince = 0;
  return {
    name: `KEDA at ${jobsEach} jobs`,
    everyS: 15,
    wanted({ atS, instances, jobs }: Look) {
      if (jobs > 0) emptySince = atS;
      if (atS - emptySince >= 300) return 0;
      const wanted = Math.max(1, stepped(instances, Math.ceil(jobs / jobsEach)));
      const highest = window.highest(atS, wanted);
      return wanted >= instances ? wanted : Math.min(instances, highest);
    },
  };
};

/** The thresholds of the user's document: above 0.85 so many more, below 0.3 so many fewer, then a pause. */
export const thresholds = (step: number, cooldownS = 300): Rule => {
  let quietUntil = 0;
  return {
    name: `thresholds by ${step}`,
    everyS: 15,
    wanted({ atS, instances, ready, utilisation, jobs }: Look) {
      if (instances === 0) return jobs > 0 ? step : 0;
      if (atS < quietUntil || ready < instances) return instances;
      const wanted = utilisation > 0.85 ? instances + step : utilisation < 0.3 ? instances - step : instances;
      if (wanted !== instances) quietUntil = atS + cooldownS;
      return Math.max(jobs > 0 ? 1 : 0, wanted);
    },
  };
};

/** Buildkite's agent scaler: an agent for each job, in instances; fewer only after the scale-in cooldown. */
export const buildkite = (agentsEach: number, scaleInS: number): Rule => {
  let lastOut = 0;
  return {
    name: `Buildkite ${agentsEach}/${scaleInS / 60} min`,
    everyS: 15,
    wanted({ atS, instances, jobs }: Look) {
      const wanted = Math.ceil(jobs / agentsEach);
      if (wanted >= instances) {
        if (wanted > instances) lastOut = atS;
        return wanted;
      }
      return atS - lastOut >= scaleInS ? wanted : instances;
    },
  };
};

export const alwaysMax = (max: number): Rule => ({ name: "always max", everyS: 15, wanted: () => max });

/** All with their parameters swept. */
export const rules = (max: number): Rule[] => [
  ...[0.5, 0.65, 0.8, 0.9].map(hpa),
  ...[0.1, 0.25, 0.5, 1, 2, 5].map(keda),
  ...[1, 3, 8].map((step) => thresholds(step)),
  ...(
    [
      [1, 600],
      [2, 600],
      [2, 3_600],
      [4, 600],
    ] as const
  ).map(([agents, scaleInS]) => buildkite(agents, scaleInS)),
  alwaysMax(max),
];
