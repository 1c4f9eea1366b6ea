/** Asks the provider what it lists and what it offers, often while something is under way and seldom while nothing is. */
import type { Reason } from "../../../protocol/rest.ts";
import type { Clock } from "../clock.ts";
import type { CloudInstance, CloudProvider, Offering } from "../cloud/provider.ts";
import { callMsMax } from "../cloud/provider.ts";
import { inTime } from "./in-time.ts";

/** Milliseconds. */
export interface Timing {
  /** Between two looks. */
  tickMs: number;
  /** Between two listings while something is under way, and while nothing is. */
  listMs: number;
  quietListMs: number;
  /** Between two questions for offerings and prices; a question that failed is asked again after `listMs`. */
  offeringsMs: number;
  /** Nothing is decided so soon after the start while nodes that are on record are not back, nor before the first of these. */
  graceMs: number;
  graceMsMin: number;
}

export const cloudTiming: Timing = {
  tickMs: 5_000,
  listMs: 10_000,
  quietListMs: 120_000,
  offeringsMs: 900_000,
  graceMs: 30_000,
  graceMsMin: 2_000,
};

export const localTiming: Timing = {
  tickMs: 500,
  listMs: 1_000,
  quietListMs: 10_000,
  offeringsMs: 60_000,
  graceMs: 2_000,
  graceMsMin: 2_000,
};

/** Listings right after the start come as often as while something is under way: an earlier process may have left some. */
const firstListings = 20;

export interface UpkeepOptions {
  provider: CloudProvider;
  clock: Clock;
  cluster: string;
  timing: Timing;
  isBusy(): boolean;
  listed(listing: { atMs: number; instances: readonly CloudInstance[] }): void;
  offered(offerings: readonly Offering[]): void;
  trouble(what: string, reason: Reason | null): void;
}

export class Upkeep {
  #listings = 0;
  #nextListingMs = 0;
  #nextOfferingsMs = 0;
  #listing = false;
  #offering = false;

  constructor(private readonly options: UpkeepOptions) {}

  look(): void {
    const now = this.options.clock.now();
    if (!this.#offering && now >= this.#nextOfferingsMs) void this.#offerings(now);
    if (!this.#listing && now >= this.#nextListingMs) void this.#list(now);
    else if (this.options.isBusy())
      this.#nextListingMs = Math.min(this.#nextListingMs, now + this.options.timing.listMs);
  }

  async #list(askedMs: number): Promise<void> {
    const { provider, clock, cluster, timing, isBusy, listed, trouble } = this.options;
    this.#listing = true;
    try {
      const instances = await inTime(clock, callMsMax, provider.list(cluster));
      // True of the time when it was asked: what came since may be missing.
      listed({ atMs: askedMs, instances });
      trouble("listing", null);
    } catch (error) {
      trouble("listing", { code: "listing_failed", message: `Instances cannot be listed: ${said(error)}` });
    }
    this.#listing = false;
    const often = ++this.#listings <= firstListings || isBusy();
    this.#nextListingMs = clock.now() + (often ? timing.listMs : timing.quietListMs);
  }

  async #offerings(now: number): Promise<void> {
    const { provider, clock, timing, offered, trouble } = this.options;
    this.#offering = true;
    this.#nextOfferingsMs = now + timing.listMs;
    try {
      offered(await inTime(clock, callMsMax, provider.offerings()));
      this.#nextOfferingsMs = clock.now() + timing.offeringsMs;
      trouble("offerings", null);
    } catch (error) {
      trouble("offerings", { code: "offerings_failed", message: `What can be bought is not known: ${said(error)}` });
    }
    this.#offering = false;
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
