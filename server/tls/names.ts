/** What this host is called, by itself, by its networks and by its operator. */
import { hostname } from "node:os";
import type { LanAddress } from "../first-minutes/addresses.ts";

export interface Called {
  host: string;
  publicUrl: URL | null;
  allowedHosts: readonly string[];
}

/** What a certificate can be for: host names in ASCII, and addresses. */
const nameable = /^(?:[a-z0-9](?:[a-z0-9._-]{0,250}[a-z0-9])?|[0-9a-f:]+)$/i;

/** With the name under which a LAN without a name server finds it (RFC 6762). */
export function hostNames(own = hostname()): string[] {
  return own.includes(".") ? [own] : [own, `${own}.local`];
}

/** All names and addresses that a certificate of this host is for, its own name first. */
export function ownNames(called: Called, hosts: readonly string[], lan: readonly LanAddress[]): string[] {
  const { host, publicUrl, allowedHosts } = called;
  const everywhere = host === "0.0.0.0" || host === "::";
  const names = [
    ...hosts,
    ...["localhost", "127.0.0.1", "::1"],
    ...(publicUrl ? [publicUrl.hostname] : []),
    ...(everywhere ? [] : [host]),
    ...lan.map(({ address }) => address),
    // Addresses of IPv6 change by the day, and each change would be a new certificate to be trusted.
    ...allowedHosts.filter((name) => !name.includes(":")),
  ];
  return [...new Set(names.map((name) => name.toLowerCase()))].filter((name) => nameable.test(name));
}
