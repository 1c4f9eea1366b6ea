/** A curl command that works as it stands, for people whose request did not. */
import type { WorkloadType } from "../../../protocol/rest.ts";
import type { Caller, RequestFacts } from "../../access/caller.ts";

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Where the caller reached us. Host was checked against the allow-list before. */
export const baseUrl = (facts: RequestFacts, publicUrl: URL | null, tls = false): string =>
  publicUrl?.origin ?? `${tls ? "https" : "http"}://${facts.header("host") ?? "localhost"}`;

export function workingCurl(
  types: readonly WorkloadType[],
  facts: RequestFacts,
  publicUrl: URL | null,
  caller: Caller["kind"],
): string | undefined {
  // A kind of work that volunteers take unasked is the likelier to finish.
  const type = types.find((candidate) => !candidate.family.opt_in) ?? types[0];
  const example = type?.examples[0];
  if (type === undefined || example === undefined) return undefined;
  const body = JSON.stringify({ workload_type: type.type, payload: example.payload });
  return [
    `curl -X POST ${baseUrl(facts, publicUrl)}/api/v1.2/workload/submit`,
    ...(caller === "local" ? [] : ['-H "Authorization: Bearer $QUEZTL_KEY"']),
    '-H "Content-Type: application/json"',
    `-d ${quoted(body)}`,
  ].join(" ");
}
