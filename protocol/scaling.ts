/** REST bodies of the autoscaler. The first six members of its status are those of the user's document. */
import * as z from "zod";
import { reasonSchema } from "./rest.ts";

export const policySchema = z.enum(["reactive", "predictive", "cost_optimized"]);

export const scaleTargetSchema = z
  .object({
    min_nodes: z.number().describe("Instances at least; volunteers are not counted."),
    max_nodes: z.number(),
    target_cpu: z.number().describe("Share of an instance's capacity that plans count on."),
    scale_up_threshold: z.number().describe("Load above which it buys."),
    scale_down_threshold: z.number().describe("Load below which it gives back."),
    cooldown_seconds: z.number().describe("Scale-down goes by the highest need of so long a time."),
    max_dollars_per_hour: z.number().nullable().describe("Null: no limit."),
    max_dollars_per_day: z.number().nullable(),
  })
  .meta({ id: "ScaleTarget" });

export const instanceViewSchema = z
  .object({
    instance_id: z.string(),
    state: z.string(),
    since: z.string(),
    reason: reasonSchema,
    cloud_id: z.string().nullable(),
    node_id: z.string().nullable(),
    type: z.string(),
    region: z.string(),
    zone: z.string().nullable(),
    market: z.string(),
    cores: z.number(),
    dollars_per_hour: z.number(),
    dollars: z.number().describe("Spent on it so far."),
    ordered_at: z.string(),
    launched_at: z.string().nullable(),
    registered_at: z.string().nullable(),
    leases: z.number(),
    utilization: z.number(),
  })
  .meta({ id: "Instance" });

export const scaleDecisionSchema = z
  .object({
    sequence: z.number(),
    at: z.string(),
    policy: policySchema,
    desired: z.number(),
    have: z.number(),
    needed_rate: z.number().describe("Core-seconds per second that paid work needs."),
    volunteer_rate: z.number().describe("Of that, what volunteers will probably give."),
    shortfall_rate: z.number(),
    actions: z.array(
      z.object({
        type: z.string(),
        subject: z.string().nullable(),
        count: z.number(),
        offering: z.string().nullable(),
        reason: reasonSchema,
      }),
    ),
    holds: z.array(reasonSchema).describe("Why nothing more, or nothing less, was done."),
    alerts: z.array(reasonSchema).describe("What the operator must hear of."),
    by: z.string().nullable().describe("Who, where it was no decision but a person."),
  })
  .meta({ id: "ScaleDecision" });

const spendSchema = z.object({
  dollars: z.number(),
  volunteer_core_seconds: z.number().describe("Volunteers' accepted work."),
  saved_dollars: z.number().describe("What that work would have cost at `saved_at.dollars_per_core_hour`."),
});

export const autoscalerStatusSchema = z
  .object({
    policy: policySchema,
    target: scaleTargetSchema,
    managed_instances: z.number(),
    scale_up_count: z.number().describe("Orders so far."),
    scale_down_count: z.number().describe("Instances given back so far."),
    last_action: z.number().nullable().describe("Seconds since the last of these; null before the first."),
    provider: z.string(),
    priced: z.boolean(),
    desired: z.number().nullable(),
    states: z.record(z.string(), z.number()).describe("Instances by state; those that ended are left out."),
    needed_rate: z.number(),
    volunteer_rate: z.number(),
    shortfall_rate: z.number(),
    dollars_per_hour: z.number().describe("Sum of the prices of all that may run."),
    boot_seconds: z.number().nullable().describe("From order to hello, kept by nine of ten; null until measured."),
    holds: z.array(reasonSchema),
    alerts: z.array(reasonSchema),
    manual: z
      .object({ at_least: z.number(), at_most: z.number().nullable(), until: z.string(), by: z.string() })
      .nullable(),
    spend: z.object({
      today: spendSchema,
      total: spendSchema,
      saved_at: z.object({ dollars_per_core_hour: z.number(), source: z.string(), as_of: z.string() }),
      jobs: z.array(z.object({ task_id: z.string(), dollars: z.number() })).describe("The dearest, at most 20."),
    }),
    instances: z.array(instanceViewSchema),
    last_decisions: z.array(scaleDecisionSchema).describe("Newest first, at most 10."),
  })
  .meta({ id: "AutoscalerStatus" });
