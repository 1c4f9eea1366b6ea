/**
 * REST bodies and the live feed, as schemas: the ones that validate requests and answers are the
 * ones that the OpenAPI document is generated from. Times are ISO 8601; durations and sizes carry
 * their unit in the name.
 */
import { z } from "zod";
import { backendSchema, capabilitiesSchema } from "./messages.ts";

export const reasonSchema = z.object({ code: z.string(), message: z.string() });
/** Why something is as it is: a machine-readable code and a sentence for people. */
export type Reason = z.infer<typeof reasonSchema>;

export const jobStates = ["queued", "running", "completed", "failed", "cancelled"] as const;
export const jobStateSchema = z.enum(jobStates);
export type JobState = z.infer<typeof jobStateSchema>;

export const submitBodySchema = z.object({
  workload_type: z.string().min(1).max(64),
  payload: z.unknown(),
  priority: z.number().int().min(1).max(10).default(5),
});
export type SubmitBody = z.infer<typeof submitBodySchema>;

export const submitAnswerSchema = z.object({
  task_id: z.string(),
  status: jobStateSchema,
  workload_type: z.string(),
  priority: z.number(),
  tasks: z.number(),
  grains: z.number(),
  estimated_core_seconds: z.number(),
  links: z.object({ self: z.string(), result: z.string(), events: z.string() }),
});
export type SubmitAnswer = z.infer<typeof submitAnswerSchema>;

export const jobViewSchema = z.object({
  task_id: z.string(),
  workload_type: z.string(),
  status: jobStateSchema,
  priority: z.number(),
  submitter: z.string(),
  payload: z.unknown(),
  round: z.number(),
  revision: z.number(),
  progress: z.object({
    fraction: z.number(),
    tasks: z.number(),
    grains: z.number(),
    grains_accepted: z.number(),
    grains_candidate: z.number(),
    grains_leased: z.number(),
    slices_accepted: z.number(),
    slices_by_backend: z.record(z.string(), z.number()),
  }),
  timings: z.object({
    submitted_at: z.string(),
    started_at: z.string().nullable(),
    finished_at: z.string().nullable(),
    elapsed_seconds: z.number(),
    compute_seconds: z.number(),
  }),
  verification: z.object({
    accepted_results: z.number(),
    rejected_results: z.number(),
    audited_results: z.number(),
    own_results: z.number(),
    certified_results: z.number(),
    /** Compute spent on this job, over the compute of what was accepted; null until something was. */
    overhead: z.number().nullable(),
  }),
  /** Why it waits, or why it failed; empty while all is well. */
  reasons: z.array(reasonSchema),
  /** What is known so far: the workload's own preview of the verified part. */
  preview: z.unknown(),
  kernel: z.string(),
});
export type JobView = z.infer<typeof jobViewSchema>;

export const jobListSchema = z.object({ jobs: z.array(jobViewSchema), next_cursor: z.string().nullable() });
export type JobList = z.infer<typeof jobListSchema>;

export const jobResultSchema = z.object({
  task_id: z.string(),
  status: jobStateSchema,
  workload_type: z.string(),
  revision: z.number(),
  result: z.unknown(),
  verification: jobViewSchema.shape.verification,
});
export type JobResult = z.infer<typeof jobResultSchema>;

export const nodeViewSchema = z.object({
  node_id: z.string(),
  name: z.string().nullable(),
  kind: z.enum(["tab", "native"]),
  own: z.boolean(),
  online: z.boolean(),
  /** Has a free slot for some backend. */
  available: z.boolean(),
  software: z.string(),
  platform: z.string().nullable(),
  cpu_cores: z.number(),
  cpu_model: z.string().nullable(),
  ram_gb: z.number().nullable(),
  gpu: capabilitiesSchema.shape.gpu,
  accelerators: z.array(z.string()),
  engines: z.array(z.string()),
  backends: z.array(
    z.object({
      backend: backendSchema,
      slots: z.number(),
      busy: z.number(),
      /** Core-seconds of work done per second, over all slots; null until measured. */
      core_seconds_per_second: z.number().nullable(),
    }),
  ),
  leases: z.array(
    z.object({
      task_id: z.string(),
      workload_type: z.string(),
      backend: backendSchema,
      lo: z.number(),
      hi: z.number(),
      done: z.number(),
    }),
  ),
  accepted_slices: z.number(),
  rejected_slices: z.number(),
  core_seconds: z.number(),
  connected_at: z.string().nullable(),
  last_seen: z.string(),
  /** "Why am I idle": empty while it computes. */
  idle_reasons: z.array(reasonSchema),
});
export type NodeView = z.infer<typeof nodeViewSchema>;

