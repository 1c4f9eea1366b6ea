/**
 * Cookie sessions of the operator's browser, in memory: a restart ends them. Only the hash of a cookie is
 * kept, so that a dump of memory holds no live session.
 */
import { randomSecret, sha256 } from "./secrets.ts";

export const sessionCookie = "queztl_session";
export const sessionMsMax = 12 * 60 * 60 * 1000;
/** The oldest session ends when another begins beyond this. */
export const sessionsMax = 64;

export class Sessions {
  /** Hash of the cookie -> end in ms since 1970, oldest first. */
  private readonly ends = new Map<string, number>();

  constructor(private readonly now: () => number) {}

  /** The cookie's value. */
  begin(): { cookie: string; expiresAtMs: number } {
    for (const [hash, end] of this.ends) if (end <= this.now()) this.ends.delete(hash);
    const oldest = this.ends.size >= sessionsMax ? this.ends.keys().next().value : undefined;
    if (oldest !== undefined) this.ends.delete(oldest);
    const cookie = randomSecret();
    const expiresAtMs = this.now() + sessionMsMax;
    this.ends.set(name(cookie), expiresAtMs);
    return { cookie, expiresAtMs };
  }

  /** End of the session, or null when it is none or over. Looking up a hash tells nothing by its time. */
  find(cookie: string): number | null {
    const end = this.ends.get(name(cookie));
    return end !== undefined && end > this.now() ? end : null;
  }

  end(cookie: string): void {
    this.ends.delete(name(cookie));
  }

  get size(): number {
    return this.ends.size;
  }
}

const name = (cookie: string): string => sha256(cookie).toString("hex");

/** Value of one cookie in a Cookie header. */
export function readCookie(header: string | undefined, wanted: string): string | null {
  for (const part of (header ?? "").split(";", 50)) {
    const equals = part.indexOf("=");
    if (equals > 0 && part.slice(0, equals).trim() === wanted) return part.slice(equals + 1).trim();
  }
  return null;
}
