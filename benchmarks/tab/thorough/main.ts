/** `node scripts/queztl.cjs run benchmarks/tab/thorough/main.ts [--quick|--smoke]`: measures real tabs, prints the table, and writes it as JSON. Linux only. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { makeProfile, removeProfile, startChromium } from "./browser.ts";
import { report, rowsOf } from "./report.ts";
import { fullPlan, measureAll, quickPlan, smokePlan } from "./suite.ts";

const help = `Usage: node scripts/queztl.cjs run benchmarks/tab/thorough/main.ts [option]
  --quick    a short run, whose figures mean little
  --smoke    the shortest one, for tests`;

/** Not kept with the sources: nothing follows from it. */
const quickFile = (name: string): string => `../../../.cache/bench/tab-${name}.json`;

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(help);
    return 0;
  }
  const unknown = args.find((arg) => arg !== "--quick" && arg !== "--smoke");
  if (unknown !== undefined) {
    console.error(`Unknown argument ${unknown}.\n${help}`);
    return 2;
  }
  if (process.platform !== "linux") {
    console.error(
      "This benchmark reads the CPU time of a browser's threads from /proc, which Linux alone has. Run it there.",
    );
    return 2;
  }
  const short = args.includes("--smoke") ? "smoke" : args.includes("--quick") ? "quick" : null;
  const plan = short === "smoke" ? smokePlan : short === "quick" ? quickPlan : fullPlan;
  const startedAt = new Date().toISOString();
  const load = loadavg()[0];
  const browser = await versionOf();
  const measured = await measureAll(plan, (line) => console.error(line));
  console.log(`\n${report(measured)}`);
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem(), load };
  const system = { platform: process.platform, release: release(), node: process.version, browser };
  const relative = short === null ? `../../results/tab-thorough-${startedAt.slice(0, 10)}.json` : quickFile(short);
  const file = fileURLToPath(new URL(relative, import.meta.url));
  mkdirSync(dirname(file), { recursive: true });
  const text = JSON.stringify({ startedAt, machine, system, plan, rows: rowsOf(measured), ...measured }, rounded, 2);
  writeFileSync(file, `${text}\n`);
  console.log(`\nWritten to ${file}`);
  return measured.failures.length === 0 ? 0 : 1;
}

async function versionOf(): Promise<string> {
  const profile = makeProfile();
  const browser = await startChromium(profile);
  try {
    return (await browser.version()).product;
  } finally {
    await browser.end();
    removeProfile(profile);
  }
}

const rounded = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

process.exitCode = await main(process.argv.slice(2));
