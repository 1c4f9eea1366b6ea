/** The whole measurement, in an order in which nothing disturbs what follows. */
import { availableParallelism } from "node:os";
import { measureSmoothness, type Smoothness } from "./blocking.ts";
import { type FirstSlice, measureFirstSlice, measureTransfer, type Transfer } from "./first.ts";
import { type Leaving, measureLeaving, type Way } from "./leaving.ts";
import { measureStops, type Stopping, states } from "./stopping.ts";
import { measureThroughput, type Throughput, type ThroughputPlan } from "./throughput.ts";

export interface Plan {
  throughput: ThroughputPlan[];
  /** Visits of which the median is told. */
  firstVisits: number;
  transfer: boolean;
  /** Computing before each leaving, in milliseconds: spread over the time between two results, which is five seconds. */
  leaving: { way: Way; computeMs: number[] }[];
  stops: { states: string[]; times: number };
  /** Of each stretch in which the page's main thread is watched; 0 leaves it out. */
  smoothMs: number;
}

export interface Measured {
  throughput: Throughput[];
  first: FirstSlice[];
  transfer: Transfer[];
  leaving: Leaving[];
  stops: Stopping[];
  smoothness: Smoothness[];
  /** What could not be measured, and why. */
  failures: string[];
}

/** Every phase of the five seconds is met about as often. */
const spread = [11_000, 12_100, 13_200, 14_300, 15_400];

export const fullPlan: Plan = {
  throughput: [
    { backend: "wasm", rounds: 4, windowMs: 30_000, longHiddenMs: 330_000 },
    { backend: "webgpu", rounds: 2, windowMs: 30_000, longHiddenMs: 0 },
  ],
  firstVisits: 5,
  transfer: true,
  leaving: [
    { way: "close", computeMs: spread },
    { way: "reload", computeMs: spread },
    { way: "renderer killed", computeMs: spread.slice(0, 3) },
    { way: "browser killed", computeMs: spread.slice(0, 3) },
    { way: "silent", computeMs: spread.slice(0, 2) },
  ],
  stops: { states: states.map(({ name }) => name), times: 3 },
  smoothMs: 30_000,
};

export const quickPlan: Plan = {
  throughput: [{ backend: "wasm", rounds: 1, windowMs: 5_000, longHiddenMs: 0 }],
  firstVisits: 1,
  transfer: true,
  leaving: [
    { way: "close", computeMs: [6_000] },
    { way: "reload", computeMs: [6_000] },
  ],
  stops: { states: states.map(({ name }) => name), times: 1 },
  smoothMs: 4_000,
};

/** What a test can wait for: one leaving, one stop, one visit. */
export const smokePlan: Plan = {
  throughput: [],
  firstVisits: 0,
  transfer: true,
  leaving: [{ way: "close", computeMs: [2_000] }],
  stops: { states: ["computing, CPU"], times: 1 },
  smoothMs: 0,
};

/** A part that fails is told, and takes nothing of the others with it. */
export async function measureAll(plan: Plan, tell: (line: string) => void): Promise<Measured> {
  const failures: string[] = [];
  const attempt = async <T>(what: string, measure: () => Promise<T>): Promise<T[]> => {
    try {
      return [await measure()];
    } catch (error) {
      failures.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
      tell(`FAILED ${failures.at(-1)}`);
      return [];
    }
  };
  const first: FirstSlice[] = [];
  for (let visit = 0; visit < plan.firstVisits; visit++) {
    first.push(...(await attempt("first visit", measureFirstSlice)));
    tell(`First slice accepted ${first.at(-1)?.fromUrlMs} ms after the navigation`);
  }
  const transfer = plan.transfer ? (await attempt("transfer", measureTransfer)).flat() : [];
  const stops: Stopping[] = [];
  for (const state of plan.stops.states) {
    stops.push(...(await attempt(`Stop while ${state}`, () => measureStops([state], plan.stops.times, tell))).flat());
  }
  const leaving: Leaving[] = [];
  for (const { way, computeMs } of plan.leaving) {
    for (const ms of computeMs) {
      for (const one of await attempt(way, () => measureLeaving(way, ms))) {
        leaving.push(one);
        tell(`${way}: lost ${one.lostSeconds.toFixed(2)} s, leases free after ${Math.round(one.freedMs)} ms`);
      }
    }
  }
  const smooth = (): Promise<Smoothness[]> => measureSmoothness(plan.smoothMs, availableParallelism());
  const smoothness = plan.smoothMs > 0 ? (await attempt("main thread", smooth)).flat() : [];
  const throughput: Throughput[] = [];
  for (const one of plan.throughput) {
    throughput.push(...(await attempt(`throughput, ${one.backend}`, () => measureThroughput(one, tell))));
  }
  return { throughput, first, transfer, leaving, stops, smoothness, failures };
}
