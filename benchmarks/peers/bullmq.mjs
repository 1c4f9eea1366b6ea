/**
 * BullMQ on a Redis that syncs its log before every answer. Prints one line of JSON.
 * Arguments: port, tasks, latency jobs. The queue is filled by `addBulk`, a thousand at a time; then one Worker of
 * concurrency 100 empties it. Times run from its first job to the last answer to `moveToFinished`.
 */
import { Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import { inputOf, resultOf } from "./inputs.mjs";

const [port, tasks, latencyJobs] = process.argv.slice(2).map(Number);
const connection = () => new Redis({ host: "127.0.0.1", port, maxRetriesPerRequest: null });
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

async function redisCpuUs(redis) {
  const info = await redis.info("cpu");
  const seconds = (name) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)[1]);
  return (seconds("used_cpu_user") + seconds("used_cpu_sys")) * 1e6;
}

async function throughput(redis) {
  const queue = new Queue("throughput", { connection: connection() });
  const submitFrom = performance.now();
  for (let at = 0; at < tasks; at += 1_000) {
    const batch = Array.from({ length: Math.min(1_000, tasks - at) }, (_, index) => ({
      name: "echo",
      data: { input: inputOf(at + index) },
    }));
    await queue.addBulk(batch);
  }
  const submitMs = performance.now() - submitFrom;
  let firstMs = 0;
  let done = 0;
  const cpuFrom = cpu();
  const redisFrom = await redisCpuUs(redis);
  const worker = new Worker(
    "throughput",
    async (job) => {
      firstMs ||= performance.now();
      return resultOf(job.data.input);
    },
    { connection: connection(), concurrency: 100, autorun: false },
  );
  const ended = new Promise((resolve) => {
    worker.on("completed", () => {
      if (++done === tasks) resolve();
    });
  });
  worker.run();
  await ended;
  const ms = performance.now() - firstMs;
  const clientUsPerTask = (cpu() - cpuFrom) / tasks;
  const serverUsPerTask = ((await redisCpuUs(redis)) - redisFrom) / tasks;
  await worker.close();
  await verify(redis);
  await queue.close();
  return {
    tasksPerSecond: (tasks * 1000) / ms,
    submittedPerSecond: (tasks * 1000) / submitMs,
    clientUsPerTask,
    serverUsPerTask,
  };
}

async function verify(redis) {
  const seen = new Set();
  for (let at = 1; at <= tasks; at += 1_000) {
    const pipeline = redis.pipeline();
    for (let id = at; id < Math.min(tasks + 1, at + 1_000); id++)
      pipeline.hmget(`bull:throughput:${id}`, "data", "returnvalue");
    for (const [error, [data, value]] of await pipeline.exec()) {
      if (error || JSON.parse(value) !== resultOf(JSON.parse(data).input)) throw new Error("a result is wrong");
      seen.add(value);
    }
  }
  if (seen.size !== tasks) throw new Error(`${seen.size} distinct results of ${tasks}`);
}

async function latency() {
  const queue = new Queue("latency", { connection: connection() });
  const events = new QueueEvents("latency", { connection: connection() });
  await events.waitUntilReady();
  let startedMs = 0;
  const worker = new Worker(
    "latency",
    async (job) => {
      startedMs = performance.now();
      return resultOf(job.data.input);
    },
    { connection: connection(), concurrency: 100 },
  );
  await worker.waitUntilReady();
  const latencies = { startMs: [], acceptedMs: [], resultMs: [] };
  const warmUp = Math.ceil(latencyJobs / 5);
  for (let task = 0; task < warmUp + latencyJobs; task++) {
    const input = inputOf(task);
    // Listens before it adds, so that the event cannot come too early.
    const completed = new Promise((resolve) => events.once("completed", resolve));
    const fromMs = performance.now();
    await queue.add("echo", { input });
    const acceptedMs = performance.now();
    const { returnvalue } = await completed;
    const resultMs = performance.now();
    if (returnvalue !== resultOf(input)) throw new Error("a result is wrong");
    if (task < warmUp) continue;
    latencies.startMs.push(startedMs - fromMs);
    latencies.acceptedMs.push(acceptedMs - fromMs);
    latencies.resultMs.push(resultMs - fromMs);
  }
  await worker.close();
  await events.close();
  await queue.close();
  return latencies;
}

const redis = connection();
const result = { ...(tasks > 0 ? await throughput(redis) : {}), latencies: latencyJobs > 0 ? await latency() : null };
console.log(JSON.stringify(result));
process.exit(0);
