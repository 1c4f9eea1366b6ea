/** Runs seeds, gathers what they covered, and names the seed that fails. */
import { World, type WorldOptions } from "./world.ts";

export interface Coverage {
  runs: number;
  events: number;
  virtualHours: number;
  acknowledged: number;
  jobs: number;
  healedMsMax: number;
  kinds: Map<string, number>;
}

export function explore(seeds: Iterable<number>, options: Omit<WorldOptions, "seed"> = {}): Coverage {
  const found: Coverage = {
    runs: 0,
    events: 0,
    virtualHours: 0,
    acknowledged: 0,
    jobs: 0,
    healedMsMax: 0,
    kinds: new Map(),
  };
  for (const seed of seeds) {
    const world = new World({ ...options, seed });
    try {
      world.run();
    } catch (error) {
      const at = `at ${(world.timeline.now / 1_000).toFixed(3)} s of virtual time`;
      throw new Error(`SIM_SEED=${seed} replays this, ${at}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
    found.runs++;
    found.events += world.coordinator.steps;
    found.virtualHours += world.timeline.now / 3_600_000;
    found.acknowledged += world.client.acknowledged;
    found.jobs += world.record.jobs.size;
    found.healedMsMax = Math.max(found.healedMsMax, world.healedMs);
    for (const [kind, count] of world.kinds) found.kinds.set(kind, (found.kinds.get(kind) ?? 0) + count);
  }
  return found;
}

export function report({ runs, events, virtualHours, acknowledged, jobs, healedMsMax, kinds }: Coverage): string {
  const lines = [...kinds].sort(([a], [b]) => a.localeCompare(b)).map(([kind, count]) => `  ${count} x ${kind}`);
  return [
    `${runs} runs: ${events} events of the core, ${virtualHours.toFixed(1)} h of virtual time, ${jobs} jobs,`,
    `${acknowledged} acknowledged results; at most ${(healedMsMax / 1_000).toFixed(0)} s from the last fault to the last job`,
    ...lines,
  ].join("\n");
}
