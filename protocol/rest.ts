/**
 * REST bodies and the live feed, as schemas: the ones that validate requests and answers are the
 * ones that the OpenAPI document is generated from. Times are ISO 8601; durations and sizes carry
 * their unit in the name.
 */
import * as z from "zod";
import { backendSchema, capabilitiesSchema } from "./messages.ts";

export const reasonSchema = z.object({ code: z.string(), message: z.string() }).meta({ id: "Reason" });
/** Why something is as it is: a machine-readable code and a sentence for people. */
export type Reason = z.infer<typeof reasonSchema>;

export const jobStates = ["queued", "running", "completed", "failed", "cancelled"] as const;
export const jobStateSchema = z.enum(jobStates);
export type JobState = z.infer<typeof jobStateSchema>;

/** How sure a submitter wants to be; what is left out is the workload's default. Bounds are the workload's own. */
export const verificationRequestSchema = z
  .strictObject({
    audit: z.number().min(0).max(1).describe("Share of trusted volunteers' results that own nodes audit."),
    redundancy: z.number().int().min(1).max(8).describe("Identities of different networks that compute every grain."),
    job_error: z.number().min(0).max(1).describe("Bound on the share of the job's grains that may be wrong."),
    early_results: z.boolean().describe("Complete while results are provisional still; they may be retracted."),
  })
  .partial()
  .meta({ id: "VerificationRequest" });

export type VerificationRequest = z.infer<typeof verificationRequestSchema>;

export const submitBodySchema = z
  .strictObject({
    workload_type: z.string().min(1).max(64).describe("A `type` of GET /api/v1.2/workload-types."),
    payload: z.unknown().describe("As that workload type's `payload_schema` says."),
    priority: z.number().int().min(1).max(10).default(5).describe("1 (whenever) to 10 (first)."),
    supply: z
      .enum(["volunteers", "paid"])
      .optional()
      .describe("`paid`: instances may be launched for it. By default only where they cost nothing."),
    deadline: z.iso.datetime({ offset: true }).optional().describe("When it should be done."),
    budget: z.number().positive().max(1e6).optional().describe("Dollars that its instances may cost."),
    region: z.string().min(1).max(64).optional().describe("Where the work comes from, as `us-east-1` or `Ireland`."),
    placement: z
      .enum(["own", "trusted", "volunteers"])
      .optional()
      .describe(
        "Whose machines may see the inputs: own nodes, trusted volunteers too, or all volunteers (without it).",
      ),
    verification: verificationRequestSchema.optional(),
    webhook: z.string().max(2_048).optional().describe("Where to tell of its end; a host that the operator allows."),
  })
  .meta({ id: "SubmitBody" });
export type SubmitBody = z.infer<typeof submitBodySchema>;

export const submitAnswerSchema = z
  .object({
    task_id: z.string(),
    /** As accepted; a replayed answer says the same. The present state is at `links.self`. */
    status: jobStateSchema,
    workload_type: z.string(),
    priority: z.number(),
    tasks: z.number(),
    grains: z.number(),
    estimated_core_seconds: z.number(),
    links: z.object({ self: z.string(), result: z.string(), events: z.string() }),
  })
  .meta({ id: "SubmitAnswer" });
export type SubmitAnswer = z.infer<typeof submitAnswerSchema>;

/** Core-seconds by what became of them. The rest of `computed` waits for its verdict. */
export const costSchema = z
  .object({
    computed: z.number(),
    accepted: z.number(),
    audit: z.number(),
    replica: z.number(),
    /** Copies of last grains that came second. */
    speculation: z.number(),
    /** Rejected, retracted, or computed twice by accident. */
    waste: z.number(),
    /** Computed over accepted; null until something was accepted. */
    overhead: z.number().nullable(),
  })
  .meta({ id: "Cost" });
export type CostView = z.infer<typeof costSchema>;

export const jobViewSchema = z
  .object({
    task_id: z.string(),
    workload_type: z.string(),
    status: jobStateSchema,
    priority: z.number(),
    submitter: z.string(),
    /** What the coordinator calls a job of its own: "demo" is the one it offers to tabs that meet an idle grid. */
    label: z.string().optional(),
    /** Null, as is `preview`, where the caller may not read the job's data (`redacted`). */
    payload: z.unknown(),
    redacted: z.boolean().optional(),
    round: z.number(),
    revision: z.number(),
    progress: z.object({
      fraction: z.number(),
      tasks: z.number(),
      grains: z.number(),
      grains_accepted: z.number(),
      /** Accepted, but resting on a node's word until that is tested. */
      grains_provisional: z.number(),
      grains_candidate: z.number(),
      grains_leased: z.number(),
      slices_accepted: z.number(),
      slices_by_backend: z.record(z.string(), z.number()),
      /** Of tabs and of native workers, as "tab:webgpu"; counted since the coordinator's last start. */
      slices_by_node_kind: z.record(z.string(), z.number()),
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
      provisional_results: z.number(),
      /** Taken back after they had been accepted. */
      retracted_results: z.number(),
      /** What holds for the output: sealed ones never change. Null until something was accepted. */
      standing: z.enum(["provisional", "confirmed", "sealed"]).nullable(),
      /** As asked for, or by default. */
      audit: z.number(),
      redundancy: z.number(),
      /**
       * Bound on the share of the grains that may be wrong, were one volunteer in five a liar: from the grains that
       * are audited of each one's work, before anything is taken back. Null where nothing is audited.
       */
      error_bound: z.number().nullable(),
      cost: costSchema,
      /** `cost.overhead`. */
      overhead: z.number().nullable(),
    }),
    /** Why it waits, or why it failed; empty while all is well. */
    reasons: z.array(reasonSchema),
    /** What is known so far: the workload's own preview of the verified part. */
    preview: z.unknown(),
    kernel: z.string(),
    /** While it is open: who computes it, until when, for how much. */
    terms: z
      .object({
        supply: z.enum(["volunteers", "paid"]),
        deadline: z.string().nullable(),
        budget: z.number().nullable(),
        region: z.string().nullable(),
        placement: z.enum(["own", "trusted", "volunteers"]),
      })
      .optional(),
  })
  .meta({ id: "Job" });
