/**
 * The grid's step: one event in, effects out. No clock, no randomness, no I/O: `now` (milliseconds) and
 * `entropy` (uniform in [0, 1), unpredictable, recorded) come in. The same code runs in production and,
 * with thousands of nodes in virtual time, in the simulator.
 */
import { onBrought } from "./audits.ts";
import { onChecked, onCompared, onReplica } from "./belief.ts";
import { onCheckpoint } from "./checkpoints.ts";
import { Draw } from "./draw.ts";
import type { CoreEvent, CorePorts, Effect } from "./events.ts";
import { onFail, onRelease } from "./failures.ts";
import { thawGrains } from "./grains.ts";
import { admit, cancel, leaveToVolunteers } from "./jobs.ts";
import { endLease, extendLease } from "./leases.ts";
import { type CoreConfig, defaultConfig } from "./limits.ts";
import { onDeparted, onDisconnected, onHello, onMessage, onRetire, sweepNodes } from "./nodes.ts";
import { place } from "./placement.ts";
import { tellIdle } from "./reasons.ts";
import { reopenJob } from "./reopen.ts";
import { onRestoredAll, restoreResult } from "./restore.ts";
import { takeResult } from "./results.ts";
import { endJob, onFinished, onMerged, onNext, openExtent } from "./rounds.ts";
import { slowDown } from "./speed.ts";
import { type CoreState, type Node, noCost } from "./state.ts";

export function createState(config: Partial<CoreConfig> = {}, epoch = 1): CoreState {
  return {
    config: { ...defaultConfig, ...config },
    epoch,
    draining: false,
    nextLease: 1,
    nextResult: 1,
    nextSequence: 1,
    jobs: new Map(),
    nodes: new Map(),
    trust: new Map(),
    changedTrust: new Set(),
    suspicions: new Map(),
    condemned: new Set(),
    checkpoints: new Map(),
    checkpointBytes: 0,
    draw: new Draw(),
    connections: new Map(),
    leases: new Map(),
    submitters: new Map(),
    ring: [],
    ringAt: 0,
    audits: new Map(),
    replicas: new Map(),
    hungry: new Set(),
    tail: new Set(),
    copyVersion: 0,
    copies: 0,
    fleetCoreSeconds: 0,
    volunteersHere: false,
    totals: {
      completed: 0,
      failed: 0,
      cancelled: 0,
      acceptedSlices: 0,
      acceptedGrains: 0,
      acceptedCoreSeconds: 0,
      cost: noCost(),
      bannedNodes: 0,
    },
    workVersion: 1,
    lastTickMs: 0,
    changedJobs: new Set(),
    changedNodes: new Set(),
  };
}

export function step(state: CoreState, event: CoreEvent, now: number, entropy: number, ports: CorePorts): Effect[] {
  const out: Effect[] = [];
  state.draw.renew(entropy);
  switch (event.type) {
    case "submit":
      admit(state, event, now, out);
      break;
    case "job.durable":
    case "round.durable":
      onDurable(state, event.job);
      break;
    case "extent.durable": {
      const job = state.jobs.get(event.job);
      if (job && job.round === event.round && job.claiming) openExtent(state, job, event.hi);
      break;
    }
    case "cancel":
      cancel(state, event, now, out);
      break;
    case "hello":
      onHello(state, event, now, ports, out);
      break;
    case "disconnected":
      onDisconnected(state, event.connection, now);
      break;
    case "departed":
      onDeparted(state, event, out);
      break;
    case "unpaid":
      leaveToVolunteers(state, event.job);
      break;
    case "retire":
      onRetire(state, event);
      break;
    case "result":
    case "message":
      onNodeEvent(state, event, now, ports, out);
      break;
    case "checked":
      onChecked(state, event, now, out);
      break;
    case "compared":
      onCompared(state, event, now, out);
      break;
    case "agreed":
      onReplica(state, event, now, out);
      break;
    case "merged":
      onMerged(state, event, now, out);
      break;
    case "finished":
      onFinished(state, event, now, out);
      break;
    case "next":
      onNext(state, event, out);
      break;
    case "judge.failed": {
      const job = state.jobs.get(event.job);
      if (job)
        endJob(
          state,
          job,
          "failed",
          { code: "judge_failed", message: event.message },
          { output: null, outputBlob: null },
          now,
          out,
        );
      break;
    }
    case "restored":
      restoreResult(state, event, now, out);
      break;
    case "brought":
      onBrought(state, event, out);
      break;
    case "reopen":
      reopenJob(state, event.stored, now, out);
      break;
    case "restored.all":
      onRestoredAll(state, event.job, now, out);
      break;
    case "place":
      place(state, now, ports, out);
      break;
    case "tick":
      tick(state, now, out);
      break;
    case "drain":
      state.draining = true;
      break;
    default:
      event satisfies never;
  }
  return out;
}

