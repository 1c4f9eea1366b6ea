/** Addresses and Host headers, as text. Nothing here resolves a name. */
import { BlockList, isIP } from "node:net";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** An IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d` becomes `a.b.c.d`. */
export const plainAddress = (address: string): string =>
  address.toLowerCase().startsWith("::ffff:") && isIP(address.slice(7)) === 4 ? address.slice(7) : address;

export function isLoopbackAddress(address: string): boolean {
  const plain = plainAddress(address);
  const version = isIP(plain);
  return version !== 0 && loopback.check(plain, version === 4 ? "ipv4" : "ipv6");
}

/**
 * Host name of a Host header or of an origin's authority: lower case, without port, final dot and
 * brackets. Null when it is none.
 */
export function hostName(authority: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(authority);
  const name = match?.[1] ?? match?.[2];
  if (name === undefined || (match?.[1] !== undefined && isIP(name) !== 6)) return null;
  return name.toLowerCase().replace(/\.$/, "");
}

/** `localhost` and addresses of the loopback interface. Other names may be rebound to it by their owner. */
export const isLoopbackHost = (name: string): boolean => name === "localhost" || isLoopbackAddress(name);

/** Authority (`host:port`) of an Origin header; null for `null` and what is no http origin. */
export function originAuthority(origin: string): string | null {
  const match = /^https?:\/\/([^/?#@\s]+)$/i.exec(origin);
  return match?.[1] === undefined ? null : match[1].toLowerCase();
}
