/** What Compute Engine says, in the port's own words. */
import { CloudError, type CloudErrorCode } from "../provider.ts";

/** Of HTTP; the library gives gRPC's numbers for some. https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const ofGrpc: Readonly<Record<number, number>> = { 3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 14: 503, 16: 401 };

export function statusOf(error: unknown): number | undefined {
  const { code } = error as { code?: unknown };
  const status = Number(code);
  return Number.isInteger(status) ? (ofGrpc[status] ?? status) : undefined;
}

export function cloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { message = String(error), code } = error as Error & { code?: unknown };
  const told = (found: CloudErrorCode): CloudError =>
    new CloudError(found, message.slice(0, 500), found === "throttled" ? 5_000 : null, { cause: error });
  if (/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH/.test(`${String(code)} ${message}`)) return told("unavailable");
  if (/ZONE_RESOURCE_POOL_EXHAUSTED|does not have enough resources|stockout/i.test(message)) return told("capacity");
  if (/quota/i.test(message)) return told("quota");
  if (/Could not load the default credentials|Unable to detect a Project/i.test(message)) return told("unauthorized");
  const status = statusOf(error);
  if (status === undefined) return told("unknown");
  if (status === 401 || status === 403) return told("unauthorized");
  if (status === 429) return told("throttled");
  if (status >= 500) return told("unavailable");
  if (status >= 400) return told("invalid");
  return told("unknown");
}
