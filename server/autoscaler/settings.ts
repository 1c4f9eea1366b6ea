/** Figures that the decision goes by. Where they come from is said beside each. */
export interface Settings {
  /** Paid work is planned to be done so long after it came: sooner, since instances are planned at less than full load. */
  drainMs: number;
  /** A deadline nearer than this is met as well as can be. */
  leadMs: number;
  /** Figures older than this decide nothing (Buildkite's scaler: 2 min). */
  staleMs: number;
  /** No more than doubled, or `upNodesMin` more, within this time (Kubernetes HPA: +100 % or +4 in 15 s). */
  upWindowMs: number;
  upNodesMin: number;
  /** Of busy instances, no more than this share is given back in a minute. */
  downShareOfMinute: number;
  /** An instance without a lease for so long may be given back: about what booting one costs (cluster-autoscaler: 10 min). */
  idleMs: number;
  /** What experience may make of it. */
  idleMsMin: number;
  idleMsMax: number;
  /** An instance keeps its leases so long while it is drained (a spot notice is 2 min). */
  drainDeadlineMs: number;
  /** From launch to hello at most (Karpenter: 15 min). */
  registrationMs: number;
  /** A registered instance without a connection for so long is given up. */
  lostMs: number;
  /** A listing may be behind by so much (EC2 is eventually consistent). */
  listingLagMs: number;
  /** Orders of unknown outcome are asked about for so long; then only listings are believed. */
  orderMsMax: number;
  lifetimeMs: number;
  /** An instance ends itself after so long without the coordinator. */
  silenceMs: number;
  /** An offering without capacity is not asked for; each refusal doubles the time (Karpenter: 3 min). */
  blockedMs: number;
  blockedMsMax: number;
  /** After this many failures in a row nothing is launched for `breakerMs`, doubled each time (Ray: 5). */
  failuresMax: number;
  breakerMs: number;
  breakerMsMax: number;
  /** Instances on their way at a time. */
  inFlightMax: number;
}

export const defaultSettings: Settings = {
  drainMs: 500_000,
  leadMs: 60_000,
  staleMs: 120_000,
  upWindowMs: 15_000,
  upNodesMin: 4,
  downShareOfMinute: 0.25,
  idleMs: 90_000,
  idleMsMin: 5_000,
  idleMsMax: 300_000,
  drainDeadlineMs: 120_000,
  registrationMs: 600_000,
  lostMs: 90_000,
  listingLagMs: 120_000,
  orderMsMax: 3_600_000,
  lifetimeMs: 12 * 3_600_000,
  silenceMs: 600_000,
  blockedMs: 180_000,
  blockedMsMax: 1_800_000,
  failuresMax: 5,
  breakerMs: 300_000,
  breakerMsMax: 1_800_000,
  inFlightMax: 100,
};

/** For instances that are there in seconds and cost nothing, as processes on this machine are. */
export const localSettings: Settings = {
  ...defaultSettings,
  drainMs: 10_000,
  leadMs: 2_000,
  staleMs: 30_000,
  upWindowMs: 2_000,
  idleMs: 10_000,
  idleMsMin: 10_000,
  idleMsMax: 10_000,
  drainDeadlineMs: 30_000,
  registrationMs: 60_000,
  lostMs: 20_000,
  listingLagMs: 5_000,
  orderMsMax: 300_000,
  silenceMs: 60_000,
  blockedMs: 10_000,
  blockedMsMax: 120_000,
  breakerMs: 15_000,
  breakerMsMax: 300_000,
};
