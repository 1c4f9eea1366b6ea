/**
 * The port to whoever rents out machines. The autoscaler's ledger makes every call safe to repeat, so an adapter only
 * has to be honest: say what it knows, and say `unknown` where it does not know whether a call took effect.
 *
 * Laws that `conformance.ts` holds every adapter to:
 * - `launch` is idempotent by `order.token` for at least as long as the coordinator may be down (EC2: a day): the same
 *   order again returns the same instances and starts nothing new.
 * - Every instance carries `tagsOf(order)` from its first moment, so that one whose reply was lost is found by `list`.
 * - `list` may lag behind `launch` and `terminate` by a minute or so; it never invents an instance.
 * - `terminate` is idempotent; an id that is gone already is no refusal.
 * - Each call settles within `callMsMax`; a timeout is a CloudError `unknown`.
 * - An instance ends by itself `boot.lifetimeMs` after it was launched, and after `boot.silenceMs` without an answer
 *   from the coordinator, whatever becomes of this process. Ending means that it costs nothing more.
 */

/** Milliseconds within which every call of an adapter settles. */
export const callMsMax = 60_000;
/** Instances of one order. */
export const orderInstancesMax = 50;
/** Offerings of one order; EC2 takes up to 60 types in one fleet request. */
export const orderOfferingsMax = 60;

export type Market = "spot" | "on_demand";

export interface Price {
  /** US dollars for one hour of one instance; 0 where nobody sends a bill. */
  dollarsPerHour: number;
  /** Where the figure comes from, for people: "EC2 DescribeSpotPriceHistory", "table of 2026-08". */
  source: string;
  asOfMs: number;
}

/** One thing that can be bought: a machine type in a place on a market. */
export interface Offering {
  /** `offeringId(...)`: stable over time; the price is not part of it. */
  id: string;
  type: string;
  /** The provider's own name of the region, as "us-east-1"; "local" where there are none. */
  region: string;
  /** Null where the provider chooses the zone. */
  zone: string | null;
  market: Market;
  /** Cores that the worker will use. */
  cores: number;
  memoryBytes: number;
  gpu: { name: string; count: number; memoryBytes: number } | null;
  /** Engines and accelerators that the image brings, as "ffmpeg" or "apple-ane". */
  engines: readonly string[];
  price: Price;
  /** Typical time from the order to the worker's hello, in milliseconds, until the autoscaler has measured it. */
  bootMs: number;
  /** Interruptions of one instance in an hour, as published; 0 for on-demand. Own experience is added to it. */
  interruptionsPerHour: number;
}

/** What an instance is given to start with. It is readable on the machine: it holds no cloud credential. */
export interface Boot {
  /** Where the instance reaches the coordinator; the worker is fetched from `<coordinatorUrl>/worker.mjs`. */
  coordinatorUrl: string;
  /**
   * Good for `count` identities, each bound to its first user. An instance that knows its own id in the cloud joins
   * with `<joinToken>:<id>`, so that the ledger learns which is which even if the launch's reply was lost.
   */
  joinToken: string;
  /** The instance ends itself this long after its launch. */
  lifetimeMs: number;
  /** And after so long without an answer from the coordinator. */
  silenceMs: number;
}

export interface LaunchOrder {
  /** Idempotency token: at most 64 characters of [a-z0-9-], unique for ever, committed before the first call. */
  token: string;
  /** Tag that marks all instances of one grid. */
  cluster: string;
  /** Acceptable, best first; at most `orderOfferingsMax`. All in one region. */
  offerings: readonly Offering[];
  /** 1 to `orderInstancesMax`. */
  count: number;
  boot: Boot;
}

export interface Launched {
  /** The provider's id of the instance. */
  id: string;
  /** Id of the offering that it came from. */
  offering: string;
}

/** Fewer instances than asked for is no error: `refusals` says why, per offering. */
export interface LaunchReply {
  instances: Launched[];
  refusals: { offering: string; code: CloudErrorCode; message: string }[];
}

export interface CloudInstance {
  id: string;
  /** The order's token, from the tag; null on an instance that lost it. */
  token: string | null;
  /** Offering id, as far as the provider tells. */
  offering: string | null;
  /** `ending` covers shutting-down, stopping and being deleted: it costs nothing more, or soon. */
  state: "starting" | "running" | "ending" | "gone";
  launchedAtMs: number;
  /** When the provider said that it will take the instance back; null while it did not. */
  interruptionAtMs: number | null;
}

export interface TerminateReply {
  /** Ids that are ending or gone. */
  accepted: string[];
  /** Ids that the provider will not end now, as with termination protection. */
  refusals: { id: string; code: CloudErrorCode; message: string }[];
}

export type CloudErrorCode =
  /** None of these machines to be had now: another type, zone or region may have some. */
  | "capacity"
  /** Too many calls: the same call again, later. `retryAfterMs` may say when. */
  | "throttled"
  /** The account may have no more of these. Like capacity, but it lasts. */
  | "quota"
  /** Credentials are missing, wrong or may not do this. Nothing helps but the operator. */
  | "unauthorized"
  /** The request is wrong: a type, image or parameter that is not there. Nothing took effect. */
  | "invalid"
  /** The provider is down or unreachable; nothing took effect. */
  | "unavailable"
  /** The outcome is not known: ask again with the same token. */
  | "unknown";

export class CloudError extends Error {
  override name = "CloudError";
  constructor(
    readonly code: CloudErrorCode,
    message: string,
    readonly retryAfterMs: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export interface CloudProvider {
  /** As in `--scale-provider`. */
  readonly name: string;
  /** Whether somebody sends a bill. Decides who pays for jobs that do not say: volunteers first where it does. */
  readonly priced: boolean;
  /** What can be bought now, with prices; cached by the adapter as its source allows. Throws CloudError. */
  offerings(): Promise<readonly Offering[]>;
  /** Throws CloudError when nothing was started, or when that is unknown. */
  launch(order: LaunchOrder): Promise<LaunchReply>;
  /** Instances of the cluster, of this and of earlier processes; `gone` ones may be missing. Throws CloudError. */
  list(cluster: string): Promise<readonly CloudInstance[]>;
  /** Throws CloudError when none was ended, or when that is unknown. */
  terminate(ids: readonly string[]): Promise<TerminateReply>;
  /** Frees sockets and timers of the adapter; instances live on. */
  close(): Promise<void>;
}

/** The key of an offering: what a capacity error is remembered under. */
export const offeringId = (market: Market, type: string, zone: string): string => `${market}:${type}:${zone}`;

/** Tags (labels) that every instance carries. Values fit the strictest provider: [a-z0-9-], at most 63 characters. */
export const tagsOf = (order: Pick<LaunchOrder, "cluster" | "token">): Record<string, string> => ({
  "queztl-cluster": order.cluster,
  "queztl-order": order.token,
});
