/**
 * Instances under a rule that is somebody else's, second by second: the same machines, the same boot time and the same
 * way of working as the world that our autoscaler runs in (server/autoscaler/testing/world.ts).
 */
import { type Arrival, coresOnline, type Stay } from "./traces.ts";

export interface Machines {
  cores: number;
  bootS: number;
  dollarsPerHour: number;
  max: number;
}

/** What a rule may look at. Instances include those that boot. */
export interface Look {
  atS: number;
  instances: number;
  ready: number;
  /** Busy cores over cores of those that are ready. */
  utilisation: number;
  jobs: number;
  coreSeconds: number;
}

/** How many instances there should be; asked each `everyS`. */
export interface Rule {
  name: string;
  everyS: number;
  wanted(look: Look): number;
}

export interface Score {
  name: string;
  dollars: number;
  waitP50S: number;
  waitP99S: number;
  launches: number;
  most: number;
  /** When all was done, or at the latest. */
  endS: number;
  /** Work that was not done then. */
  leftCoreSeconds: number;
  /** SPEC elasticity, in percent: how far below and above demand, and for how much of the time. */
  under: number;
  over: number;
  underTime: number;
  overTime: number;
  /** SPEC's too, in percent: minutes in which supply did not move the way that demand did. */
  instability: number;
}

/** Whoever has work left when the time is over goes on until it is done, and pays for it: so long at most. */
export const overtimeS = 6 * 3_600;

/** What is to be done, and who helps for nothing. */
export interface Scene {
  arrivals: readonly Arrival[];
  volunteers: readonly Stay[];
  /** Copies of a grain that volunteers compute for one that counts. */
  replication: number;
  lengthS: number;
}

/** Core-seconds that volunteers can do in each second, as far as they count. */
export const volunteered = ({ volunteers, replication, lengthS }: Scene): Float64Array =>
  Float64Array.from(coresOnline(volunteers, lengthS + overtimeS), (cores) => cores / replication);

interface Job {
  atS: number;
  left: number;
}

export function runRule(rule: Rule, scene: Scene, machines: Machines): Score {
  const { arrivals, lengthS } = scene;
  const helped = volunteered(scene);
  const { cores, bootS, dollarsPerHour, max } = machines;
  let readyAt: number[] = [];
  const open: Job[] = [];
  const waits: number[] = [];
  const elasticity = new Elasticity();
  let [next, seconds, launches, most, busy, atS] = [0, 0, 0, 0, 0, 0];
  for (; atS < lengthS || (open.length > 0 && atS < lengthS + overtimeS); atS++) {
    while (next < arrivals.length && (arrivals[next] as Arrival).atS <= atS) {
      open.push({ atS, left: (arrivals[next++] as Arrival).coreSeconds });
    }
    const ready = readyAt.filter((at) => at <= atS).length;
    if (atS % rule.everyS === 0) {
      const coreSeconds = open.reduce((sum, { left }) => sum + left, 0);
      const utilisation = ready === 0 ? 0 : busy / (ready * cores);
      const wanted = rule.wanted({
        atS,
        instances: readyAt.length,
        ready,
        utilisation,
        jobs: open.length,
        coreSeconds,
      });
      const target = Math.min(max, Math.max(0, Math.round(wanted)));
      for (let more = target - readyAt.length; more > 0; more--) {
        readyAt.push(atS + bootS);
        launches++;
      }
      // Those that boot go first.
      if (readyAt.length > target) readyAt = readyAt.sort((a, b) => a - b).slice(0, target);
    }
    const working = readyAt.filter((at) => at <= atS).length;
    const done = (job: Job): void => void waits.push(atS + 1 - job.atS);
    busy = work(open, working, cores, done);
    work(open, 1, helped[atS] as number, done);
    elasticity.note(open.reduce((sum, { left }) => sum + left, 0) / 300 / cores, readyAt.length);
    seconds += readyAt.length;
    most = Math.max(most, readyAt.length);
  }
  const leftCoreSeconds = open.reduce((sum, { left }) => sum + left, 0);
  return {
    name: rule.name,
    dollars: (seconds / 3_600) * dollarsPerHour,
    ...waitsOf(waits),
    launches,
    most,
    endS: atS,
    leftCoreSeconds,
    ...elasticity.score(),
  };
}

/** Each instance works on the oldest job that has grains left, as many as it has cores. */
function work(open: Job[], instances: number, cores: number, done: (job: Job) => void): number {
  let busy = 0;
  for (let instance = 0; instance < instances; instance++) {
    const [job] = open;
    if (!job) break;
    const grains = Math.min(cores, job.left);
    job.left -= grains;
    busy += grains;
    if (job.left > 0) continue;
    done(job);
    open.shift();
  }
  return busy;
}

export function waitsOf(waits: readonly number[]): { waitP50S: number; waitP99S: number } {
  const sorted = [...waits].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { waitP50S: at(0.5), waitP99S: at(0.99) };
}

/** Demand is what would end the queue in five minutes, in instances. */
export class Elasticity {
  #n = 0;
  #under = 0;
  #over = 0;
  #underTime = 0;
  #overTime = 0;
  #minutes = 0;
  #unstable = 0;
  #last: { demand: number; supplied: number } | null = null;

  /** Once a second. */
  note(demanded: number, supplied: number): void {
    const demand = Math.max(1, Math.ceil(demanded));
    this.#n++;
    this.#under += Math.max(0, demand - supplied) / demand;
    this.#over += Math.max(0, supplied - demand) / demand;
    if (supplied < demand) this.#underTime++;
    if (supplied > demand) this.#overTime++;
    if (this.#n % 60 !== 0) return;
    if (this.#last) {
      this.#minutes++;
      if (Math.sign(demand - this.#last.demand) !== Math.sign(supplied - this.#last.supplied)) this.#unstable++;
    }
    this.#last = { demand, supplied };
  }

  score(): Pick<Score, "under" | "over" | "underTime" | "overTime" | "instability"> {
    const percent = (sum: number): number => (100 * sum) / Math.max(1, this.#n);
    return {
      under: percent(this.#under),
      over: percent(this.#over),
      underTime: percent(this.#underTime),
      overTime: percent(this.#overTime),
      instability: (100 * this.#unstable) / Math.max(1, this.#minutes),
    };
  }
}
