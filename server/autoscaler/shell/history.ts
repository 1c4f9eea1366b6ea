/**
 * What paid work arrived, what volunteers gave and how many instances there were, in steps of five minutes for four
 * weeks, on record; and, where a forecaster is there, what it had expected for each step before it came.
 */
import type { Observation } from "../model.ts";
import type { ArrivalPoint, Arrivals } from "./ports.ts";
import { type DocumentWrite, put, type Records, rooms } from "./records.ts";

export const historyStepMs = 300_000;
/** Four weeks. */
const pointsMax = (28 * 86_400_000) / historyStepMs;

export interface ForecastInput {
  /** Steps that are over, oldest first; steps of which nothing is known are missing. */
  points: readonly ArrivalPoint[];
  stepMs: number;
  nowMs: number;
  leadMs: number;
}

/** Core-seconds per second that will arrive over the lead time, at the quantile that the costs suggest. Pure. */
export type Forecaster = (input: ForecastInput) => Observation["arrivals"];

interface Step {
  startMs: number;
  arrived: number;
  looks: number;
  neededRate: number;
  volunteerRate: number;
  have: number;
  expected: number | null;
}

export class History implements Arrivals {
  #points: ArrivalPoint[] = [];
  #step: Step | null = null;
  #expected: number | null = null;
  #writes: DocumentWrite[] = [];

  constructor(private readonly forecaster: Forecaster | null = null) {}

  async load(records: Records): Promise<void> {
    const documents = await records.documents(rooms.history);
    this.#points = documents.map(({ value }) => JSON.parse(value) as ArrivalPoint).sort((a, b) => a.atMs - b.atMs);
    this.#writes = [];
  }

  observe(look: { atMs: number; arrived: number; neededRate: number; volunteerRate: number; have: number }): void {
    const startMs = Math.floor(look.atMs / historyStepMs) * historyStepMs;
    if (this.#step && this.#step.startMs !== startMs) this.#close(this.#step);
    this.#step ??= {
      ...{ startMs, arrived: 0, looks: 0, neededRate: 0, volunteerRate: 0, have: 0 },
      expected: this.#expected,
    };
    const step = this.#step;
    step.looks++;
    step.arrived += look.arrived;
    step.neededRate += look.neededRate;
    step.volunteerRate += look.volunteerRate;
    step.have += look.have;
  }

  expect(nowMs: number, leadMs: number): Observation["arrivals"] {
    if (!this.forecaster) return { rate: 0, source: "none" };
    const expected = this.forecaster({ points: this.#points, stepMs: historyStepMs, nowMs, leadMs });
    this.#expected = expected.source === "forecast" ? expected.rate : null;
    return expected;
  }

  points(): ArrivalPoint[] {
    return this.#points;
  }

  takeWrites(): DocumentWrite[] {
    const writes = this.#writes;
    this.#writes = [];
    return writes;
  }

  #close(step: Step): void {
    this.#step = null;
    const point: ArrivalPoint = {
      atMs: step.startMs,
      arrived: step.arrived / (historyStepMs / 1000),
      expected: step.expected,
      needed_rate: step.neededRate / step.looks,
      volunteer_rate: step.volunteerRate / step.looks,
      have: step.have / step.looks,
    };
    // A clock that was set back writes over what it had written.
    this.#points = this.#points.filter(({ atMs }) => atMs !== point.atMs);
    this.#points.push(point);
    this.#writes.push(put(rooms.history, keyOf(point.atMs), point));
    while (this.#points.length > pointsMax) {
      const oldest = this.#points.shift() as ArrivalPoint;
      this.#writes.push(put(rooms.history, keyOf(oldest.atMs), null));
    }
  }
}

const keyOf = (ms: number): string => new Date(ms).toISOString();
