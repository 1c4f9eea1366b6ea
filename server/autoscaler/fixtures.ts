/** Observations for tests: a quiet grid, of which a test says what is different. */
import { type Market, type Offering, offeringId } from "./cloud/provider.ts";
import { intentRows, moved } from "./ledger.ts";
import type {
  Action,
  Decision,
  Demand,
  InstanceNode,
  InstanceRow,
  LedgerState,
  Observation,
  OrderRow,
  Target,
  Volunteer,
} from "./model.ts";
import { defaultSettings } from "./settings.ts";
import type { DecideInput } from "./turn.ts";

export const startMs = Date.UTC(2026, 0, 5, 12);
export const giB = 2 ** 30;

export const defaultTarget: Target = {
  minNodes: 0,
  maxNodes: 100,
  targetCpu: 0.7,
  scaleUpThreshold: 0.85,
  scaleDownThreshold: 0.6,
  cooldownMs: 300_000,
  dollarsPerHourMax: null,
  dollarsPerDayMax: null,
};

export const inputOf = (change: Partial<Target> = {}, more: Partial<DecideInput> = {}): DecideInput => ({
  policy: "reactive",
  target: { ...defaultTarget, ...change },
  settings: defaultSettings,
  ...more,
});

export function offeringOf(change: Partial<Offering> & { dollars?: number } = {}): Offering {
  const { dollars = 0.0416, ...rest } = change;
  const type = rest.type ?? "t3.medium";
  const zone = rest.zone ?? "us-east-1a";
  const market: Market = rest.market ?? "on_demand";
  return {
    id: offeringId(market, type, zone),
    type,
    region: "us-east-1",
    zone,
    market,
    cores: 2,
    memoryBytes: 4 * giB,
    gpu: null,
    engines: [],
    price: { dollarsPerHour: dollars, source: "test", asOfMs: startMs },
    bootMs: 60_000,
    interruptionsPerHour: market === "spot" ? 0.05 : 0,
    ...rest,
  };
}

export const demandOf = (coreSeconds: number, change: Partial<Demand> = {}): Demand => ({
  class: "cpu",
  needs: { gpu: false, cpu: true, memoryBytes: giB, engines: [] },
  coreSeconds,
  grains: 1_000_000,
  deadlines: [],
  ...change,
});

export const volunteerOf = (rate: number, change: Partial<Volunteer> = {}): Volunteer => ({
  node: "volunteer",
  own: false,
  rate,
  survival: 1,
  needs: { gpu: false, cpu: true, memoryBytes: 8 * giB, engines: [] },
  ...change,
});

export const nodeOf = (node: string, change: Partial<InstanceNode> = {}): InstanceNode => ({
  node,
  online: true,
  lastSeenMs: startMs,
  leases: 0,
  idleSinceMs: startMs,
  utilisation: 0,
  rate: null,
  connectedAtMs: startMs,
  ...change,
});

export const orderOf = (change: Partial<OrderRow> = {}): OrderRow => ({
  token: "order-1",
  offerings: [offeringOf()],
  count: 1,
  lifetimeMs: defaultSettings.lifetimeMs,
  createdAtMs: startMs,
  attempts: 0,
  nextAttemptAtMs: startMs,
  reason: { code: "shortfall", message: "Test." },
  ...change,
});

const path: Partial<Record<LedgerState, LedgerState[]>> = {
  INTENT: [],
  REQUESTED: ["REQUESTED"],
  UNKNOWN: ["UNKNOWN"],
  LAUNCHED: ["LAUNCHED"],
  REGISTERED: ["LAUNCHED", "REGISTERED"],
  DRAINING: ["LAUNCHED", "REGISTERED", "DRAINING"],
  TERMINATING: ["LAUNCHED", "TERMINATING"],
  GONE: ["LAUNCHED", "GONE"],
  FAILED: ["FAILED"],
};

/** A row that went the legal way to its state, at `atMs`. Its node, where it has one, is called `node-<n>`. */
export function rowOf(n: number, state: LedgerState, change: Partial<InstanceRow> = {}, atMs = startMs): InstanceRow {
  const order = orderOf({
    token: `order-${n}`,
    createdAtMs: atMs,
    ...(change.offering ? { offerings: [change.offering] } : {}),
  });
  let row = intentRows(order)[0] as InstanceRow;
  for (const step of path[state] as LedgerState[]) {
    const facts =
      step === "LAUNCHED"
        ? { cloudId: `cloud-${n}`, launchedAtMs: atMs }
        : step === "REGISTERED"
          ? { node: `node-${n}`, registeredAtMs: atMs }
          : step === "DRAINING"
            ? { drainUntilMs: atMs + 120_000 }
            : {};
    row = moved(row, step, atMs, { code: step === "DRAINING" ? "surplus" : "test", message: "Test." }, facts);
  }
  return { ...row, ...change };
}

export const observe = (change: Partial<Observation> = {}): Observation => ({
  nowMs: startMs,
  measuredAtMs: change.nowMs ?? startMs,
  demand: [],
  arrivals: { rate: 0, source: "none" },
  volunteers: [],
  volunteerShare: 1,
  replication: 1,
  nodes: new Map(),
  orders: [],
  instances: [],
  offerings: [offeringOf()],
  listing: null,
  manual: null,
  dollarsToday: 0,
  ...change,
});

/** Registered instances with their nodes. */
export function fleet(count: number, change: Partial<InstanceNode> = {}, row: Partial<InstanceRow> = {}) {
  const instances = Array.from({ length: count }, (_, n) => rowOf(n, "REGISTERED", row));
  const nodes = new Map(instances.map(({ node }) => [node as string, nodeOf(node as string, change)]));
  return { instances, nodes };
}

export const launched = (decision: Decision): number =>
  decision.actions.reduce((sum, action) => sum + (action.type === "launch" ? action.count : 0), 0);

export const of = <Type extends Action["type"]>(decision: Decision, type: Type) =>
  decision.actions.filter((action): action is Extract<Action, { type: Type }> => action.type === type);

/** What an instance does in the time that work has, 2 cores at 70 %, of which it boots for 60 s. */
export const instanceWorth = (defaultSettings.drainMs / 1_000 - 60) * 2 * 0.7;
