/**
 * What the autoscaler knows and does, as data. Times are milliseconds since the epoch, durations milliseconds, rates
 * core-seconds per second, money US dollars.
 */
import type { Reason } from "../../protocol/rest.ts";
import type { CloudErrorCode, CloudInstance, Offering } from "./cloud/provider.ts";

export type PolicyName = "reactive" | "predictive" | "cost_optimized";

/** What the operator asks for. Names on the wire are those of the user's document, in snake case. */
export interface Target {
  /** Instances, never volunteers. */
  minNodes: number;
  maxNodes: number;
  /** Share of an instance's capacity that the plan counts on, 0 to 1. */
  targetCpu: number;
  /** Load (needed rate over the capacity there is) above which it buys, and below which it gives back. */
  scaleUpThreshold: number;
  scaleDownThreshold: number;
  /** The highest need of so long a window is what scale-down goes by. */
  cooldownMs: number;
  /** Sum of the prices of all instances that run or are being ordered; null: no limit. */
  dollarsPerHourMax: number | null;
  /** What a day (UTC) may cost, counting that everything ordered runs until its end. */
  dollarsPerDayMax: number | null;
}

/** A person's wish: at least, and at most, so many until then. Within maximum and budget all the same. */
export interface Manual {
  atLeast: number;
  /** Null: no ceiling of its own. */
  atMost: number | null;
  untilMs: number;
  by: string;
}

/**
 * INTENT: committed, no call made. REQUESTED: a call is, or was, under way. UNKNOWN: it was, and its outcome is not
 * known. LAUNCHED: the provider gave an id. REGISTERED: its worker said hello. DRAINING: it gets no new work.
 * TERMINATING: the provider is told to end it. GONE: two listings in a row do not have it. FAILED: the order was
 * refused, so that there never was an instance.
 */
export const ledgerStates = [
  "INTENT",
  "REQUESTED",
  "UNKNOWN",
  "LAUNCHED",
  "REGISTERED",
  "DRAINING",
  "TERMINATING",
  "GONE",
  "FAILED",
] as const;
export type LedgerState = (typeof ledgerStates)[number];

/** One call's worth of instances: what is sent again, to the letter, while its outcome is unknown. */
export interface OrderRow {
  token: string;
  offerings: readonly Offering[];
  count: number;
  lifetimeMs: number;
  createdAtMs: number;
  /** Calls made so far, and when the next one is due. */
  attempts: number;
  nextAttemptAtMs: number;
  reason: Reason;
}

export interface InstanceRow {
  /** Ours: the order's token and a number. */
  id: string;
  order: string;
  state: LedgerState;
  /** What it was, or will most probably be, launched as. */
  offering: Offering;
  /** The provider's id; null until known. */
  cloudId: string | null;
  /** The node that joined with its token, known or not which instance it is on. */
  node: string | null;
  createdAtMs: number;
  stateAtMs: number;
  launchedAtMs: number | null;
  registeredAtMs: number | null;
  /** When the drain must be over. */
  drainUntilMs: number | null;
  goneAtMs: number | null;
  /** Listings in a row that had no trace of it. */
  misses: number;
  /** Calls to end it, and when the next one is due. */
  terminations: number;
  nextTerminationAtMs: number;
  /** Why it is in this state. */
  reason: Reason;
}

/** Work of one kind that somebody pays for. */
export interface Demand {
  /** Jobs of one class fit the same machines. */
  class: string;
  needs: Needs;
  /** Estimated core-seconds that are left, queued and leased. */
  coreSeconds: number;
  /** Grains that are left: no more slots than that can be of use. */
  grains: number;
  /** When parts of it are due, cumulated; what is left out is due in the time that all work is promised in. */
  deadlines: readonly { atMs: number; coreSeconds: number }[];
  /** Where the work comes from, as a region; absent or null where nobody said. */
  region?: string | null;
}

