/**
 * `npm run bench:scaling [-- --nodes=20 --rounds=5 --boots=3]`: how fast instances on this machine come and go, and what they take
 * of its memory. Every figure is of real processes: the coordinator and its workers.
 */
import { availableParallelism, cpus, loadavg } from "node:os";
import { bootParts } from "./boot.ts";
import { ScalingProgram, sleep } from "./program.ts";

const option = (name: string, otherwise: number): number => {
  const text = process.argv.find((arg) => arg.startsWith(`--${name}=`))?.split("=")[1];
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 500) throw new Error(`--${name} must be from 1 to 500.`);
  return value;
};

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;
const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

const local = (nodes: number): string[] => ["--scale-provider=local", `--max-nodes=${nodes}`];

/** One instance at a time: from the decision to its hello, and to its first accepted slice. */
async function firstSlices(rounds: number): Promise<void> {
  const program = new ScalingProgram(local(1));
  const hello: number[] = [];
  const slice: number[] = [];
  try {
    await program.until("the coordinator decides", async () => (await program.status()).desired !== null);
    for (let round = 0; round < rounds; round++) {
      const { task_id } = await program.submit(200_000_000_000);
      const acceptedMs = await program.firstSlice();
      const [instance] = (await program.status()).instances;
      const orderedMs = Date.parse(instance?.ordered_at ?? "");
      hello.push(Date.parse(instance?.registered_at ?? "") - orderedMs);
      slice.push(acceptedMs - orderedMs);
      await program.cancel(task_id);
      await program.until("it is given back", async () => (await program.status()).managed_instances === 0);
    }
  } finally {
    await program.stop();
  }
  console.log(`decision to hello, one instance:                ${line(hello)}`);
  console.log(`decision to first accepted slice, one instance: ${line(slice)}`);
}

const line = (values: readonly number[]): string =>
  `median ${seconds(median(values))}, worst ${seconds(Math.max(...values))} of ${values.length}`;

/** From one to many and back. */
async function upAndDown(count: number): Promise<void> {
  const program = new ScalingProgram(local(count));
  const registered = async (): Promise<number> => (await program.status()).states.REGISTERED ?? 0;
  try {
    await program.until("the coordinator decides", async () => (await program.status()).desired !== null);
    const before = program.coordinatorBytes();
    await program.scale("up", 1);
    await program.until("the first instance", async () => (await registered()) === 1);
    await program.scale("up", count - 1);
    const upMs = await program.until("all instances", async () => (await registered()) === count);
    await sleep(2_000);
    const memory = program.memory();
    const after = program.coordinatorBytes();
    await program.scale("release");
    const downMs = await program.until("none is left", async () => {
      const { managed_instances } = await program.status();
      return managed_instances === 0 && program.memory().length === 0;
    });
    console.log(`1 -> ${count} instances: ${seconds(upMs)}; ${count} -> 0: ${seconds(downMs)}`);
    const share = memory.flatMap(({ shareBytes }) => shareBytes ?? []);
    console.log(
      `memory of a process, median of ${memory.length}: ${mebibytes(median(memory.map((m) => m.residentBytes)))} resident`,
    );
    if (share.length > 0)
      console.log(
        `  its proportional share: ${mebibytes(median(share))}; of all: ${mebibytes(share.reduce((a, b) => a + b, 0))}`,
      );
    console.log(`memory of the coordinator: ${mebibytes(before)} before, ${mebibytes(after)} with ${count} instances`);
  } finally {
    await program.stop();
  }
}

console.log(
  `${cpus()[0]?.model ?? "unknown"}, ${availableParallelism()} cores, load ${loadavg()[0]?.toFixed(1)}, Node ${process.version}`,
);
await firstSlices(option("rounds", 5));
await upAndDown(option("nodes", 20));
const boots = await bootParts(option("boots", 3));
const parts = {
  order: "EC2 stand-in: decision to EC2's answer:         ",
  download: "  start-up script until the worker is there:    ",
  join: "  the worker's start to its hello:              ",
  slice: "  hello to first accepted slice:                ",
} as const;
for (const [part, text] of Object.entries(parts)) {
  console.log(`${text} ${line(boots.map((boot) => boot[part as keyof typeof parts]))}`);
}