export type JobView = z.infer<typeof jobViewSchema>;

export const jobListSchema = z
  .object({ jobs: z.array(jobViewSchema), next_cursor: z.string().nullable() })
  .meta({ id: "JobList" });
export type JobList = z.infer<typeof jobListSchema>;

export const jobResultSchema = z
  .object({
    task_id: z.string(),
    status: jobStateSchema,
    workload_type: z.string(),
    revision: z.number(),
    result: z.unknown(),
    verification: jobViewSchema.shape.verification,
  })
  .meta({ id: "JobResult" });
export type JobResult = z.infer<typeof jobResultSchema>;

export const nodeViewSchema = z
  .object({
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
    /** Newcomers are audited on all that they do; own nodes are the operator's. */
    trust: z.enum(["own", "newcomer", "trusted", "banned"]),
    region: z.string().nullable(),
    audits_passed: z.number(),
    core_seconds: z.number(),
    connected_at: z.string().nullable(),
    last_seen: z.string(),
    /** "Why am I idle": empty while it computes. */
    idle_reasons: z.array(reasonSchema),
  })
  .meta({ id: "Node" });
export type NodeView = z.infer<typeof nodeViewSchema>;

export const networkStatusSchema = z
  .object({
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
      /** Since the coordinator started. */
      accepted_slices: z.number(),
      accepted_grains: z.number(),
      /** Accepted core-seconds per second, over the last 10 s. */
      core_seconds_per_second: z.number(),
    }),
    /** Since the coordinator started; of banned nodes, ever. */
    trust: z.object({
      cost: costSchema,
      banned_nodes: z.number(),
      /** Kernels that a kind of browser and GPU gets wrong: it gets no more of them. */
      quarantined: z.array(z.string()),
    }),
    nodes: z.array(nodeViewSchema),
  })
  .meta({ id: "NetworkStatus" });
export type NetworkStatus = z.infer<typeof networkStatusSchema>;

const boundedSchema = z.object({ default: z.number(), min: z.number(), max: z.number() });

/** What a volunteer switches on or off as one. */
const familySchema = z.object({ id: z.string(), title: z.string(), summary: z.string(), opt_in: z.boolean() });

export const workloadTypeSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    summary: z.string(),
    family: familySchema,
    /** Asked of volunteers beside the family, for some payloads. */
    consents: z.array(familySchema),
    /** JSON Schema of the payload. */
    payload_schema: z.unknown(),
    examples: z.array(z.object({ title: z.string(), payload: z.unknown() })),
    /** How results are believed, and what a submitter may ask for. */
    verification: z.object({
      methods: z.array(z.enum(["certificate", "exact", "tolerance", "statistical"])).readonly(),
      audit: boundedSchema,
      redundancy: boundedSchema,
    }),
    kernel: z.string(),
    /** Kernel files by role; each is served at /k/<sha256>. */
    files: z.record(z.string(), z.object({ sha256: z.string(), bytes: z.number() })),
    backends: z.array(backendSchema),
  })
  .meta({ id: "WorkloadType" });
export type WorkloadType = z.infer<typeof workloadTypeSchema>;
export const workloadTypesSchema = z
  .object({
    workload_types: z.array(workloadTypeSchema),
    planned: z.array(z.string()),
  })
  .meta({ id: "WorkloadTypes" });

