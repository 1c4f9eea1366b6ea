/** What EC2 says, in the port's own words. Codes: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html */
import { CloudError, type CloudErrorCode } from "../provider.ts";

const patterns: readonly [RegExp, CloudErrorCode][] = [
  [
    /^(?:Insufficient(?:Instance|Host|ReservedInstance)?Capacity|SpotMaxPriceTooLow|UnfulfillableCapacity|InsufficientFreeAddresses)/,
    "capacity",
  ],
  [/(?:LimitExceeded|MaxSpotInstanceCountExceeded|MaxSpotFleetRequestCountExceeded|QuotaExceeded)$/, "quota"],
  [
    /^(?:RequestLimitExceeded|Throttling|ThrottlingException|TooManyRequestsException|RequestThrottled|EC2ThrottledException|PriorRequestNotComplete)/,
    "throttled",
  ],
  [
    /^(?:UnauthorizedOperation|AuthFailure|InvalidClientTokenId|ExpiredToken|OptInRequired|Blocked|SignatureDoesNotMatch|AccessDenied|CredentialsProviderError|UnrecognizedClientException|PendingVerification)/,
    "unauthorized",
  ],
  [
    /^(?:Invalid|Unsupported|Missing|Unknown|Malformed|IdempotentParameterMismatch|ValidationError|OperationNotPermitted|IncorrectState)/,
    "invalid",
  ],
  [/^(?:ServiceUnavailable|Unavailable)/, "unavailable"],
];

/** RequestLimitExceeded is no quota, though it ends like one. */
export function codeOf(name: string): CloudErrorCode {
  if (/^RequestLimitExceeded/.test(name)) return "throttled";
  return patterns.find(([pattern]) => pattern.test(name))?.[1] ?? "unknown";
}

/** Of the network: nothing took effect, as far as a connection that never was can tell. */
const unreachable = /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$/;

export function cloudError(error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { name = "Error", message = String(error), code, errno } = error as Error & { code?: string; errno?: string };
  const system = String(code ?? errno ?? "");
  if (unreachable.test(system))
    return new CloudError("unavailable", `EC2 cannot be reached (${system}).`, null, { cause: error });
  const found = codeOf(name);
  return new CloudError(found, `${name}: ${message}`.slice(0, 500), found === "throttled" ? 5_000 : null, {
    cause: error,
  });
}
