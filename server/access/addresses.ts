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
 * The network that an address is of, as far as identities are concerned: an IPv4 /24, an IPv6 /48, or this machine.
 * Whoever has one address of them mostly has, or can get, the others. Empty where the address is unknown.
 */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (isLoopbackAddress(plain)) return "loopback";
  const version = isIP(plain);
  if (version === 4) return `${plain.split(".").slice(0, 3).join(".")}.0/24`;
  if (version !== 6) return "";
  const [head = ""] = plain.split("::", 1);
  const groups = [...head.split(":").filter(Boolean), "0", "0", "0"].slice(0, 3);
  return `${groups.map((group) => Number.parseInt(group, 16).toString(16)).join(":")}::/48`;
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