export interface Needs {
  gpu: boolean;
  /** False when only a GPU can do it. */
  cpu: boolean;
  memoryBytes: number;
  engines: readonly string[];
}

/** A node that the autoscaler did not launch. */
export interface Volunteer {
  node: string;
  /** Run by the operator: it stays. */
  own: boolean;
  /** Core-seconds per second over all its slots, as measured. */
  rate: number;
  /** Probability that it is still here after `horizonMs`. */
  survival: number;
  needs: Needs;
}

/** The node that an instance became. */
export interface InstanceNode {
  node: string;
  online: boolean;
  lastSeenMs: number;
  /** Leases held. */
  leases: number;
  /** Since when it holds none; null while it holds some. */
  idleSinceMs: number | null;
  /** Busy slots over slots, lately. */
  utilisation: number;
  /** Core-seconds per second over all slots; null until measured. */
  rate: number | null;
  connectedAtMs: number;
}

export interface Observation {
  nowMs: number;
  /** When the figures below were true; older than `staleMs` and nothing is done. */
  measuredAtMs: number;
  demand: readonly Demand[];
  /** Core-seconds per second of paid work that will arrive over the lead time, beyond what is queued; at the quantile. */
  arrivals: { rate: number; source: "none" | "recent" | "forecast" };
  volunteers: readonly Volunteer[];
  /** Share of the volunteers' work that goes to paid jobs, 0 to 1. */
  volunteerShare: number;
  /** Compute spent for a unit of accepted work of volunteers, at least 1. */
  replication: number;
  nodes: ReadonlyMap<string, InstanceNode>;
  orders: readonly OrderRow[];
  instances: readonly InstanceRow[];
  offerings: readonly Offering[];
  /** What the provider lists, when it was asked anew since the last decision; else null. */
  listing: { atMs: number; instances: readonly CloudInstance[] } | null;
  manual: Manual | null;
  /** Spent today (UTC) so far. */
  dollarsToday: number;
}

/** What the shell does next, in this order. Everything carries a reason. */
export type Action =
  /** Commit the order and its rows as INTENT, then call. */
  | { type: "launch"; offerings: readonly Offering[]; count: number; reason: Reason }
  /** The same call again. */
  | { type: "replay"; order: string; reason: Reason }
  | { type: "drain"; instance: string; untilMs: number; reason: Reason }
  | { type: "undrain"; instance: string; reason: Reason }
  | { type: "terminate"; instance: string; reason: Reason }
  /** An instance of the cluster that no row knows. */
  | { type: "sweep"; cloudId: string; reason: Reason }
  /** An instance of an order of ours whose reply was lost: the row takes its id. */
  | { type: "adopt"; instance: string; cloudId: string; launchedAtMs: number; offering: string | null; reason: Reason }
  /** An order of unknown outcome of which nothing came, and nothing is wanted. */
  | { type: "abandon"; instance: string; reason: Reason }
  /** No trace is left. */
  | { type: "gone"; instance: string; reason: Reason }
  | { type: "missed"; instance: string; misses: number; reason: Reason };

export interface Decision {
  atMs: number;
  policy: PolicyName;
  /** Instances wanted, and had (running and on their way). */
  desired: number;
  have: number;
  /** Core-seconds per second: what is needed, what volunteers will probably give, what is left to buy. */
  neededRate: number;
  volunteerRate: number;
  shortfallRate: number;
  /** Why nothing more, or nothing less, was done. */
  holds: Reason[];
  /** What the operator must hear of. */
  alerts: Reason[];
  actions: Action[];
}

/** What a call came to, as the decision remembers it. */
export type Outcome =
  | { type: "refused"; offering: string; code: CloudErrorCode }
  | { type: "launched"; offering: string }
  | { type: "failed"; order: string; code: CloudErrorCode; retryAfterMs: number | null }
  | { type: "registered"; offering: string; bootMs: number }
  | { type: "never_registered"; offering: string }
  | { type: "interrupted"; offering: string; ranMs: number };