/** The job, or its next round, is durable with its first extent: it may be cut. */
function onDurable(state: CoreState, id: string): void {
  const job = state.jobs.get(id);
  if (!job || (job.phase !== "admitting" && job.phase !== "finishing")) return;
  job.phase = job.phase === "admitting" ? "queued" : "running";
  openExtent(state, job, Math.min(job.grains, state.config.extentGrains));
  state.changedJobs.add(id);
}

function onNodeEvent(
  state: CoreState,
  event: Extract<CoreEvent, { type: "result" | "message" }>,
  now: number,
  ports: CorePorts,
  out: Effect[],
): void {
  const node = state.nodes.get(state.connections.get(event.connection) ?? "");
  if (!node || node.connection !== event.connection) return;
  node.lastSeenMs = now;
  if (event.type === "result") {
    takeResult(state, node, event.result, now, ports, out);
    return;
  }
  const { message } = event;
  if (message.type === "progress") {
    onProgress(state, node, message.leases, now);
    // The answer to a heartbeat: the node knows by it that the coordinator lives.
    node.standingChanged = true;
  } else if (message.type === "release") onRelease(state, node, message.lease, out);
  else if (message.type === "fail") onFail(state, node, message, now, out);
  else if (message.type === "checkpoint") onCheckpoint(state, node, message);
  else onMessage(state, node, message, out);
}

function onProgress(
  state: CoreState,
  node: Node,
  leases: readonly { lease: string; done: number; fraction: number }[],
  now: number,
): void {
  for (const told of leases) {
    const lease = state.leases.get(told.lease);
    if (lease?.node === node.id) extendLease(state, lease, told.done, told.fraction, now);
  }
}

/** Once a second: deadlines, silence, waiting grains, and what nodes are told. */
function tick(state: CoreState, now: number, out: Effect[]): void {
  state.lastTickMs = now;
  sweepNodes(state, now, out);
  for (const lease of [...state.leases.values()]) {
    if (lease.deadlineMs > now || !state.leases.has(lease.id)) continue;
    const node = state.nodes.get(lease.node);
    const job = state.jobs.get(lease.job);
    if (node && job) slowDown(node, job, lease.backend);
    out.push({ type: "note", code: "lease_expired", message: `lease ${lease.id}`, node: lease.node, job: lease.job });
    endLease(state, lease, null, "deadline", out);
  }
  for (const job of state.jobs.values()) thawGrains(state, job, now);
  // Copies of last grains become worthwhile as time passes.
  if (state.tail.size > 0) {
    state.workVersion++;
    state.copyVersion++;
  }
  for (const node of state.nodes.values()) {
    if (node.waitsUntilMs > state.lastTickMs - 2_000 && node.waitsUntilMs <= now) node.fruitless = -1;
    if (!node.standingChanged || node.connection === null) continue;
    node.standingChanged = false;
    const { acceptedSlices: accepted, rejectedSlices: rejected, coreSeconds } = node;
    out.push({
      type: "send",
      connection: node.connection,
      message: { type: "standing", accepted, rejected, coreSeconds },
    });
  }
  tellIdle(state, now, out);
}
