/**
 * `npm run bench:attacks`: what an attack costs honest work. Small jobs are submitted one after the other, an own node
 * computes them, and the time from submission to the right answer is taken: in peace, under each attack, in peace again.
 * The attacker is a process of its own on the same machine, so its CPU is taken from the coordinator too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { AttackedGrid } from "../../test/attacks/grid.ts";

const jobs = process.argv.includes("--quick") ? 40 : 300;
const kinds = [
  "a flood of pings",
  "endless empty fragments",
  "heartbeats and progress",
  "results of nobody's lease, instantly",
  "joining and leaving",
  "a flood of handshakes",
  "slow headers, 2,000 connections",
];

interface Times {
  p50: number;
  p99: number;
}

async function measure(grid: AttackedGrid): Promise<Times> {
  const times: number[] = [];
  for (let job = 0; job < jobs; job++) times.push(await grid.answerMs());
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(share * times.length))] as number;
  return { p50: at(0.5), p99: at(0.99) };
}

const attack = (kind: string, url: string): ChildProcess =>
  spawn(process.execPath, ["--import", "tsx", fileURLToPath(new URL("attacker.ts", import.meta.url)), kind, url], {
    stdio: ["ignore", "ignore", "inherit"],
  });
/** Without a node of its own it keeps a core busy: what a neighbour costs that attacks nobody. */
const burn = (): ChildProcess => spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });

console.log(
  `${cpus()[0]?.model ?? "?"}, ${availableParallelism()} cores, Node ${process.version}; ${jobs} jobs a line`,
);
const grid = new AttackedGrid(["--new-identities", "1000000"]);
await grid.start();
await grid.ownNode();
for (let job = 0; job < 50; job++) await grid.answerMs();
let peace = await measure(grid);
const line = (name: string, { p50, p99 }: Times, rss: number): void =>
  console.log(
    `| ${name.padEnd(38)} | ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${(p50 / peace.p50).toFixed(2)}x | ${(p99 / peace.p99).toFixed(2)}x | ${(rss / 2 ** 20).toFixed(0)} MiB |`,
  );
console.log("|  | p50 ms | p99 ms | p50 | p99 | grown |");
console.log("|---|---|---|---|---|---|");
line("in peace", peace, 0);
for (const kind of [null, ...kinds]) {
  const child = kind === null ? burn() : attack(kind, grid.url);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  let found: Times | null = null;
  const grown = await grid.growthOf(async () => {
    found = await measure(grid);
  });
  child.kill("SIGKILL");
  line(kind ?? "a busy neighbour, no attack", found as unknown as Times, grown);
  await new Promise((resolve) => setTimeout(resolve, 2_000));
}
const after = await measure(grid);
line("in peace again", after, 0);
peace = after;
await grid.end();
process.exit(0);
