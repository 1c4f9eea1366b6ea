/**
 * What will arrive over the lead time: the median of those candidates that did better than the last value so far, with an
 * upper bound at the quantile that the costs suggest. It watches for days before it is heard, is heard only while it
 * beats the last value, and not for the next window after it was clearly wrong. It can only raise capacity: what is
 * queued already is bought for in any case.
 */
import type { Observation } from "../model.ts";
import type { Forecaster } from "../shell/history.ts";
import { Bound } from "./bounds.ts";
import { type Candidate, candidates, day } from "./candidates.ts";

export interface ForecastOptions {
  /** Cost of a core-second that is missing, over that of one that is idle. */
  shortOverIdle: number;
  /** Steps that it watches before it is heard. */
  shadowSteps: number;
}

export const forecastDefaults: ForecastOptions = { shortOverIdle: 4, shadowSteps: 3 * day };

/** The share of steps in which as much is held ready as will come (newsvendor). */
export const newsvendor = (shortOverIdle: number): number =>
  Math.min(0.95, Math.max(0.5, shortOverIdle / (shortOverIdle + 1)));

/** Lead times are one to three steps. */
const aheadMax = 3;
/** Errors count with a memory of about three days. */
const memory = 1 / (3 * day);
/** Half an hour: what was wrong for so long is not heard for as long. */
const windowSteps = 6;
const wrongBy = 1.5;
/** Better than the last value by so much, or it is not worth hearing. */
const betterBy = 0.95;
/** Steps that a candidate must have been held against. */
const tried = 24;

class Errors {
  count = 0;
  mean = 0;

  learn(error: number): void {
    this.count++;
    this.mean += (error - this.mean) * Math.max(memory, 1 / this.count);
  }
}

interface Said {
  each: (number | null)[];
  combined: number;
  bound: number | null;
}

/** Forecasts `ahead` steps, held against what came. */
class Track {
  readonly #errors: Errors[];
  readonly #combined = new Errors();
  readonly #said = new Map<number, Said>();
  readonly #bound: Bound;
  /** Errors of the last steps: of the combination and of the last value. */
  readonly #recent: [number, number][] = [];
  #deafUntil = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly all: readonly Candidate[],
    private readonly ahead: number,
    private readonly options: ForecastOptions,
  ) {
    this.#errors = all.map(() => new Errors());
    this.#bound = new Bound(newsvendor(options.shortOverIdle));
  }

  /** Before the candidates learn it. */
  judge(value: number, step: number): void {
    const said = this.#said.get(step);
    this.#said.delete(step);
    for (const due of this.#said.keys()) if (due < step) this.#said.delete(due);
    const [last = null] = said?.each ?? [];
    if (!said || last === null) return;
    for (const [at, forecast] of said.each.entries())
      if (forecast !== null) this.#errors[at]?.learn(Math.abs(value - forecast));
    this.#combined.learn(Math.abs(value - said.combined));
    this.#bound.learn(said.combined, said.bound, value);
    this.#recent.push([Math.abs(value - said.combined), Math.abs(value - last)]);
    if (this.#recent.length > windowSteps) this.#recent.shift();
    const [mine, plain] = this.#recent.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    if (this.#recent.length === windowSteps && mine > wrongBy * plain) this.#deafUntil = step + windowSteps;
  }

  /** After they learnt it. */
  say(step: number): void {
    const each = this.all.map((candidate) => candidate.predict(this.ahead));
    const combined = this.#combine(each);
    const margin = this.#bound.margin();
    this.#said.set(step + this.ahead, { each, combined, bound: margin === null ? null : combined + margin });
  }

  /** The upper bound for the step `ahead` of `step`; null while it is not to be heard. */
  heard(step: number): number | null {
    const said = this.#said.get(step + this.ahead);
    const isProven =
      this.#combined.count >= this.options.shadowSteps && this.#combined.mean < betterBy * (this.#errors[0]?.mean ?? 0);
    return isProven && step >= this.#deafUntil ? (said?.bound ?? null) : null;
  }

  #combine(each: readonly (number | null)[]): number {
    const [plain] = this.#errors as [Errors];
    const better = each.filter((forecast, at): forecast is number => {
      const errors = this.#errors[at] as Errors;
      return at > 0 && forecast !== null && errors.count >= tried && errors.mean < plain.mean;
    });
    if (better.length === 0) return each[0] ?? 0;
    const sorted = better.sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    const median =
      sorted.length % 2 === 1
        ? (sorted[middle] as number)
        : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
    return Math.max(0, median);
  }
}

/** Learns each step once; keeps what it learnt, so that a look costs nothing. */
export function forecaster(given: Partial<ForecastOptions> = {}): Forecaster {
  const options = { ...forecastDefaults, ...given };
  let all = candidates(aheadMax);
  let tracks = all.length > 0 ? makeTracks(all, options) : [];
  let last = Number.NEGATIVE_INFINITY;
  /** Largest of the last week: nothing beyond it is believed. */
  let highest: [step: number, value: number][] = [];

  const learn = (value: number, step: number): void => {
    for (const track of tracks) track.judge(value, step);
    for (const candidate of all) candidate.learn(value, step);
    for (const track of tracks) track.say(step);
    highest = highest.filter(([at, most]) => at > step - 7 * day && most > value);
    highest.push([step, value]);
    last = step;
  };

  return ({ points, stepMs, nowMs, leadMs }): Observation["arrivals"] => {
    const stepOf = (ms: number): number => Math.floor(ms / stepMs);
    const newest = points.at(-1);
    if (!newest) return { rate: 0, source: "none" };
    // A clock that was set back: what was learnt is of another time.
    if (stepOf(newest.atMs) < last) {
      all = candidates(aheadMax);
      tracks = makeTracks(all, options);
      highest = [];
      last = Number.NEGATIVE_INFINITY;
    }
    for (const { atMs, arrived } of points) if (stepOf(atMs) > last) learn(arrived, stepOf(atMs));
    const ahead = Math.min(aheadMax, Math.max(1, stepOf(nowMs + leadMs) - last));
    // After a gap what it knows is too old.
    if (stepOf(nowMs) - last > aheadMax) return { rate: 0, source: "none" };
    const heard = tracks[ahead - 1]?.heard(last) ?? null;
    if (heard === null) return { rate: 0, source: "none" };
    const most = highest[0]?.[1] ?? 0;
    return { rate: Math.min(most, Math.max(0, heard)), source: "forecast" };
  };
}

const makeTracks = (all: readonly Candidate[], options: ForecastOptions): Track[] =>
  Array.from({ length: aheadMax }, (_, at) => new Track(all, at + 1, options));
