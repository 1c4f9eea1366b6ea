/** What a person sees in the terminal: where to go, what to try, and the demo's progress. */
import type { JobView } from "../protocol/rest.ts";
import type { Config } from "./config.ts";
import type { Grid } from "./transport/grid.ts";

export interface BannerFacts {
  config: Config;
  port: number;
  operatorToken: string;
  joinToken: string;
  version: string;
  keyless: { enabled: boolean; reason: { code: string; message: string } | null };
  lan: string[];
}

export function announce(facts: BannerFacts): void {
  const { config, port } = facts;
  const here = `http://localhost:${port}`;
  const lan =
    config.host === "127.0.0.1" || config.host === "localhost"
      ? []
      : facts.lan.filter((address) => !address.includes(":"));
  const key = facts.keyless.enabled ? "" : ` \\\n    -H "Authorization: Bearer ${facts.operatorToken}"`;
  console.log(`
Queztl ${facts.version} is running.

  Donate compute    ${here}/
  Dashboard         ${here}/dashboard
  API               ${here}/api${config.publicUrl ? `\n  Public            ${config.publicUrl.href}` : ""}${lan.map((address) => `\n  From your network http://${address}:${port}/`).join("")}

  Operator's token  ${facts.operatorToken}
  Submitting from this machine ${facts.keyless.enabled ? "needs no key (keyless loopback mode)." : `needs a key: ${facts.keyless.reason?.message ?? ""}`}

Try it:

  curl -s ${here}/api/v1.2/workload/submit${key} \\
    -H "Content-Type: application/json" \\
    -d '{"workload_type": "monte_carlo", "payload": {"iterations": 10000000, "samples": 1000000}, "priority": 9}'

Another machine joins with:

  curl -sO ${here}/worker.mjs && node worker.mjs --coordinator ${here}

Ctrl-C stops; everything acknowledged is kept in ${config.dataDir}.
`);
}

const demoPayload = { iterations: 400_000_000, samples: 1_000_000 };

/** Submits a first real job, and shows its progress bar and result. */
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
