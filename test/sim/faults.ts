/** The grid under faults, for as many seeds as are asked for: `--seeds 2000 [--from 1]`, or one: `--seed 7`. */
import { parseArgs } from "node:util";
import { explore, report } from "./explore.ts";

export async function main(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      seeds: { type: "string", default: "200" },
      from: { type: "string", default: "1" },
      seed: { type: "string" },
    },
  });
  const from = Number(values.seed ?? values.from);
  const count = values.seed === undefined ? Number(values.seeds) : 1;
  const started = performance.now();
  const found = explore(Array.from({ length: count }, (_, index) => from + index));
  console.log(report(found));
  console.log(`${((performance.now() - started) / 1_000).toFixed(1)} s`);
}
