import * as z from "zod";
import { defaultPlan, type Family } from "../../kernels/contract.ts";
import type { WorkloadType } from "../../protocol/rest.ts";
import type { Catalog } from "../catalog.ts";

const familyView = ({ id, title, summary, optIn }: Family) => ({ id, title, summary, opt_in: optIn });

/** The workloads with their schemas, for forms and readers. */
export function workloadTypes(catalog: Catalog): WorkloadType[] {
  return [...catalog.values()].map(({ workload, kernel, files }) => ({
    type: workload.type,
    title: workload.title,
    summary: workload.summary,
    family: familyView(workload.family),
    consents: (workload.consents ?? []).map(familyView),
    payload_schema: z.toJSONSchema(workload.payload, { io: "input", unrepresentable: "any" }),
    examples: workload.examples.map(({ title, payload }) => ({ title, payload })),
    verification: workload.beliefPlan ?? defaultPlan,
    kernel,
    files,
    backends: [...workload.plan(workload.calibration).needs.backends],
  }));
}
