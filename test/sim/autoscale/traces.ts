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
