/** Made arrivals of paid work, a day each: synthetic, and said to be. A job is cut into grains of a core-second. */
import { seeded } from "../../../server/autoscaler/testing/time.ts";

export interface Arrival {
  /** Seconds from the start. */
  atS: number;
  coreSeconds: number;
}

export const hourS = 3_600;
export const dayS = 24 * hourS;

/** From ten core-seconds to six hours, as many of each order of magnitude: most jobs are small, most work is in large ones. */
const [least, most] = [10, 20_000];
const mean = (most - least) / Math.log(most / least);

/** Jobs whose work comes in at `rate` core-seconds a second, by chance. */
function jobs(seed: number, lengthS: number, rate: (atS: number) => number): Arrival[] {
  const random = seeded(seed);
  const found: Arrival[] = [];
  for (let atS = 0; atS < lengthS; atS++) {
    if (random() < rate(atS) / mean) found.push({ atS, coreSeconds: Math.round(least * (most / least) ** random()) });
  }
  return found;
}

export type Trace = (seed: number, lengthS: number) => Arrival[];

export const traces: Readonly<Record<string, Trace>> = {
  diurnal: (seed, lengthS) => jobs(seed, lengthS, (at) => 22 - 18 * Math.cos((2 * Math.PI * at) / dayS)),
  bursty: (seed, lengthS) => {
    const random = seeded(seed + 1);
    // A burst begins once an hour or so and lasts ten minutes.
    let until = 0;
    const busy = Array.from({ length: lengthS }, (_, at) => {
      if (random() < 1 / 3_600) until = at + 600;
      return at < until;
    });
    return jobs(seed, lengthS, (at) => (busy[at] ? 80 : 2));
  },
  "square wave": (seed, lengthS) => jobs(seed, lengthS, (at) => (Math.floor(at / hourS) % 2 === 0 ? 40 : 2)),
  "flash crowd": (seed, lengthS) =>
    jobs(seed, lengthS, (at) => (at % dayS >= 12 * hourS && at % dayS < 13 * hourS ? 150 : 5)),
  "regime shift": (seed, lengthS) => jobs(seed, lengthS, (at) => (at < lengthS / 2 ? 5 : 50)),
  // A batch of work each time that instances have just been given back.
  adversarial: (seed, lengthS) => jobs(seed, lengthS, (at) => (at % 1_200 < 60 ? 150 : 0)),
};

/** Traces of days, for the policy that forecasts. */
export const longTraces: Readonly<Record<string, Trace>> = {
  // An hour of much work at noon for four days, and then each day at another time: who forecasts by the past is wrong.
  "false pattern": (seed, lengthS) => {
    const random = seeded(seed + 3);
    const days = Math.ceil(lengthS / dayS);
    const peaks = Array.from({ length: days }, (_, day) => (day < 4 ? 12 : Math.floor(random() * 24)));
    return jobs(seed, lengthS, (at) => (Math.floor((at % dayS) / hourS) === peaks[Math.floor(at / dayS)] ? 60 : 3));
  },
};

/** A volunteer who is online for a while. */
export interface Stay {
  fromS: number;
  toS: number;
  cores: number;
}

/** Half of the volunteers stay for ten minutes, half for two hours, on average: most of those who come soon leave. */
const [shortS, longS] = [600, 7_200];

/** Volunteers of two cores, `mean` at a time on average: most in the evening, fewest in the morning. */
export function stays(seed: number, lengthS: number, mean: number): Stay[] {
  const random = seeded(seed + 2);
  const drawn = (meanS: number): number => Math.ceil(-Math.log(1 - random()) * meanS);
  const perSecond = mean / ((shortS + longS) / 2);
  const found: Stay[] = [];
  // Before the start as well, so that as many are there as there would be.
  for (let atS = -4 * longS; atS < lengthS; atS++) {
    if (random() >= perSecond * (1 - 0.6 * Math.cos((2 * Math.PI * (atS - 8 * hourS)) / dayS))) continue;
    const toS = atS + drawn(random() < 0.5 ? shortS : longS);
    if (toS > 0) found.push({ fromS: Math.max(0, atS), toS, cores: 2 });
  }
  return found.sort((a, b) => a.fromS - b.fromS);
}

/** Cores of the volunteers who are online in each second. */
export function coresOnline(all: readonly Stay[], lengthS: number): Uint16Array {
  const change = new Int32Array(lengthS + 1);
  for (const { fromS, toS, cores } of all) {
    if (fromS >= lengthS) continue;
    change[fromS] = (change[fromS] as number) + cores;
    const end = Math.min(lengthS, toS);
    change[end] = (change[end] as number) - cores;
  }
  const online = new Uint16Array(lengthS);
  let cores = 0;
  for (let atS = 0; atS < lengthS; atS++) online[atS] = cores += change[atS] as number;
  return online;
}
