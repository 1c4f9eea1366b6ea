/** What a page of jobs is asked with: shared by the adapters, so that they refuse alike. */
import type { JobFilter } from "./store.ts";

export const pageJobsMax = 200;
export const partialsMax = 256;

/** The number before which the page begins. Throws RangeError for a cursor that no page gave or a bad limit. */
export function readPage(filter: JobFilter): { before: number; limit: number } {
  const { cursor, limit } = filter;
  if (!Number.isInteger(limit) || limit < 1 || limit > pageJobsMax) {
    throw new RangeError(`A page holds 1 to ${pageJobsMax} jobs, not ${limit}.`);
  }
  if (cursor === undefined) return { before: Number.MAX_SAFE_INTEGER, limit };
  const match = /^j(\d{1,15})$/.exec(cursor);
  if (!match) throw new RangeError(`"${cursor.slice(0, 40)}" is no cursor of a job list.`);
  return { before: Number(match[1]), limit };
}

export const writeCursor = (seq: number): string => `j${seq}`;

/** Throws RangeError for more ids than one call brings. */
export function assertPartialsAsked(ids: readonly number[]): void {
  if (ids.length > partialsMax) throw new RangeError(`${ids.length} results at once; at most ${partialsMax}.`);
}
