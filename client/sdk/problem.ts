/** Every way in which the grid says no, or cannot be asked: one error type, built from the coordinator's problem documents. */
import type { Problem } from "../../protocol/rest.ts";

/** Codes of problems that never came from a coordinator. Its own are on its page `/api`. */
export type LocalCode =
  /** Nobody answers at the address. */
  | "unreachable"
  /** An answer did not come in time. */
  | "timeout"
  /** The coordinator's certificate is not trusted here. */
  | "untrusted_certificate"
  /** The address leads to another one. */
  | "redirected"
  /** What answers is no coordinator, or one of another version. */
  | "bad_answer"
  | "answer_too_large"
  | "invalid_argument"
  /** More calls or streams of one `Grid` wait than it queues. */
  | "too_many_calls";

export interface ProblemDetails extends Partial<Omit<Problem, "type">> {
  code: LocalCode | (string & {});
  detail: string;
  /** Seconds after which the coordinator wants to be asked again. */
  retryAfterSeconds?: number;
}

/** A refusal. `message` is whole sentences for people: what was wrong, where, and what to do about it. */
export class GridProblem extends Error {
  override readonly name = "GridProblem";
  /** For programs: a code of the coordinator's page `/api`, or a `LocalCode`. */
  readonly code: string;
  /** HTTP status; 0 when nothing answered. */
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** What of the request was wrong, as `payload.iterations`. */
  readonly field: string | undefined;
  readonly remedy: string | undefined;
  /** Every wrong field, where there are several. */
  readonly errors: readonly { field: string; message: string }[];
  /** Workload types that could have been named. */
  readonly available: readonly string[];
  /** A command that works. */
  readonly example: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(details: ProblemDetails, options?: ErrorOptions) {
    super(sentences(details), options);
    this.code = details.code;
    this.status = details.status ?? 0;
    this.title = details.title ?? details.code;
    this.detail = details.detail;
    this.field = details.field;
    this.remedy = details.remedy;
    this.errors = details.errors ?? [];
    this.available = details.available ?? [];
    this.example = details.example;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }

  /** What `JSON.stringify` writes. */
  toJSON(): Record<string, unknown> {
    const { code, status, title, detail, field, remedy, errors, available, example, retryAfterSeconds } = this;
    return {
      ...{ code, status, title, detail, field, remedy },
      ...(errors.length > 0 ? { errors } : {}),
      ...(available.length > 0 ? { available } : {}),
      ...{ example, retry_after_seconds: retryAfterSeconds },
    };
  }
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);

function sentences({ detail, field, remedy }: ProblemDetails): string {
  const where = field !== undefined && !detail.includes(field) ? `${field}: ` : "";
  return `${where}${sentence(detail)}${remedy === undefined ? "" : ` ${sentence(remedy)}`}`;
}

/** A wrong argument of a call of this library. */
export const invalidArgument = (field: string, detail: string, remedy: string): GridProblem =>
  new GridProblem({ code: "invalid_argument", title: "An argument is wrong", field, detail, remedy });

/** The problem that a refusal's status, headers and body tell; a body that is no problem document still becomes one. */
export function problemOf(response: Response, body: string, base: string): GridProblem {
  const retryAfterSeconds = readRetryAfter(response.headers.get("retry-after"), Date.now());
  const { status } = response;
  const document = parsed(body);
  if (document === null) {
    return new GridProblem({
      code: `http_${status}`,
      status,
      title: response.statusText || `HTTP ${status}`,
      detail: `${base} answered ${status} without saying why.`,
      remedy: "Check that the address is the coordinator's, and that a proxy before it reaches it.",
      retryAfterSeconds,
    });
  }
  const code = /#problem-(\w+)$/.exec(document.type ?? "")?.[1] ?? `http_${status}`;
  const { type: _type, ...details } = document;
  return new GridProblem({
    ...details,
    ...{ code, status, retryAfterSeconds },
    detail: document.detail ?? document.title ?? `The coordinator answered ${status}.`,
  });
}

function parsed(body: string): Partial<Problem> | null {
  try {
    const value: unknown = JSON.parse(body);
    const looksRight = typeof value === "object" && value !== null && ("detail" in value || "title" in value);
    return looksRight ? (value as Partial<Problem>) : null;
  } catch {
    return null;
  }
}

/** Seconds of a `Retry-After`, which is a number or a date; undefined where there is none that can be read. */
export function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header);
  // Date.parse takes almost anything for a date.
  const atMs = / GMT$/.test(header) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, Math.ceil((atMs - nowMs) / 1000));
}