/** RFC 9457. `field` names what was wrong in the request, `remedy` what to do about it. */
export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number(),
    detail: z.string(),
    field: z.string().optional(),
    remedy: z.string().optional(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
    available: z.array(z.string()).optional(),
    example: z.string().optional(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problemSchema>;

/**
 * One event of a job's SSE stream (`GET /workload/{task_id}/events`). The SSE id is the event's number
 * within the job; `Last-Event-ID` resumes after it, or starts again from the current state.
 */
export const jobEventSchema = z
  .discriminatedUnion("event", [
    z.object({ event: z.literal("state"), job: jobViewSchema }),
    z.object({ event: z.literal("progress"), job: jobViewSchema }),
    /** An output that was given does not stand: the job runs again, and its revision has risen. */
    z.object({ event: z.literal("retracted"), job: jobViewSchema }),
    z.object({ event: z.literal("partial"), task_id: z.string(), preview: z.unknown(), fraction: z.number() }),
  ])
  .meta({ id: "JobEvent" });
export type JobEvent = z.infer<typeof jobEventSchema>;

/**
 * The live feed for pages (`GET /live`, SSE): a `snapshot` first, then what changed, at most every 500 ms.
 */
export const feedEventSchema = z
  .discriminatedUnion("event", [
    z.object({ event: z.literal("snapshot"), status: networkStatusSchema, jobs: z.array(jobViewSchema) }),
    z.object({
      event: z.literal("change"),
      /** Status without its nodes; nodes and jobs that changed; ids of nodes that left the list. */
      status: networkStatusSchema.omit({ nodes: true }),
      nodes: z.array(nodeViewSchema),
      gone_nodes: z.array(z.string()),
      jobs: z.array(jobViewSchema),
    }),
  ])
  .meta({ id: "FeedEvent" });
export type FeedEvent = z.infer<typeof feedEventSchema>;

/** Filters of `GET /workload`. */
export const jobQuerySchema = z.object({
  state: jobStateSchema.optional(),
  workload_type: z.string().min(1).max(64).optional(),
  submitter: z.string().min(1).max(64).optional(),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().min(1).max(256).optional(),
});

/** `GET /workload/{task_id}/result?wait=30` answers when the job ends, or after so many seconds. */
export const resultQuerySchema = z.object({ wait: z.coerce.number().min(0).max(60).default(0) });

export const healthSchema = z
  .object({
    status: z.enum(["ok", "degraded"]),
    /** Why it is degraded; empty when ok. */
    reasons: z.array(reasonSchema),
    uptime: z.number(),
    version: z.string(),
    /** Whether programs on the coordinator's own machine may submit without a key, and if not, why. */
    keyless_loopback: z.object({ enabled: z.boolean(), reason: reasonSchema.nullable() }),
  })
  .meta({ id: "Health" });
export type Health = z.infer<typeof healthSchema>;

const linkName = z.string().regex(/^[0-9a-f]{32}$/, "32 hex digits");
/** A sealed identity on its way to another device: both members come from the code (docs/protocol.md). */
export const linkBodySchema = z
  .strictObject({
    name: linkName,
    sealed: z.string().regex(/^[A-Za-z0-9_-]{1,512}$/, "1 to 512 characters of base64url"),
  })
  .meta({ id: "LinkBody" });
export const linkMadeSchema = z.object({ expires_at: z.string() }).meta({ id: "LinkMade" });
export const linkTakeSchema = z.strictObject({ name: linkName }).meta({ id: "LinkTake" });
export const linkSealedSchema = z.object({ sealed: z.string() }).meta({ id: "LinkSealed" });

/** What a key may do: submit work, read others' jobs, manage keys and jobs, spend money on instances. */
export const scopes = ["submit", "read", "admin", "scale"] as const;
export const scopeSchema = z.enum(scopes);
export type Scope = z.infer<typeof scopeSchema>;

export const keyBodySchema = z
  .strictObject({
    label: z.string().trim().min(1).max(100).describe("For people, as `Ada's notebook`."),
    scopes: z.array(scopeSchema).min(1).max(scopes.length).default(["submit"]),
    supply: z
      .enum(["volunteers", "paid"])
      .optional()
      .describe(
        "Of its jobs, where they do not say. `paid`: all its jobs may ask for instances; the operator's to give.",
      ),
    region: z.string().min(1).max(64).optional().describe("Where its jobs come from, where they do not say."),
  })
  .meta({ id: "KeyBody" });
export const keyViewSchema = z
  .object({
    key_id: z.string(),
    label: z.string(),
    scopes: z.array(scopeSchema),
    created_at: z.string(),
    revoked_at: z.string().nullable(),
    supply: z.enum(["volunteers", "paid"]).nullable(),
    region: z.string().nullable(),
  })
  .meta({ id: "Key" });
export type KeyView = z.infer<typeof keyViewSchema>;
/** `key` is shown this once; the coordinator keeps only its hash. */
export const keyCreatedSchema = keyViewSchema.extend({ key: z.string() }).meta({ id: "KeyCreated" });
export const keyListSchema = z.object({ keys: z.array(keyViewSchema) }).meta({ id: "KeyList" });

export const sessionBodySchema = z.strictObject({ token: z.string().min(1).max(512) }).meta({ id: "SessionBody" });
/** Who the caller is to the coordinator. */
export const sessionSchema = z
  .object({
    kind: z.enum(["operator", "key", "local", "anonymous"]),
    /** Submitter id of the caller's jobs; null for a stranger. */
    id: z.string().nullable(),
    scopes: z.array(scopeSchema),
    /** When a cookie session ends; null for other callers. */
    expires_at: z.string().nullable(),
  })
  .meta({ id: "Session" });
export type Session = z.infer<typeof sessionSchema>;
