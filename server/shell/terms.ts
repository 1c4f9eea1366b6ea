/** Terms of open jobs (who pays, until when, how much), which are on record from the job's 202 to its end. */
import * as z from "zod";
import type { CoreWrite } from "../core/events.ts";
import type { CoreState, JobTerms } from "../core/state.ts";
import type { Write } from "../store/store.ts";

/** Room of the store's documents, by job. Jobs on free terms have none. */
export const termsRoom = "terms";

const schema = z.object({
  supply: z.enum(["volunteers", "paid"]),
  deadlineMs: z.number().nullable(),
  budgetDollars: z.number().nullable(),
  region: z.string().nullable(),
  // Jobs of earlier versions have none.
  placement: z.enum(["own", "trusted", "volunteers"]).default("volunteers"),
});

/** In the batch of the job's own row, and gone in the batch of its end. */
export function termsWrites(write: CoreWrite, state: CoreState): Write[] {
  if (write.type !== "job.insert" && write.type !== "job.ended") return [];
  const terms = write.type === "job.ended" ? write.of.terms : state.jobs.get(write.job)?.terms;
  if (!terms || isFree(terms)) return [];
  const value = write.type === "job.insert" ? JSON.stringify(terms) : null;
  return [{ type: "document.put", room: termsRoom, key: write.job, value }];
}

/** What the record says; a text that cannot be read counts as none. */
export function termsOf(documents: readonly { key: string; value: string }[]): Map<string, JobTerms> {
  const terms = new Map<string, JobTerms>();
  for (const { key, value } of documents) {
    const parsed = schema.safeParse(JSON.parse(value));
    if (parsed.success) terms.set(key, parsed.data);
  }
  return terms;
}

const isFree = ({ supply, deadlineMs, budgetDollars, region, placement }: JobTerms): boolean =>
  supply === "volunteers" &&
  deadlineMs === null &&
  budgetDollars === null &&
  region === null &&
  placement === "volunteers";
