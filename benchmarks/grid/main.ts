/** `npm run bench:grid [-- --quick] [--profile]`: measures, prints the tables, and writes them as JSON. */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { report } from "./report.ts";
import { fullPlan, measureAll, quickPlan } from "./suite.ts";
import { measureCell } from "./throughput.ts";

const help = `Usage: npm run bench:grid [-- options]
  --rounds=N          of the whole measurement; tables show medians (default 3)
  --quick             a short run, whose figures mean little
  --profile N,S       one cell (N nodes, slices of S tasks) with a CPU profile of the coordinator in .cache/profiles`;

async function main(args: string[]): Promise<number> {
  if (args.includes("--help")) {
    console.log(help);
    return 0;
  }
  const unknown = args.find(
    (arg) => arg !== "--quick" && arg !== "--profile" && !/^(?:\d+,\d+|--rounds=[1-9])$/.test(arg),
  );
  if (unknown !== undefined) {
    console.error(`Unknown argument ${unknown}.\n${help}`);
    return 2;
  }
  if (args.includes("--profile")) return profile(args.find((arg) => /^\d+,\d+$/.test(arg)) ?? "100,1");
  const quick = args.includes("--quick");
  const rounds = args.find((arg) => arg.startsWith("--rounds="))?.slice("--rounds=".length);
  const chosen = quick ? quickPlan : fullPlan;
  const plan = rounds === undefined ? chosen : { ...chosen, rounds: Number(rounds) };
  const startedAt = new Date().toISOString();
  const measured = await measureAll(plan, (line) => console.error(line));
  console.log(`\n${report(measured)}`);
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, memoryBytes: totalmem() };
  const system = { platform: process.platform, release: release(), node: process.version };
  const folder = fileURLToPath(new URL("../results/", import.meta.url));
  mkdirSync(folder, { recursive: true });
  const file = `${folder}grid-${startedAt.slice(0, 10)}${quick ? "-quick" : ""}.json`;
  const text = JSON.stringify({ startedAt, machine, system, plan, ...measured }, rounded, 2);
  writeFileSync(file, `${text}\n`);
  console.log(`\nWritten to ${file}`);
  return measured.failures.length === 0 ? 0 : 1;
}

const rounded = (_key: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

async function profile(which: string): Promise<number> {
  const [nodes, slice] = which.split(",").map(Number) as [number, number];
  const folder = fileURLToPath(new URL("../../.cache/profiles/", import.meta.url));
  const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}`];
  const tasks = fullPlan.tasks[slice] ?? slice * 10_000;
  console.log(await measureCell({ nodes, slice, tasks, sign: false, frames: "turn" }, flags));
  console.log(`Profiles are in ${folder}; open them in a browser's developer tools.`);
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
