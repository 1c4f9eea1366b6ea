/** What Azure says, in the port's own words. Codes: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors */
import { CloudError, type CloudErrorCode } from "../provider.ts";

const patterns: readonly [RegExp, CloudErrorCode][] = [
  [/SkuNotAvailable|AllocationFailed|ZonalAllocationFailed|OverconstrainedAllocationRequest/, "capacity"],
  [/QuotaExceeded|OperationNotAllowed/, "quota"],
  [/TooManyRequests|SubscriptionRequestsThrottled|OperationPreempted/, "throttled"],
  [
    /Authorization|Authentication|InvalidAuthenticationToken|CredentialUnavailable|ExpiredAuthenticationToken/,
    "unauthorized",
  ],
];

export const statusOf = (error: unknown): number | undefined => (error as { statusCode?: number }).statusCode;

export function cloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { name, message = String(error), code = "" } = error as Error & { code?: string };
  const told = (found: CloudErrorCode): CloudError =>
    new CloudError(found, `${code}: ${message}`.slice(0, 500), found === "throttled" ? 5_000 : null, { cause: error });
  if (/ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH/.test(`${code} ${message}`)) return told("unavailable");
  const found = patterns.find(([pattern]) => pattern.test(`${code} ${name}`));
  if (found) return told(found[1]);
  const status = statusOf(error);
  if (status === undefined) return told("unknown");
  if (status === 401 || status === 403) return told("unauthorized");
  if (status === 429) return told("throttled");
  if (status >= 500) return told("unavailable");
  return told("invalid");
}
