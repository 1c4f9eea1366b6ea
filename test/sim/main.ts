/** Long runs on demand: `npm run sim -- [--scenario faults|sabotage|autoscale] [--seed 7] ...`; each scenario names its options. */
import { parseArgs } from "node:util";

const scenarios: Record<string, () => Promise<{ main(args: string[]): Promise<void> }>> = {
  faults: () => import("./faults.ts"),
  sabotage: () => import("./sabotage/table.ts"),
  autoscale: () => import("./autoscale/table.ts"),
};

const { values, tokens } = parseArgs({
  options: { scenario: { type: "string", default: "faults" } },
  strict: false,
  tokens: true,
});
const scenario = scenarios[String(values.scenario)];
if (!scenario) {
  console.error(`There is no scenario ${values.scenario}. Scenarios: ${Object.keys(scenarios).join(", ")}.`);
  process.exitCode = 2;
} else {
  const own = tokens.find((token) => token.kind === "option" && token.name === "scenario");
  const args = process.argv.slice(2);
  if (own) args.splice(own.index, own.kind === "option" && own.inlineValue === false ? 2 : 1);
  await (await scenario()).main(args);
}