export type AutoscalerStatus = z.infer<typeof autoscalerStatusSchema>;

export const manualBodySchema = z
  .strictObject({
    action: z.enum(["up", "down", "release"]).describe("`release` takes back what was asked for before."),
    count: z.number().int().min(1).max(10_000).default(1),
    seconds: z
      .number()
      .int()
      .min(10)
      .max(86_400)
      .default(3_600)
      .describe("For so long; within maximum and budget all the same."),
  })
  .meta({ id: "ManualScale" });
export type ManualBody = z.infer<typeof manualBodySchema>;

export const scalePatchSchema = z
  .strictObject({
    policy: policySchema.optional(),
    target: z
      .strictObject({
        min_nodes: z.number().int().min(0).max(10_000),
        max_nodes: z.number().int().min(0).max(10_000),
        target_cpu: z.number().min(0.05).max(1),
        scale_up_threshold: z.number().min(0.05).max(10),
        scale_down_threshold: z.number().min(0).max(10),
        cooldown_seconds: z.number().min(0).max(86_400),
        max_dollars_per_hour: z.number().min(0).max(1e6).nullable(),
        max_dollars_per_day: z.number().min(0).max(1e6).nullable(),
      })
      .partial()
      .optional(),
  })
  .meta({ id: "ScalePatch" });
export type ScalePatch = z.infer<typeof scalePatchSchema>;

export const decisionQuerySchema = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
export const decisionListSchema = z
  .object({ decisions: z.array(scaleDecisionSchema).describe("Newest first.") })
  .meta({ id: "ScaleDecisions" });
export type ScaleDecision = z.infer<typeof scaleDecisionSchema>;

export const estimateBodySchema = z
  .strictObject({
    type: z.string().min(1).max(100).optional().describe("A machine type, as `t3.medium`; without it, the cheapest."),
    instances: z.number().int().min(1).max(10_000).optional(),
    hours: z.number().min(0.001).max(8_760).optional(),
    core_seconds: z
      .number()
      .min(0)
      .max(1e12)
      .optional()
      .describe("Instead of instances and hours: work, as `estimated_core_seconds` of a job says."),
    deadline_seconds: z.number().min(1).max(1e8).default(3_600).describe("For work: within so long."),
  })
  .meta({ id: "EstimateBody" });
export type EstimateBody = z.infer<typeof estimateBodySchema>;

export const estimateSchema = z
  .object({
    estimates: z.array(
      z.object({
        type: z.string(),
        market: z.string(),
        region: z.string().nullable(),
        cores: z.number(),
        instances: z.number(),
        hours: z.number(),
        dollars_per_hour: z.number().describe("Of one instance."),
        dollars: z.number(),
        price_source: z.string(),
        price_as_of: z.string(),
        within_budget: z.boolean().describe("Whether the hourly and daily limits leave room for it now."),
      }),
    ),
    /** What is not in the figure. */
    assumes: z.array(z.string()),
  })
  .meta({ id: "Estimate" });
export type Estimate = z.infer<typeof estimateSchema>;

export const scaleHistorySchema = z
  .object({
    points: z.array(
      z.object({
        at: z.string(),
        arrived: z.number().describe("Core-seconds of paid work that came, per second."),
        expected: z.number().nullable().describe("What had been forecast for that time; null where nothing was."),
        needed_rate: z.number(),
        volunteer_rate: z.number(),
        have: z.number(),
      }),
    ),
  })
  .meta({ id: "ScaleHistory" });
export type ScaleHistory = z.infer<typeof scaleHistorySchema>;
