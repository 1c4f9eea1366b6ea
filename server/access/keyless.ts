/**
 * Keyless loopback: a program on the coordinator's own machine may submit work without a key. Anything
 * that could be someone else speaking through such a program (a web page, a proxy, a rebound name) is
 * refused, and evidence of a proxy turns the mode off until the next start.
 */
import type { Reason } from "../../protocol/rest.ts";
import { hostName, isLoopbackAddress, isLoopbackHost } from "./addresses.ts";
import type { RequestFacts } from "./caller.ts";
import type { Hosts } from "./hosts.ts";

/** Circumstances of the start under which the mode is off from the beginning. */
export interface KeylessOptions {
  publicUrl: boolean;
  tls: boolean;
  /** Started by systemd or another service manager: nobody sits before it. */
  service: boolean;
  trustedProxies: boolean;
}

/** Headers that proxies add, and that no program submitting work has a reason to send. */
export const forwardingHeaders = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-forwarded-server",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-original-forwarded-for",
  "true-client-ip",
  "cf-connecting-ip",
  "cf-ray",
  "fly-client-ip",
  "fastly-client-ip",
  "x-amzn-trace-id",
  "x-envoy-external-address",
  "x-request-start",
  "cdn-loop",
] as const;

/** Asks who runs the process at the other end of the request's connection; see peer-owner.ts. */
export type AskOwner = (facts: RequestFacts) => Promise<number | "unknown" | "gone">;

export class Keyless {
  private offReason: Reason | null;

  constructor(
    options: KeylessOptions,
    private readonly hosts: Hosts,
    private readonly askOwner: AskOwner,
    private readonly ownUid: number | null,
    private readonly print: (line: string) => void,
  ) {
    this.offReason = startReason(options);
  }

  /** Why the mode is off for everyone, or null while it is on. */
  get off(): Reason | null {
    return this.offReason;
  }

  /**
   * Watches every request, whatever it asks for: a foreign Host or Origin that comes from a loopback peer
   * shows that others reach this port through this machine. Cheap: no I/O.
   */
  observe(facts: RequestFacts): void {
    if (this.offReason !== null || !isLoopbackAddress(facts.peer)) return;
    const host = facts.header("host") ?? "";
    const name = hostName(host);
    if (host !== "" && (name === null || !isLoopbackHost(name))) {
      this.latch("foreign_host", `a local connection carried the host "${host.slice(0, 100)}"`);
      return;
    }
    const origin = facts.header("origin");
    if (origin !== undefined && !this.hosts.isOwnOrigin(facts, origin)) {
      this.latch("foreign_origin", `a local connection carried the origin "${origin.slice(0, 100)}"`);
    }
  }

  /** Null when the request may act as the local user, else why not. */
  async refusal(facts: RequestFacts): Promise<Reason | null> {
    return this.offReason ?? this.unlikeLocal(facts) ?? (await this.foreignOwner(facts));
  }

  private unlikeLocal(facts: RequestFacts): Reason | null {
    const no = (code: string, message: string): Reason => ({ code, message });
    if (!isLoopbackAddress(facts.peer)) return no("not_loopback", "The connection comes from another machine.");
    const name = hostName(facts.header("host") ?? "");
    if (name === null || !isLoopbackHost(name)) return no("foreign_host", "The Host header is no loopback name.");
    if (facts.httpVersion === "1.0") return no("http_1_0", "HTTP/1.0 is what reverse proxies speak.");
    for (const header of forwardingHeaders) {
      if (facts.header(header) !== undefined) return no("forwarded", `The header ${header} shows a proxy.`);
    }
    const origin = facts.header("origin");
    const site = facts.header("sec-fetch-site");
    if (origin !== undefined && !this.hosts.isOwnOrigin(facts, origin)) {
      return no("foreign_origin", "The request comes from a page of another site.");
    }
    if (site !== undefined && site !== "same-origin" && site !== "none") {
      return no("cross_site", "The browser says that another site made this request.");
    }
    const changes = facts.method !== "GET" && facts.method !== "HEAD" && facts.method !== "DELETE";
    if (changes && !isJson(facts.header("content-type")) && !isBytes(facts.header("content-type"))) {
      return no(
        "not_json",
        "Only application/json, and application/octet-stream for uploads, are taken without a key: forms of foreign pages cannot send them.",
      );
    }
    return null;
  }

  private async foreignOwner(facts: RequestFacts): Promise<Reason | null> {
    if (this.ownUid === null) return null;
    const owner = await this.askOwner(facts);
    if (owner === "unknown" || owner === this.ownUid) return null;
    return {
      code: "foreign_owner",
      message:
        owner === "gone"
          ? "The program that asked has closed its connection."
          : `The program that asked runs as user ${owner}, the coordinator as user ${this.ownUid}.`,
    };
  }

  private latch(code: string, evidence: string): void {
    const message = `Keyless loopback is off until the next start: ${evidence}, so a proxy, a tunnel or a web page reaches this port.`;
    this.offReason = { code, message };
    this.print(message);
  }
}

export const isJson = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^application\/json\s*(?:;\s*charset="?utf-?8"?\s*)?$/i.test(contentType.trim());

/** Of an upload: no form of a page sends this. */
export const isBytes = (contentType: string | undefined): boolean =>
  contentType !== undefined && /^application\/octet-stream$/i.test(contentType.trim());

function startReason(options: KeylessOptions): Reason | null {
  const off = (code: string, why: string): Reason => ({ code, message: `Keyless loopback is off: ${why}.` });
  if (options.publicUrl) return off("public_url", "a public URL is set");
  if (options.tls) return off("tls", "the coordinator serves TLS");
  if (options.service) return off("service", "the coordinator runs as a service");
  if (options.trustedProxies) return off("trusted_proxies", "trusted proxies are set");
  return null;
}
