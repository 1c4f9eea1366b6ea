/**
 * Graphile Worker on PostgreSQL with synchronous commits, set as its page on performance says: a local queue of 500
 * jobs and batched completion. It keeps no results, so none are stored. Prints one line of JSON.
 * Arguments: port, tasks. The queue is filled by `add_jobs`, a thousand at a time.
 */
import { Logger, run } from "graphile-worker";
import pg from "pg";
import { inputOf, resultOf } from "./inputs.mjs";

const [port, tasks] = process.argv.slice(2).map(Number);
const connectionString = `postgres://postgres@127.0.0.1:${port}/postgres`;
const pool = new pg.Pool({ connectionString, max: 20 });
const logger = new Logger(() => (level, message) => {
  if (level === "error" || level === "warning") console.error(message);
});
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

let firstMs = 0;
let lastMs = 0;
let done = 0;
const seen = new Set();
let finish;
const ended = new Promise((resolve) => {
  finish = resolve;
});
const start = (taskList) =>
  run({
    pgPool: pool,
    taskList,
    noHandleSignals: true,
    preset: {
      worker: {
        concurrentJobs: 24,
        pollInterval: 2_000,
        maxPoolSize: 20,
        localQueue: { size: 500, refetchDelay: { durationMs: 0, threshold: 0 } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
    logger,
  });

// The first start makes the schema; the queue is filled while no worker runs.
await (await start({ echo() {} })).stop();
const submitFrom = performance.now();
for (let at = 0; at < tasks; at += 1_000) {
  const inputs = Array.from({ length: Math.min(1_000, tasks - at) }, (_, index) => inputOf(at + index));
  await pool.query(
    `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
       SELECT json_populate_record(null::graphile_worker.job_spec, json_build_object('identifier', 'echo', 'payload', json_build_object('input', i)))
       FROM unnest($1::text[]) AS i), false)`,
    [inputs],
  );
}
const submitMs = performance.now() - submitFrom;
const cpuFrom = cpu();
const runner = await start({
  echo({ input }) {
    firstMs ||= performance.now();
    seen.add(resultOf(input));
  },
});
runner.events.on("job:complete", () => {
  lastMs = performance.now();
  if (++done === tasks) finish();
});
await ended;
const clientUsPerTask = (cpu() - cpuFrom) / tasks;
await runner.stop();
const { rows } = await pool.query("SELECT count(*)::int AS left FROM graphile_worker.jobs");
if (rows[0].left !== 0 || seen.size !== tasks)
  throw new Error(`${rows[0].left} jobs left, ${seen.size} of ${tasks} ran`);
console.log(
  JSON.stringify({
    tasksPerSecond: (tasks * 1000) / (lastMs - firstMs),
    submittedPerSecond: (tasks * 1000) / submitMs,
    clientUsPerTask,
    serverUsPerTask: null,
  }),
);
process.exit(0);
