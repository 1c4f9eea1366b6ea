/**
 * The cheapest plan of who knows all arrivals and volunteers beforehand, as a linear programme (HiGHS): instances in each step, started as
 * seldom as pays, such that all work is done within a wait. Instances and jobs may be cut as finely as one likes, and work
 * may be done in the step in which it comes: no real plan is cheaper.
 */
import loadHighs from "highs";
import { type Machines, type Scene, volunteered } from "./fleet.ts";
import type { Arrival } from "./traces.ts";

const stepS = 30;

/**
 * Dollars of the cheapest plan in which all jobs end within `waitS` seconds, save the largest hundredth of them, which end
 * by the end of the trace. Throws Error where `machines.max` instances cannot do it.
 */
export async function clairvoyantDollars(scene: Scene, machines: Machines, waitS: number): Promise<number> {
  const { arrivals, lengthS } = scene;
  const { cores, bootS, dollarsPerHour, max } = machines;
  const steps = Math.ceil(lengthS / stepS);
  const { arrived, due } = sums(arrivals, steps, waitS);
  const helped = volunteered(scene);
  const free = Array.from({ length: steps }, (_, t) =>
    helped.subarray(t * stepS, (t + 1) * stepS).reduce((sum, done) => sum + done, 0),
  );
  const lines: string[] = [];
  // n: instances that compute; u: those started; s: core-seconds served so far.
  for (let t = 0; t < steps; t++) {
    const [before, served] = t === 0 ? ["", ""] : [` - n${t - 1}`, ` - s${t - 1}`];
    lines.push(`start${t}: u${t} - n${t}${before.replace("-", "+")} >= 0`);
    lines.push(`serve${t}: s${t}${served} - ${cores * stepS} n${t} <= ${free[t]}`);
  }
  const bounds = Array.from({ length: steps }, (_, t) => `${due[t]} <= s${t} <= ${arrived[t]}\n0 <= n${t} <= ${max}`);
  const seconds = Array.from({ length: steps }, (_, t) => `${stepS} n${t} + ${bootS} u${t}`);
  const programme = [
    ...["Minimize", ` seconds: ${seconds.join("\n + ")}`, "Subject To", ...lines],
    ...["Bounds", ...bounds, "End"],
  ];
  const highs = await loadHighs();
  const solved = highs.solve(programme.join("\n"));
  if (solved.Status !== "Optimal")
    throw new Error(`There is no plan that ends all within ${waitS} s: ${solved.Status}.`);
  return (solved.ObjectiveValue / 3_600) * dollarsPerHour;
}

/** Core-seconds that have come by the end of each step, and those that must be done by then. */
function sums(arrivals: readonly Arrival[], steps: number, waitS: number): { arrived: number[]; due: number[] } {
  const late = new Set(
    [...arrivals].sort((a, b) => b.coreSeconds - a.coreSeconds).slice(0, Math.floor(arrivals.length / 100)),
  );
  const arrived = new Array<number>(steps).fill(0);
  const due = new Array<number>(steps).fill(0);
  const add = (sums: number[], step: number, coreSeconds: number): void => {
    const at = Math.min(steps - 1, step);
    sums[at] = (sums[at] as number) + coreSeconds;
  };
  for (const arrival of arrivals) {
    add(arrived, Math.floor(arrival.atS / stepS), arrival.coreSeconds);
    // By the end of the step in which its time is over.
    add(due, late.has(arrival) ? steps : Math.ceil((arrival.atS + waitS) / stepS) - 1, arrival.coreSeconds);
  }
  for (const each of [arrived, due])
    for (let t = 1; t < steps; t++) each[t] = (each[t] as number) + (each[t - 1] as number);
  return { arrived, due };
}
