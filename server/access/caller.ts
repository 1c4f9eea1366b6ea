/** Who is asking, as the routes see it. */
import type { Scope } from "../../protocol/rest.ts";

export interface Caller {
  kind: "operator" | "key" | "local" | "anonymous";
  /** Submitter id of the caller's jobs: "operator", "local" or the key's id. Null for a stranger. */
  id: string | null;
  scopes: readonly Scope[];
  /** End of a cookie session in ms since 1970; null for other callers. */
  expiresAtMs: number | null;
  /** Of a key's jobs, where they do not say. */
  supply?: "volunteers" | "paid" | null;
  region?: string | null;
}

export const anonymous: Caller = { kind: "anonymous", id: null, scopes: [], expiresAtMs: null };
/** Keyless loopback: may submit and read, never manage keys, never spend money. */
export const local: Caller = { kind: "local", id: "local", scopes: ["submit", "read"], expiresAtMs: null };
export const operator = (expiresAtMs: number | null): Caller => ({
  kind: "operator",
  id: "operator",
  scopes: ["submit", "read", "admin", "scale"],
  expiresAtMs,
});

/** Whether the caller may see and cancel what `submitter` submitted. */
export const owns = (caller: Caller, submitter: string): boolean =>
  caller.id === submitter || caller.scopes.includes("admin");

/** Whether the caller may see payload and output of `submitter`'s job. */
export const reads = (caller: Caller, submitter: string): boolean =>
  owns(caller, submitter) || caller.scopes.includes("read");

/** What decides about a request, apart from its body. Header names are lower case. */
export interface RequestFacts {
  method: string;
  /** Address of the socket's other end; empty when unknown. */
  peer: string;
  /** Port of the socket's other end; 0 when unknown. */
  peerPort: number;
  /** Address of our end of the socket; empty when unknown. */
  localAddress: string;
  /** "1.0", "1.1", "2.0". */
  httpVersion: string;
  header(name: string): string | undefined;
}

/** A refusal by `access/`: `status` is HTTP's, `retryAfterSeconds` accompanies 429. */
export class AccessError extends Error {
  override name = "AccessError";
  constructor(
    readonly code:
      | "unauthenticated"
      | "forbidden"
      | "foreign_host"
      | "cross_site"
      | "too_many_failures"
      | "rate_limited",
    message: string,
    readonly details: { field?: string; remedy?: string; retryAfterSeconds?: number } = {},
  ) {
    super(message);
  }
}
