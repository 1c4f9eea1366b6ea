/** What webhooks keep on record and send. */
import * as z from "zod";
import type { JobView } from "../../protocol/rest.ts";

/** Room of the store's documents: who wants to hear of a job, by job. */
export const hooksRoom = "webhooks";
/** Room of what is to be delivered still, by the message's id. */
export const outboxRoom = "webhook-outbox";

export type HookEvent = "job.completed" | "job.failed" | "job.cancelled" | "job.retracted";

const hookSchema = z.object({
  url: z.string(),
  /** Null while the job is open. */
  endedAtMs: z.number().nullable(),
});
export type Hook = z.infer<typeof hookSchema>;

const pendingSchema = z.object({
  job: z.string(),
  url: z.string(),
  event: z.enum(["job.completed", "job.failed", "job.cancelled", "job.retracted"]),
  revision: z.number(),
  atMs: z.number(),
});
export type Pending = z.infer<typeof pendingSchema>;

interface Document {
  key: string;
  value: string;
}

export const hooksOf = (documents: readonly Document[]): Map<string, Hook> => readAll(documents, hookSchema);
export const pendingOf = (documents: readonly Document[]): Map<string, Pending> => readAll(documents, pendingSchema);

function readAll<T>(documents: readonly Document[], schema: z.ZodType<T>): Map<string, T> {
  const found = new Map<string, T>();
  for (const { key, value } of documents) {
    const parsed = schema.safeParse(JSON.parse(value));
    if (parsed.success) found.set(key, parsed.data);
  }
  return found;
}

/** The message's body. `job` is as it is when it is sent; null where it is gone from the record. */
export function bodyOf({ event, job: id, revision, atMs }: Pending, job: JobView | null): string {
  const links = { self: `/api/v1.2/workload/${id}`, result: `/api/v1.2/workload/${id}/result` };
  return JSON.stringify({
    type: event,
    timestamp: new Date(atMs).toISOString(),
    data: {
      task_id: id,
      revision,
      workload_type: job?.workload_type ?? null,
      status: job?.status ?? null,
      standing: job?.verification.standing ?? null,
      reasons: job?.reasons ?? [],
      links,
    },
  });
}
