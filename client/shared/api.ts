/** Calls to the coordinator's REST API. Every failure becomes an `ApiError` that says what to do. */
import type { Problem } from "../../protocol/rest.ts";

export const apiRoot = "/api/v1.2";

/** A refusal of the coordinator, or of the network (`status` 0). */
export class ApiError extends Error {
  override name = "ApiError";
  constructor(
    readonly status: number,
    message: string,
    readonly problem: Partial<Problem> | null,
  ) {
    super(message);
  }

  /** Whether signing in may help. */
  get needsSignIn(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

export interface CallOptions {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export async function callApi<T>(path: string, options: CallOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`${apiRoot}${path}`, {
      method: options.method ?? "GET",
      headers,
      credentials: "same-origin",
      cache: "no-store",
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "The coordinator does not answer. Check that it runs, then try again.", null);
  }
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw toApiError(response.status, body);
  return body as T;
}

/** An `ApiError` from an answer's status and its problem+json body. */
export function toApiError(status: number, body: unknown): ApiError {
  const problem = typeof body === "object" && body !== null ? (body as Partial<Problem>) : null;
  const detail = problem?.detail ?? problem?.title ?? `The coordinator answered ${status}.`;
  return new ApiError(status, detail, problem);
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

/** What went wrong, as one sentence or two. */
export function errorText(error: unknown): string {
  const text = sentence(error instanceof Error ? error.message : String(error));
  const remedy = error instanceof ApiError ? error.problem?.remedy : undefined;
  return remedy ? `${text} ${sentence(remedy)}` : text;
}
