/** Who computes a job, until when and for how much: as its body says, else as is usual here. */
import type { SubmitBody } from "../../../protocol/rest.ts";
import type { Caller, RequestFacts } from "../../access/caller.ts";
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

/** The region's id, or null where none is named. Throws HttpProblem. */
export function regionNamed(name: string | undefined): string | null {
  if (name === undefined) return null;
  const region = regionOf(name);
  if (region !== null) return region.id;
  const available = regions.map(({ id }) => id);
  const remedy = "Use one of those available, or leave it out.";
  throw new HttpProblem("invalid_body", `There is no region "${name}".`, { field: "region", remedy, available });
}

/**
 * Where instances cost nothing, all work may have them. Where they cost money, or may one day, only who holds the scope
 * `scale`, or a key that the operator made for paid work, may ask for them; all else is for volunteers.
 */
export async function termsOf(
  { access, scaler }: Pick<RouteDeps, "access" | "scaler">,
  facts: RequestFacts,
  caller: Caller,
  body: SubmitBody,
): Promise<JobTerms> {
  const isFree = scaler !== null && !scaler.priced;
  const supply = body.supply ?? caller.supply ?? (isFree ? "paid" : "volunteers");
  if (supply === "paid" && !isFree && caller.supply !== "paid") await access.require(facts, "scale");
  const deadlineMs = body.deadline === undefined ? null : Date.parse(body.deadline);
  if (deadlineMs !== null && deadlineMs <= Date.now()) {
    const remedy = "Give a time to come, or none.";
    throw new HttpProblem("invalid_body", `The deadline ${body.deadline} has passed.`, { field: "deadline", remedy });
  }
  return {
    supply,
    deadlineMs,
    budgetDollars: body.budget ?? null,
    region: regionNamed(body.region) ?? caller.region ?? null,
    placement: body.placement ?? "volunteers",
  };
}
