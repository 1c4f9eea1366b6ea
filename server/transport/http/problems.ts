/**
 * Refusals as RFC 9457 problem documents. Every code there is stands in the table below, which the API
 * page prints: a problem's `type` is its anchor there.
 */
import type { Problem } from "../../../protocol/rest.ts";
import { AccessError } from "../../access/caller.ts";
import { GridError } from "../grid.ts";

export const problemTable = {
  bad_request: [400, "The request cannot be read"],
  malformed_json: [400, "The body is not JSON"],
  invalid_query: [400, "A query parameter is wrong"],
  invalid_header: [400, "A header is wrong"],
  invalid_filter: [400, "A filter is wrong"],
  incomplete_body: [400, "The body ended before its length"],
  unauthenticated: [401, "A credential is needed"],
  forbidden: [403, "The credential does not allow this"],
  cross_site: [403, "The request comes from another site"],
  not_found: [404, "There is nothing here"],
  no_such_job: [404, "There is no such job"],
  no_such_link: [404, "There is no such code"],
  no_such_grain: [404, "No result of the job holds this grain"],
  no_such_volunteer: [404, "There is no such volunteer"],
  no_such_upload: [404, "There is no such upload"],
  no_such_blob: [404, "There is no such file of yours"],
  no_such_key: [404, "There is no such key"],
  method_not_allowed: [405, "The method is not allowed here"],
  slow_body: [408, "The body came too slowly"],
  job_not_finished: [409, "The job is not finished"],
  job_failed: [409, "The job failed"],
  job_cancelled: [409, "The job was cancelled"],
  no_autoscaler: [409, "No instances are launched here"],
  upload_conflict: [409, "The upload is not where the request believes"],
  receipt_too_large: [409, "The receipt would be too large"],
  too_many_keys: [409, "There are too many keys"],
  result_gone: [410, "The result was deleted"],
  range_not_satisfiable: [416, "There are no such bytes"],
  body_too_large: [413, "The body is too large"],
  upload_too_large: [413, "The file is too large"],
  not_bytes: [415, "The body's media type is not application/octet-stream"],
  not_json: [415, "The body's media type is not application/json"],
  foreign_host: [421, "The Host header names another server"],
  invalid_body: [422, "The body is wrong"],
  invalid_payload: [422, "The payload is wrong"],
  empty_upload: [422, "The file is empty"],
  hash_mismatch: [422, "The bytes have another hash"],
  invalid_statement: [422, "The statement cannot be taken"],
  unknown_workload: [422, "There is no such workload type"],
  idempotency_mismatch: [422, "The idempotency key was used with another body"],
  too_many_failures: [429, "Too many wrong credentials"],
  rate_limited: [429, "Too many requests"],
  too_many_streams: [429, "Too many event streams"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "The coordinator made a mistake"],
  planned_workload: [501, "This workload type has no kernel yet"],
  overloaded: [503, "A limit of the grid is reached"],
  storage_unavailable: [503, "The store cannot take it now"],
  shutting_down: [503, "The coordinator is shutting down"],
  not_built: [503, "This part is not built"],
} as const satisfies Record<string, readonly [number, string]>;
export type ProblemCode = keyof typeof problemTable;

export type ProblemDetails = Partial<Pick<Problem, "field" | "remedy" | "errors" | "available" | "example">>;

/** A refusal by the routes themselves. */
export class HttpProblem extends Error {
  override name = "HttpProblem";
  constructor(
    readonly code: ProblemCode,
    message: string,
    readonly details: ProblemDetails = {},
    readonly headers: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** Seconds after which a caller refused with 503 should come back, unless the grid says otherwise. */
const retrySecondsDefault = 5;

/** What an error is to the caller. A defect tells nothing of itself: its story is for `report`. */
export function problemOf(error: unknown): { body: Problem; headers: Record<string, string> } {
  if (error instanceof HttpProblem)
    return { body: document(error.code, error.message, error.details), headers: error.headers };
  if (error instanceof AccessError) {
    const { retryAfterSeconds, ...details } = error.details;
    return { body: document(error.code, error.message, details), headers: accessHeaders(error, retryAfterSeconds) };
  }
  if (error instanceof GridError) {
    const { retryAfterSeconds, ...details } = error.details;
    const body = document(error.code, error.message, details);
    return { body, headers: body.status === 503 ? retryAfter(retryAfterSeconds ?? retrySecondsDefault) : {} };
  }
  const remedy = "Please report it with the time of the request; the coordinator's log has the details.";
  return { body: document("internal", "An unforeseen error happened.", { remedy }), headers: {} };
}

export const isDefect = (error: unknown): boolean =>
  !(error instanceof HttpProblem || error instanceof AccessError || error instanceof GridError);

export const retryAfter = (seconds: number): Record<string, string> => ({ "retry-after": String(Math.ceil(seconds)) });

function document(code: ProblemCode, detail: string, details: ProblemDetails): Problem {
  const [status, title] = problemTable[code];
  return { type: `/api#problem-${code}`, title, status, detail, ...details };
}

function accessHeaders(error: AccessError, seconds: number | undefined): Record<string, string> {
  if (error.code === "unauthenticated") return { "www-authenticate": 'Bearer realm="queztl"' };
  return seconds === undefined ? {} : retryAfter(seconds);
}
