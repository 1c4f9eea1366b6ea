/** Who computes a job, until when and for how much: as its body says, else as is usual here. */
import type { SubmitBody } from "../../../protocol/rest.ts";
import type { RequestFacts } from "../../access/caller.ts";
import { regionOf, regions } from "../../autoscaler/regions.ts";
import type { JobTerms } from "../../core/state.ts";
import { refusalOf } from "../../webhooks/allowed.ts";
import type { RouteDeps } from "./deps.ts";
import { HttpProblem } from "./problems.ts";

/** Where to tell of the job's end, or null. Throws HttpProblem. */
export function webhookOf({ webhookHosts }: Pick<RouteDeps, "webhookHosts">, { webhook }: SubmitBody): string | null {
  if (webhook === undefined) return null;
  const refusal = refusalOf(webhook, webhookHosts);
  if (refusal === null) return webhook;
  const { why, remedy } = refusal;
  throw new HttpProblem("invalid_body", `${why}.`, { field: "webhook", remedy: `${remedy}.` });
}

/**
 * Where instances cost nothing, all work may have them. Where they cost money, or may one day, only who holds the scope
 * `scale` may ask for them; all else is for volunteers.
 */
export async function termsOf(
  { access, scaler }: Pick<RouteDeps, "access" | "scaler">,
  facts: RequestFacts,
  body: SubmitBody,
): Promise<JobTerms> {
  const isFree = scaler !== null && !scaler.priced;
  const supply = body.supply ?? (isFree ? "paid" : "volunteers");
  if (supply === "paid" && !isFree) await access.require(facts, "scale");
  const deadlineMs = body.deadline === undefined ? null : Date.parse(body.deadline);
  if (deadlineMs !== null && deadlineMs <= Date.now()) {
    const remedy = "Give a time to come, or none.";
    throw new HttpProblem("invalid_body", `The deadline ${body.deadline} has passed.`, { field: "deadline", remedy });
  }
  const region = body.region === undefined ? null : regionOf(body.region);
  if (body.region !== undefined && region === null) {
    const available = regions.map(({ id }) => id);
    const remedy = "Use one of those available, or leave it out.";
    throw new HttpProblem("invalid_body", `There is no region "${body.region}".`, {
      field: "region",
      remedy,
      available,
    });
  }
  return {
    supply,
    deadlineMs,
    budgetDollars: body.budget ?? null,
    region: region?.id ?? null,
    placement: body.placement ?? "volunteers",
  };
}
