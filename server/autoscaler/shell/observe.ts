/** What the autoscaler reads off the grid: paid work that is left, who is there to do it, and what instances are doing. */
import type { CoreState, Job, Node } from "../../core/state.ts";
import type { Demand, InstanceNode, Needs, Volunteer } from "../model.ts";

export interface GridFacts {
  demand: Demand[];
  /** Without the probability that they stay, which is learnt elsewhere. */
  volunteers: Omit<Volunteer, "survival">[];
  volunteerShare: number;
  replication: number;
  nodes: Map<string, InstanceNode>;
  /** Slots that compute for a job, by instance's node: what an instance's cost is shared out by. */
  working: Map<string, Map<string, number>>;
  /** Accepted core-seconds of each volunteer who is here, as a figure that rises. */
  contributed: Map<string, number>;
}

/** A slot of which nothing is known, in core-seconds per second: as the core assumes when it cuts a first slice. */
const assumedPace = { wasm: 0.5, webgpu: 2, native: 1 } as const;
const backends = ["wasm", "webgpu", "native"] as const;
const duesMax = 256;

/** What a job's owner still allows to be spent on it, in core-seconds; infinite without a budget. */
export type Allowance = (job: Job) => number;

export interface Promised {
  nowMs: number;
  /** Paid work is to be done so long after it came, or by its deadline where that is sooner. */
  drainMs: number;
}

type Classes = Map<string, Demand & { due: { atMs: number; coreSeconds: number }[] }>;

export function gridFacts(state: CoreState, promised: Promised, allowance: Allowance): GridFacts {
  const classes: Classes = new Map();
  const families = new Set<string>();
  let paid = 0;
  let free = 0;
  let spent = 0;
  let accepted = 0;
  for (const job of state.jobs.values()) {
    spent += job.stats.spentComputeMs;
    accepted += job.stats.acceptedComputeMs;
    if (job.phase !== "queued" && job.phase !== "running") continue;
    const grains = Math.max(0, job.grains - job.confirmedGrains - job.provisionalGrains - job.candidateGrains);
    const left = grains * job.grainCoreSeconds;
    if (job.terms.supply !== "paid") {
      free += left;
      continue;
    }
    paid += left;
    const coreSeconds = Math.min(left, allowance(job));
    if (coreSeconds <= 0) continue;
    families.add(job.workload.family.id);
    addDemand(classes, job, coreSeconds, grains, promised);
  }
  const volunteers: GridFacts["volunteers"] = [];
  const nodes: GridFacts["nodes"] = new Map();
  const contributed: GridFacts["contributed"] = new Map();
  for (const node of state.nodes.values()) {
    if (!node.own) contributed.set(node.id, node.coreSeconds);
    if (node.hired) nodes.set(node.id, instanceNode(node));
    else if (node.connection !== null && !node.draining && node.preferences.families.some((id) => families.has(id))) {
      volunteers.push({ node: node.id, own: node.own, rate: rateOf(node, true) ?? 0, needs: offersOf(node) });
    }
  }
  return {
    demand: [...classes.values()].map(({ due, ...demand }) => ({
      ...demand,
      deadlines: cumulated(due, promised.drainMs),
    })),
    volunteers,
    volunteerShare: paid + free > 0 ? paid / (paid + free) : 1,
    replication: accepted > 0 ? Math.max(1, spent / accepted) : 1,
    nodes,
    working: workingOf(state, nodes),
    contributed,
  };
}

function addDemand(
  classes: Classes,
  job: Job,
  coreSeconds: number,
  grains: number,
  { nowMs, drainMs }: Promised,
): void {
  const needs = needsOf(job);
  const { region } = job.terms;
  const name = [job.backends.join("+"), needs.memoryBytes, needs.engines.join("+"), region ?? "anywhere"].join("/");
  const fresh = { class: name, needs, coreSeconds: 0, grains: 0, deadlines: [], region, due: [] };
  const known = classes.get(name) ?? fresh;
  known.coreSeconds += coreSeconds;
  known.grains += grains;
  const dueMs = Math.min(job.createdAtMs + drainMs, job.terms.deadlineMs ?? Number.POSITIVE_INFINITY);
  known.due.push({ atMs: Math.max(nowMs, dueMs), coreSeconds });
  classes.set(name, known);
}

const needsOf = (job: Job): Needs => ({
  gpu: job.backends.includes("webgpu"),
  cpu: job.backends.includes("wasm") || job.backends.includes("native"),
  memoryBytes: job.memoryBytes,
  engines: job.engines,
});

/**
 * Work due by each moment, earliest first. Where there are many, moments are rounded down to a 64th of the time that work
 * has; beyond the limit the last stands for all that follow. Both are early and so on the safe side.
 */
function cumulated(
  due: { atMs: number; coreSeconds: number }[],
  drainMs: number,
): { atMs: number; coreSeconds: number }[] {
  const roundMs = due.length > duesMax ? drainMs / 64 : 1;
  due.sort((a, b) => a.atMs - b.atMs);
  const sums: { atMs: number; coreSeconds: number }[] = [];
  let sum = 0;
  for (const { atMs, coreSeconds } of due) {
    sum += coreSeconds;
    const rounded = Math.floor(atMs / roundMs) * roundMs;
    const last = sums.at(-1);
    if (last && (last.atMs === rounded || sums.length >= duesMax)) last.coreSeconds = sum;
    else sums.push({ atMs: rounded, coreSeconds: sum });
  }
  return sums;
}

/** Core-seconds per second over all slots; null where nothing was measured and nothing is to be assumed. */
function rateOf(node: Node, assume: boolean): number | null {
  let rate = 0;
  let measured = false;
  for (const backend of backends) {
    const slots = node.preferences.slots[backend];
    const pace = node.pace.get(backend);
    if (pace !== undefined && slots > 0) measured = true;
    rate += slots * (pace ?? (assume ? assumedPace[backend] : 0));
  }
  return measured || assume ? rate : null;
}

const offersOf = ({ capabilities, preferences }: Node): Needs => ({
  gpu: preferences.slots.webgpu > 0,
  cpu: preferences.slots.wasm > 0,
  memoryBytes: Math.min(
    capabilities.ramBytes ?? Number.POSITIVE_INFINITY,
    capabilities.kernelBytesMax ?? Number.POSITIVE_INFINITY,
  ),
  engines: capabilities.engines,
});

/** `idleSinceMs` and `utilisation` are of this moment; `Watch` makes them of the past. */
function instanceNode(node: Node): InstanceNode {
  const slots = backends.reduce((sum, backend) => sum + node.preferences.slots[backend], 0);
  const busy = backends.reduce(
    (sum, backend) => sum + Math.min(node.preferences.slots[backend], node.held[backend]),
    0,
  );
  return {
    node: node.id,
    online: node.connection !== null,
    lastSeenMs: node.lastSeenMs,
    leases: node.leases.size,
    idleSinceMs: null,
    utilisation: slots > 0 ? busy / slots : 0,
    rate: rateOf(node, false),
    connectedAtMs: node.connectedAtMs,
  };
}

function workingOf(state: CoreState, nodes: ReadonlyMap<string, InstanceNode>): GridFacts["working"] {
  const working: GridFacts["working"] = new Map();
  for (const id of nodes.keys()) {
    const jobs = new Map<string, number>();
    for (const lease of state.nodes.get(id)?.leases ?? []) {
      const job = state.leases.get(lease)?.job;
      if (job !== undefined) jobs.set(job, (jobs.get(job) ?? 0) + 1);
    }
    if (jobs.size > 0) working.set(id, jobs);
  }
  return working;
}
