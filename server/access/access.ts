/**
 * Who may do what. One `Access` serves HTTP and WebSocket upgrades alike: `admit` looks at every request,
 * `caller` says who is asking, `require` refuses with what to do about it.
 */
import type { Health, Scope } from "../../protocol/rest.ts";
import { isLoopbackAddress, plainAddress } from "./addresses.ts";
import { type BucketRate, Buckets } from "./buckets.ts";
import { AccessError, anonymous, type Caller, local, operator, type RequestFacts } from "./caller.ts";
import { Hosts } from "./hosts.ts";
import { type AskOwner, Keyless, type KeylessOptions } from "./keyless.ts";
import type { Keyring } from "./keyring.ts";
import { Links } from "./links.ts";
import { sameSecret } from "./secrets.ts";
import { readCookie, Sessions, sessionCookie } from "./sessions.ts";

export interface AccessOptions {
  /** At least 32 characters, random. */
  operatorToken: string;
  /** Where strangers reach this coordinator, when the operator said so. */
  publicUrl: URL | null;
  /** Host names and addresses, beside loopback and the public URL, that this server answers to. */
  allowedHosts: readonly string[];
  /** Addresses of proxies whose X-Forwarded-For is believed. */
  trustedProxies: readonly string[];
  tls: boolean;
  service: boolean;
  now: () => number;
  print: (line: string) => void;
  askOwner: AskOwner;
  /** Uid of this process; null where the system has none. */
  ownUid: number | null;
  rates?: Partial<Rates>;
}

export interface Rates {
  /** Wrong credentials, per address. */
  failures: BucketRate;
  /** Submissions, per key. */
  submissions: BucketRate;
  /** Requests to the API from other machines, per address (IPv6: per /64). */
  requests: BucketRate;
  /** Codes made and tried that take an identity to another device, per address. */
  links: BucketRate;
}

export const defaultRates: Rates = {
  failures: { perSecond: 0.2, burst: 10 },
  submissions: { perSecond: 100, burst: 500 },
  requests: { perSecond: 50, burst: 300 },
  links: { perSecond: 0.1, burst: 10 },
};

export class Access {
  readonly keyless: Keyless;
  readonly hosts: Hosts;
  readonly sessions: Sessions;
  readonly links: Links;
  private readonly failures: Buckets;
  private readonly submissions: Buckets;
  private readonly requests: Buckets;
  private readonly linkTries: Buckets;
  private readonly proxies: ReadonlySet<string>;

  constructor(
    private readonly options: AccessOptions,
    readonly keyring: Keyring,
  ) {
    if (options.operatorToken.length < 32) throw new Error("The operator's token must have at least 32 characters.");
    const keylessOptions: KeylessOptions = {
      publicUrl: options.publicUrl !== null,
      tls: options.tls,
      service: options.service,
      trustedProxies: options.trustedProxies.length > 0,
    };
    this.hosts = new Hosts(options.allowedHosts, options.publicUrl);
    this.keyless = new Keyless(keylessOptions, this.hosts, options.askOwner, options.ownUid, options.print);
    this.sessions = new Sessions(options.now);
    this.links = new Links(options.now);
    const rates = { ...defaultRates, ...options.rates };
    this.failures = new Buckets(rates.failures, options.now);
    this.submissions = new Buckets(rates.submissions, options.now);
    this.requests = new Buckets(rates.requests, options.now);
    this.linkTries = new Buckets(rates.links, options.now);
    this.proxies = new Set(options.trustedProxies.map(plainAddress));
  }

  /** Before anything else: watches for proxies, refuses foreign hosts. Throws AccessError. */
  admit(facts: RequestFacts): void {
    this.keyless.observe(facts);
    this.hosts.check(facts);
  }

  /** Bounds what one other machine may ask of the API. Throws AccessError("rate_limited"). */
  limitRequests(facts: RequestFacts): void {
    if (isLoopbackAddress(facts.peer) && this.keyless.off === null) return;
    const seconds = this.requests.take(network(this.clientAddress(facts)));
    if (seconds > 0) throw rateLimited("Too many requests from this address.", seconds);
  }

  /** Bounds what one key may submit. Throws AccessError("rate_limited"). */
  limitSubmissions(caller: Caller): void {
    if (caller.kind !== "key" || caller.id === null) return;
    const seconds = this.submissions.take(caller.id);
    if (seconds > 0) throw rateLimited("This key submits too fast.", seconds);
  }

  /** Bounds how many codes of another device one address may make or try. Throws AccessError("rate_limited"). */
  limitLinks(facts: RequestFacts): void {
    const seconds = this.linkTries.take(network(this.clientAddress(facts)));
    if (seconds > 0) throw rateLimited("Too many codes from this address.", seconds);
  }

  /** Who asks. Throws AccessError for wrong credentials; a request without any is `anonymous` or `local`. */
  async caller(facts: RequestFacts): Promise<Caller> {
    const authorization = facts.header("authorization");
    if (authorization !== undefined) return this.bearer(facts, authorization);
    const session = this.session(facts);
    if (session !== null) return session;
    return (await this.keyless.refusal(facts)) === null ? local : anonymous;
  }

  /** The caller, if it has the scope. Throws AccessError("unauthenticated" | "forbidden"). */
  async require(facts: RequestFacts, scope: Scope): Promise<Caller> {
    const caller = await this.caller(facts);
    if (caller.scopes.includes(scope)) return caller;
    if (caller.kind === "anonymous") throw await this.unauthenticated(facts, scope);
    throw new AccessError(
      "forbidden",
      `This needs the scope "${scope}"; yours: ${caller.scopes.join(", ") || "none"}.`,
      {
        field: "header Authorization",
        remedy:
          scope === "submit"
            ? "Use a key with this scope."
            : "Use the operator's token, which the coordinator printed at start, or a key with this scope.",
      },
    );
  }

