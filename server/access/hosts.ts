/**
 * Which Host headers this server answers to. A page of a foreign site can make its own name resolve to
 * this machine (DNS rebinding) and is then of one origin with whatever answers; so only names known
 * beforehand are answered. An address cannot be rebound: that of the very socket is always known.
 */
import { hostName, isLoopbackHost, originAuthority, plainAddress } from "./addresses.ts";
import { AccessError, type RequestFacts } from "./caller.ts";

export class Hosts {
  private readonly names: ReadonlySet<string>;

  /** `allowed`: host names or addresses without port, as the operator gave them. */
  constructor(
    allowed: readonly string[],
    private readonly publicUrl: URL | null,
  ) {
    const names = allowed.map((name) => hostName(name) ?? name.toLowerCase());
    if (publicUrl !== null) names.push(hostName(publicUrl.host) ?? publicUrl.hostname);
    this.names = new Set(names);
  }

  /** Throws AccessError("foreign_host"). */
  check(facts: RequestFacts): void {
    const authority = facts.header("host") ?? "";
    const name = hostName(authority);
    if (name !== null && (isLoopbackHost(name) || this.names.has(name))) return;
    if (name !== null && name === plainAddress(facts.localAddress)) return;
    throw new AccessError(
      "foreign_host",
      `This coordinator does not answer to the host "${authority.slice(0, 100)}".`,
      {
        field: "header Host",
        remedy: "Use an address that the coordinator printed at start, or add this name to QUEZTL_ALLOW_HOSTS.",
      },
    );
  }

  /**
   * Whether the request's Origin is this server's own: its authority equals the Host header (which
   * `check` allowed), or it is the public URL's origin. A request without Origin is not judged here.
   */
  isOwnOrigin(facts: RequestFacts, origin: string): boolean {
    if (this.publicUrl !== null && origin.toLowerCase() === this.publicUrl.origin) return true;
    const authority = originAuthority(origin);
    return authority !== null && authority === facts.header("host")?.toLowerCase();
  }
}
