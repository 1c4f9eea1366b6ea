/**
 * How many identities that the record does not know may come from one network. A key pair costs nothing, so whoever
 * was caught can come back as somebody else; this bounds how often. Networks are held in memory only, and no address is.
 */
import { Buckets } from "./buckets.ts";

/** New identities of one network in an hour, unless the operator says otherwise: a school's, not a botnet's. */
export const newIdentitiesDefault = 256;

export class Newcomers {
  readonly #buckets: Buckets;

  constructor(perHour: number = newIdentitiesDefault, now: () => number = Date.now) {
    this.#buckets = new Buckets({ perSecond: perHour / 3_600, burst: perHour }, now);
  }

  /** 0 where another may come now, else the seconds until then. Whoever is on this machine is the operator's guest. */
  admit(network: string): number {
    return network === "loopback" || network === "" ? 0 : this.#buckets.take(network);
  }
}
