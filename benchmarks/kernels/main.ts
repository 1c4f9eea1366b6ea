/** `npm run bench:kernels [-- --quick] [--no-gpu]`: compares, prints the table, and writes it as JSON. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { legend, report } from "./report.ts";
import { fullPlan, measureAll, quickPlan } from "./suite.ts";

const help = `Usage: npm run bench:kernels [-- options]
  --quick    small sizes, once each: shows that everything runs and agrees; its figures mean nothing
  --no-gpu   leaves the shaders out`;

const resultsFile = "../results/kernels-latest.json";
/** Not kept with the sources: nothing follows from it. */
const quickFile = "../../.cache/bench/kernels-quick.json";

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(help);
    return 0;
  }
  const unknown = args.find((arg) => arg !== "--quick" && arg !== "--no-gpu");
  if (unknown !== undefined) {
    console.error(`Unknown argument ${unknown}.\n${help}`);
    return 2;
  }
  const quick = args.includes("--quick");
  const plan = { ...(quick ? quickPlan : fullPlan), gpu: !args.includes("--no-gpu") };
  const startedAt = new Date().toISOString();
  const load = loadavg()[0];
  const cases = await measureAll(plan, (line) => console.error(line));
  console.log(`\n${report(cases)}\n\n${legend(cases)}`);
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), load };
  const system = { platform: process.platform, release: release(), node: process.version };
  const file = fileURLToPath(new URL(quick ? quickFile : resultsFile, import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, system, plan, cases }, rounded, 2)}\n`);
  console.log(`\nWritten to ${file}`);
  return 0;
}

const rounded = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

process.exitCode = await main(process.argv.slice(2));
