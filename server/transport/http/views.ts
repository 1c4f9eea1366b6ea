/** What of a job a caller may see. Progress is public; payload, preview and output are the submitter's. */
import type { FeedEvent, JobView, SubmitAnswer } from "../../../protocol/rest.ts";
import { type Caller, reads } from "../../access/caller.ts";
import type { Submitted } from "../grid.ts";

export const visibleJob = (caller: Caller, job: JobView): JobView =>
  reads(caller, job.submitter) ? job : { ...job, payload: null, preview: null, redacted: true };

export const visibleFeed = (caller: Caller, event: FeedEvent): FeedEvent => ({
  ...event,
  jobs: event.jobs.map((job) => visibleJob(caller, job)),
});

/** Says the same for a replay as it said at first: nothing in it changes while the job runs. */
export function submitAnswer({ job, estimatedCoreSeconds }: Submitted): SubmitAnswer {
  const self = `/api/v1.2/workload/${job.task_id}`;
  return {
    task_id: job.task_id,
    status: "queued",
    workload_type: job.workload_type,
    priority: job.priority,
    tasks: job.progress.tasks,
    grains: job.progress.grains,
    estimated_core_seconds: estimatedCoreSeconds,
    links: { self, result: `${self}/result`, events: `${self}/events` },
  };
}