export const networkStatusSchema = z.object({
  coordinator: z.object({ node_id: z.string(), hostname: z.string(), uptime: z.number(), version: z.string() }),
  registry: z.object({
    total_nodes: z.number(),
    online_nodes: z.number(),
    available_nodes: z.number(),
    total_cpu_cores: z.number(),
    /** Sums over the online nodes that tell; how many do not is beside them. */
    total_ram_gb: z.number(),
    total_gpu_vram_gb: z.number(),
    unknown_ram_nodes: z.number(),
    unknown_vram_nodes: z.number(),
  }),
  scheduler: z.object({
    /** Jobs, as in the user's document. */
    pending_tasks: z.number(),
    active_tasks: z.number(),
    completed_tasks: z.number(),
    failed_tasks: z.number(),
    cancelled_tasks: z.number(),
    /** Completed over completed and failed; null until one ended. */
    success_rate: z.number().nullable(),
    leased_slices: z.number(),
    accepted_slices: z.number(),
    accepted_grains: z.number(),
    /** Accepted core-seconds per second, over the last 10 s. */
    core_seconds_per_second: z.number(),
  }),
  nodes: z.array(nodeViewSchema),
});
export type NetworkStatus = z.infer<typeof networkStatusSchema>;

export const workloadTypeSchema = z.object({
  type: z.string(),
  title: z.string(),
  summary: z.string(),
  family: z.object({ id: z.string(), title: z.string(), summary: z.string(), opt_in: z.boolean() }),
  /** JSON Schema of the payload. */
  payload_schema: z.unknown(),
  examples: z.array(z.object({ title: z.string(), payload: z.unknown() })),
  kernel: z.string(),
  backends: z.array(backendSchema),
});
export type WorkloadType = z.infer<typeof workloadTypeSchema>;
export const workloadTypesSchema = z.object({
  workload_types: z.array(workloadTypeSchema),
  planned: z.array(z.string()),
});

/** RFC 9457. `field` names what was wrong in the request, `remedy` what to do about it. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  field: z.string().optional(),
  remedy: z.string().optional(),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  available: z.array(z.string()).optional(),
  example: z.string().optional(),
});
export type Problem = z.infer<typeof problemSchema>;

/**
 * One event of a job's SSE stream (`GET /workload/{task_id}/events`). The SSE id is the event's number
 * within the job; `Last-Event-ID` resumes after it, or starts again from the current state.
 */
export const jobEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("state"), job: jobViewSchema }),
  z.object({ event: z.literal("progress"), job: jobViewSchema }),
  z.object({ event: z.literal("partial"), task_id: z.string(), preview: z.unknown(), fraction: z.number() }),
]);
export type JobEvent = z.infer<typeof jobEventSchema>;

/**
 * The live feed for pages (`GET /live`, SSE): a `snapshot` first, then what changed, at most every 500 ms.
 */
export const feedEventSchema = z.discriminatedUnion("event", [
  z.object({ event: z.literal("snapshot"), status: networkStatusSchema, jobs: z.array(jobViewSchema) }),
  z.object({
    event: z.literal("change"),
    /** Status without its nodes; nodes and jobs that changed; ids of nodes that left the list. */
    status: networkStatusSchema.omit({ nodes: true }),
    nodes: z.array(nodeViewSchema),
    gone_nodes: z.array(z.string()),
    jobs: z.array(jobViewSchema),
  }),
]);
export type FeedEvent = z.infer<typeof feedEventSchema>;
