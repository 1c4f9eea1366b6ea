/** `npm run bench:tab [-- --quick] [--no-gpu]`: measures a real tab in Chromium, prints the table, and writes it as JSON. */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { findChromium } from "../../scripts/chromium.mjs";
import { report } from "./report.ts";
import { fullPlan, measureTab, quickPlan } from "./suite.ts";

const help = `Usage: npm run bench:tab [-- options]
  --quick    short windows, once each: shows that everything runs; its figures mean little
  --no-gpu   leaves the software adapter out`;

const resultsFile = "../results/tab-latest.json";
const quickFile = "../../.cache/bench/tab-quick.json";

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
  const chosen = quick ? quickPlan : fullPlan;
  const plan = { ...chosen, gpu: chosen.gpu && !args.includes("--no-gpu") };
  const startedAt = new Date().toISOString();
  const load = loadavg()[0];
  const browser = execFileSync(await findChromium(), ["--version"], { encoding: "utf8" }).trim();
  const rows = await measureTab(plan, (line) => console.error(line));
  console.log(`\n${report(rows)}`);
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), load };
  const system = { platform: process.platform, release: release(), node: process.version, browser };
  const file = fileURLToPath(new URL(quick ? quickFile : resultsFile, import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, system, plan, rows }, rounded, 2)}\n`);
  console.log(`\nWritten to ${file}`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
