/** Commands that wait for a job: its progress, its end, its result. */
import { GridProblem, type Job, type JobReport, type JobState, type JobView } from "../sdk/index.ts";
import { type Command, type Context, notBoth, printJson, timeoutFlag, waiting } from "./context.ts";
import { exits } from "./exits.ts";
import { verifiedLine } from "./print.ts";

const exitOfState: Partial<Record<JobState, number>> = {
  completed: exits.ok,
  failed: exits.jobFailed,
  cancelled: exits.jobCancelled,
};

/** Shows a job's progress until it ends; resolves with the job as it was last seen. */
async function follow(job: Job, { progress }: Context, signal: AbortSignal): Promise<JobView | null> {
  let last: JobView | null = null;
  try {
    for await (const event of job.progress({ signal })) {
      if (event.event === "partial") continue;
      last = event.job;
      progress.show(last);
    }
  } finally {
    progress.end();
  }
  return last;
}

/** The result of a job that may be under way; people see its progress meanwhile. */
export async function awaitReport(job: Job, context: Context, signal: AbortSignal): Promise<JobReport<unknown>> {
  if (context.json) return job.report({ signal });
  try {
    return await job.resultNow({ signal });
  } catch (error) {
    if (!(error instanceof GridProblem) || error.code !== "job_not_finished") throw error;
  }
  await follow(job, context, signal);
  return job.report({ signal });
}

/** The result alone on standard output, so that it can be piped; how it was verified beside it. */
export async function printReport(report: JobReport<unknown>, context: Context): Promise<void> {
  if (context.json) return printJson(context, report);
  context.progress.say(`results: ${verifiedLine(report.verification)}`);
  await context.io.out(`${JSON.stringify(report.result, null, 2)}\n`);
}

export const result: Command = {
  name: "result",
  usage: "JOB",
  summary: "Wait for a job and print its result",
  words: ["JOB"],
  required: 1,
  flags: { "no-wait": { help: "Do not wait: exit with 5 if there is none yet" }, timeout: timeoutFlag },
  async run(context) {
    notBoth(context, "no-wait", "timeout");
    const job = context.grid.job(context.words[0]!);
    const report = context.flags.has("no-wait")
      ? await job.resultNow({ signal: context.io.signal })
      : await waiting(context, (signal) => awaitReport(job, context, signal));
    await printReport(report, context);
    return exits.ok;
  },
};

export const watch: Command = {
  name: "watch",
  usage: "JOB",
  summary: "Show a job's progress until it ends (--json: an event a line)",
  words: ["JOB"],
  required: 1,
  flags: { timeout: timeoutFlag },
  async run(context) {
    const job = context.grid.job(context.words[0]!);
    const state = await waiting(context, async (signal) => {
      if (!context.json) return (await follow(job, context, signal))?.status;
      let last: JobState | undefined;
      for await (const event of job.progress({ signal })) {
        if (event.event !== "partial") last = event.job.status;
        await printJson(context, event);
      }
      return last;
    });
    return exitOfState[state ?? (await job.status({ signal: context.io.signal })).status] ?? exits.notFinished;
  },
};