  /** What a caller without credentials is told, the reason why it is not the local user included. */
  async unauthenticated(facts: RequestFacts, scope: Scope): Promise<AccessError> {
    const why = scope === "submit" || scope === "read" ? await this.keyless.refusal(facts) : null;
    const detail = `This needs a credential with the scope "${scope}".${why === null ? "" : ` ${why.message}`}`;
    return new AccessError("unauthenticated", detail, {
      field: "header Authorization",
      remedy:
        scope === "submit"
          ? 'Send "Authorization: Bearer qk_..." with an API key; the operator makes one with POST /api/v1.2/keys.'
          : 'Send "Authorization: Bearer ..." with the operator\'s token or a key that has this scope.',
    });
  }

  /** Exchanges the operator's token for a session. Throws AccessError. */
  beginSession(facts: RequestFacts, token: string): { cookie: string; expiresAtMs: number } {
    this.requireSameSite(facts);
    this.verifyOperator(facts, token);
    return this.sessions.begin();
  }

  operatorUntil(expiresAtMs: number): Caller {
    return operator(expiresAtMs);
  }

  /** Ends a session, if there is one. Throws AccessError("cross_site"): others may not log the operator out. */
  endSession(facts: RequestFacts, cookie: string | null): void {
    this.requireSameSite(facts);
    if (cookie !== null) this.sessions.end(cookie);
  }

  health(): Health["keyless_loopback"] {
    return { enabled: this.keyless.off === null, reason: this.keyless.off };
  }

  /** The client's address: the peer's, or what a trusted proxy says it is. */
  clientAddress(facts: RequestFacts): string {
    let address = plainAddress(facts.peer);
    const hops = (facts.header("x-forwarded-for") ?? "").split(",").map((hop) => plainAddress(hop.trim()));
    while (this.proxies.has(address)) {
      const hop = hops.pop();
      if (hop === undefined || hop === "") break;
      address = hop;
    }
    return address;
  }

  private bearer(facts: RequestFacts, authorization: string): Caller {
    const token = /^Bearer +(\S{1,512})$/i.exec(authorization)?.[1];
    if (token === undefined) {
      throw new AccessError("unauthenticated", "The Authorization header is not of the form Bearer <token>.", {
        field: "header Authorization",
        remedy: 'Send "Authorization: Bearer <key or token>".',
      });
    }
    if (!token.startsWith("qk_")) {
      this.verifyOperator(facts, token);
      return operator(null);
    }
    this.refuseGuessers(facts);
    const caller = this.keyring.verify(token);
    if (caller === null) throw this.wrong(facts, "This API key is unknown or revoked.");
    return caller;
  }

  /** The operator's session cookie, which counts only for requests of our own pages. */
  private session(facts: RequestFacts): Caller | null {
    const cookie = readCookie(facts.header("cookie"), sessionCookie);
    const end = cookie === null ? null : this.sessions.find(cookie);
    if (end === null) return null;
    this.requireSameSite(facts);
    return operator(end);
  }

  /**
   * Cross-site request forgery: what changes something must say that it comes from our own origin (or from
   * no browser at all, for the exchange of a token); what only reads must not say that it comes from another.
   */
  private requireSameSite(facts: RequestFacts): void {
    const origin = facts.header("origin");
    const site = facts.header("sec-fetch-site");
    const reading = facts.method === "GET" || facts.method === "HEAD";
    const hasCookie = readCookie(facts.header("cookie"), sessionCookie) !== null;
    const foreign = (origin !== undefined && !this.hosts.isOwnOrigin(facts, origin)) || isForeignSite(site);
    const silent = !reading && hasCookie && origin === undefined && site !== "same-origin";
    if (!foreign && !silent) return;
    throw new AccessError("cross_site", "A session cookie counts only for requests of this coordinator's own pages.", {
      field: origin === undefined ? "header Sec-Fetch-Site" : "header Origin",
      remedy: "Use the dashboard, or send the operator's token in the Authorization header instead of a cookie.",
    });
  }

  private verifyOperator(facts: RequestFacts, token: string): void {
    this.refuseGuessers(facts);
    if (!sameSecret(token, this.options.operatorToken)) throw this.wrong(facts, "This is not the operator's token.");
  }

  private refuseGuessers(facts: RequestFacts): void {
    const seconds = this.failures.wait(network(this.clientAddress(facts)));
    if (seconds === 0) return;
    throw new AccessError("too_many_failures", "Too many wrong credentials from this address.", {
      field: "header Authorization",
      remedy: `Try again in ${seconds} s with the right one.`,
      retryAfterSeconds: seconds,
    });
  }

  private wrong(facts: RequestFacts, message: string): AccessError {
    this.failures.take(network(this.clientAddress(facts)));
    return new AccessError("unauthenticated", message, {
      field: "header Authorization",
      remedy: "The operator's token was printed when the coordinator started; keys come from POST /api/v1.2/keys.",
    });
  }
}

const isForeignSite = (site: string | undefined): boolean =>
  site !== undefined && site !== "same-origin" && site !== "none";

const rateLimited = (message: string, seconds: number): AccessError =>
  new AccessError("rate_limited", message, {
    remedy: `Wait ${seconds} s, as Retry-After says, or submit larger jobs.`,
    retryAfterSeconds: seconds,
  });

/** What a bucket counts: an IPv4 address, or the /64 that one IPv6 subscriber has. */
export function network(address: string): string {
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.split("::", 2);
  const left = head.split(":").filter(Boolean);
  const right = (tail ?? "").split(":").filter(Boolean);
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  return `${[...left, ...zeros, ...right].slice(0, 4).join(":")}::/64`;
}
