/** Events of a feed, for tests. */
import type { FeedEvent, JobView, NetworkStatus } from "../../../protocol/rest.ts";

export const job = (task_id: string): JobView =>
  ({ task_id, status: "running", timings: { submitted_at: "2026-01-01T00:00:00.000Z" } }) as JobView;
export const snapshot = (...jobs: string[]): FeedEvent => ({
  event: "snapshot",
  status: { nodes: [] } as unknown as NetworkStatus,
  jobs: jobs.map(job),
});
export const change = (...jobs: string[]): FeedEvent => ({
  event: "change",
  status: {} as NetworkStatus,
  nodes: [],
  gone_nodes: [],
  jobs: jobs.map(job),
});
