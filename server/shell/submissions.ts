import { defaultPlan, grainsOf, type Plan, resolveVerification, type Verification } from "../../kernels/contract.ts";
import { limits } from "../../protocol/limits.ts";
import { type Catalog, type Entry, plannedWorkloads } from "../catalog.ts";
import type { CoreState } from "../core/state.ts";
import { fieldErrors } from "../field-errors.ts";
import type { JobRecord } from "../store/store.ts";
import { GridError, type JobQuery, type SubmitRequest } from "../transport/grid.ts";
import { jobState } from "../views.ts";
import type { ReadableStore } from "./readable.ts";

/** Checks a submission against its workload. Throws GridError that names the fields. */
export function validateSubmission(
  catalog: Catalog,
  request: SubmitRequest,
): { entry: Entry; payload: unknown; verification: Verification } {
  const available = [...catalog.keys()];
  const entry = catalog.get(request.workload);
  if (!entry) {
    const planned = (plannedWorkloads as readonly string[]).includes(request.workload);
    throw new GridError(
      planned ? "planned_workload" : "unknown_workload",
      planned
        ? `${request.workload} has no kernel in this version.`
        : `There is no workload type ${JSON.stringify(request.workload)}.`,
      { field: "workload_type", available, remedy: `Use one of: ${available.join(", ")}.` },
    );
  }
  const parsed = entry.workload.payload.safeParse(request.payload);
  if (!parsed.success) {
    const errors = fieldErrors(parsed.error, "payload.");
    throw new GridError("invalid_payload", errors[0]?.message ?? "The payload is invalid.", {
      field: errors[0]?.field ?? "payload",
      errors,
      remedy: `See GET /api/v1.2/workload-types for the schema of ${request.workload} and for examples.`,
    });
  }
  planOf(entry, parsed.data);
  return { entry, payload: parsed.data, verification: verificationOf(entry, request) };
}

function verificationOf(entry: Entry, request: SubmitRequest): Verification {
  const resolved = resolveVerification(entry.workload.beliefPlan ?? defaultPlan, request.verification);
  if ("verification" in resolved) return resolved.verification;
  const { field, message, remedy } = resolved.fault;
  throw new GridError("invalid_payload", message, { field: `verification.${field}`, remedy });
}

/** Throws GridError where the job would be too large. */
export function planOf(entry: Entry, payload: unknown): Plan {
  const plan = entry.workload.plan(payload);
  if (grainsOf(plan) > limits.jobGrainsMax || plan.tasks < 1) {
    throw new GridError(
      "invalid_payload",
      `The job would have ${grainsOf(plan)} grains; at most ${limits.jobGrainsMax}.`,
      {
        field: "payload",
        remedy: "Submit it as several jobs.",
      },
    );
  }
  return plan;
}

/** A page of job records. Open jobs are in the core, whose view of their state is newer than the record's. */
export async function jobQuery(
  store: ReadableStore,
  state: CoreState,
  query: JobQuery,
): Promise<{ jobs: JobRecord[]; nextCursor: string | null }> {
  const filter = {
    ...(query.workload === undefined ? {} : { workload: query.workload }),
    ...(query.submitter === undefined ? {} : { submitter: query.submitter }),
    ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
    limit: query.limit,
  };
  try {
    if (query.state !== "queued" && query.state !== "running") {
      return await store.jobs(query.state === undefined ? filter : { ...filter, state: query.state });
    }
    // The record says "queued" of every open job; whether it runs, the core knows.
    const open = await store.jobs({ ...filter, state: "queued" });
    const jobs = open.jobs.filter((record) => {
      const job = state.jobs.get(record.id);
      return job !== undefined && jobState(job) === query.state;
    });
    return { jobs, nextCursor: open.nextCursor };
  } catch (error) {
    if (error instanceof RangeError) {
      throw new GridError("invalid_filter", error.message, {
        field: "cursor",
        remedy: "Use next_cursor of the last page.",
      });
    }
    throw error;
  }
}
