/** `--demo`: a first real job, with its progress and result in the terminal. */
import type { JobView } from "../protocol/rest.ts";
import type { Grid } from "./transport/grid.ts";

const demoPayload = { iterations: 400_000_000, samples: 1_000_000 };

/** Resolves when the job has ended. */
export async function runDemo(grid: Grid): Promise<void> {
  console.log(`Demo: estimating pi from ${demoPayload.iterations.toLocaleString("en")} random points.`);
  const { job } = await grid.submit({
    workload: "monte_carlo",
    payload: demoPayload,
    priority: 5,
    submitter: "local",
    idempotencyKey: null,
    bodyHash: "",
  });
  await new Promise<void>((resolve) => {
    const unsubscribe = grid.subscribeJob(job.task_id, null, ({ event }) => {
      if (event.event === "partial") return;
      showProgress(event.job);
      if (["queued", "running"].includes(event.job.status)) return;
      unsubscribe();
      resolve();
    });
  });
  const result = await grid.result(job.task_id);
  process.stdout.write("\n");
  console.log(JSON.stringify(result?.output, null, 2));
}

function showProgress(job: JobView): void {
  const width = 40;
  const filled = Math.round(width * job.progress.fraction);
  const bar = "#".repeat(filled) + "-".repeat(width - filled);
  const line = `  [${bar}] ${(job.progress.fraction * 100).toFixed(0).padStart(3)}%  ${job.status}, ${job.progress.slices_accepted} slices`;
  process.stdout.write(process.stdout.isTTY ? `\r${line}` : `${line}\n`);
}
