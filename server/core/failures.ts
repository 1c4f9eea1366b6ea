/** Grains that could not be computed: retried with back-off, left to own nodes, and in the end the job's failure. */
import type { FailReason, NodeMessage } from "../../protocol/messages.ts";
import { resumedInVain } from "./belief.ts";
import { dropCheckpoint } from "./checkpoints.ts";
import type { Effect } from "./events.ts";
import { reopenGrains, unleased } from "./grains.ts";
import { endLease } from "./leases.ts";
import { isUntried } from "./placement.ts";
import { endJob } from "./rounds.ts";
import type { CoreState, Job, Lease, Node } from "./state.ts";

/** The node gives the rest of a lease back: nobody's fault. */
export function onRelease(state: CoreState, node: Node, lease: string, out: Effect[]): void {
  const held = state.leases.get(lease);
  if (held && held.node === node.id) endLease(state, held, null, null, out);
}

/** A grain failed on a node. The rest of its lease goes back at once, the grain after a pause. */
export function onFail(
  state: CoreState,
  node: Node,
  message: Extract<NodeMessage, { type: "fail" }>,
  now: number,
  out: Effect[],
): void {
  const lease = state.leases.get(message.lease);
  const job = lease && state.jobs.get(lease.job);
  if (!lease || lease.node !== node.id || !job) return;
  const grain = Math.min(Math.max(message.grain, lease.next), lease.hi - 1);
  out.push({
    type: "note",
    code: "grain_failed",
    message: `grain ${grain}: ${message.reason}: ${message.message}`,
    node: node.id,
    job: job.id,
  });
  // Whoever saved it, it is not the grain's fault, nor this node's.
  if (lease.checkpoint?.grain === grain && message.reason !== "device_lost") {
    dropCheckpoint(state, job, grain);
    const result = lease.audit === null ? undefined : job.results.get(lease.audit);
    endLease(state, lease, null, null, out);
    if (result && node.own) resumedInVain(state, job, result, now, out);
    return;
  }
  // A lost GPU says nothing about a grain of ours: the node's slots change, and the work goes elsewhere.
  if (message.reason === "device_lost" && !job.triedFirst) {
    endLease(state, lease, null, null, out);
    return;
  }
  // An own node that waited in vain for the code has shown that it is the code.
  const ofCode = message.reason === "timeout" || (job.triedFirst && message.reason !== "payload_unavailable");
  const ofNode = nodeFaults.has(message.reason) && !(node.own && ofCode);
  if (ofNode) pause(state, node, message.reason, now);
  // Of code that never passed it does not matter on which grain it fails.
  const failure = recordFailure(job, isUntried(job) ? untried : grain, node, ofNode);
  const { ownFailuresMax, nodeFailuresMax, grainFailuresMax } = state.config;
  if (failure.own >= ownFailuresMax || failure.nodes.size >= nodeFailuresMax || failure.count >= grainFailuresMax) {
    // Reproduced on an own node: it is the code, wherever it runs.
    if (job.workload.tasks && failure.own >= ownFailuresMax) state.condemned.add(job.kernel);
    failJob(state, job, grain, message, now, out);
    return;
  }
  if (failure.nodes.size >= 3 && hasOwnNode(state)) job.ownOnly.add(grain);
  endWithPause(state, job, lease, grain, now + state.config.retryMs * 2 ** Math.min(6, failure.count - 1), out);
}

/** In place of a grain's number. */
const untried = -1;

/** What says something of the node rather than of the grain: the node rests, and the grain is not blamed so soon. */
const nodeFaults: ReadonlySet<string> = new Set<FailReason>([
  "out_of_memory",
  "kernel_mismatch",
  "kernel_unavailable",
  "payload_unavailable",
  "timeout",
  "internal",
]);

/** The node rests, longer each time, until a result of its counts again. */
function pause(state: CoreState, node: Node, reason: FailReason, now: number): void {
  const ms = state.config.retryMs * 2 ** Math.min(6, node.failuresInRow);
  node.failuresInRow++;
  node.waitsUntilMs = Math.max(node.waitsUntilMs, now + ms);
  node.waitReason = reason;
  state.changedNodes.add(node.id);
}

function recordFailure(
  job: Job,
  grain: number,
  node: Node,
  ofNode: boolean,
): { nodes: Set<string>; own: number; count: number } {
  let failure = job.failures.get(grain);
  if (!failure) {
    failure = { nodes: new Set(), own: 0, count: 0 };
    job.failures.set(grain, failure);
  }
  failure.nodes.add(node.id);
  failure.count++;
  if (node.own && !ofNode) failure.own++;
  return failure;
}

function hasOwnNode(state: CoreState): boolean {
  for (const node of state.nodes.values()) if (node.own && node.connection !== null) return true;
  return false;
}

function endWithPause(state: CoreState, job: Job, lease: Lease, grain: number, untilMs: number, out: Effect[]): void {
  endLease(state, lease, null, null, out);
  if (lease.audit !== null || !job.open.has(grain, grain + 1)) return;
  job.open.remove(grain, grain + 1);
  reopenGrains(state, job, unleased(state, job, [[grain, grain + 1]]), untilMs, "failed");
}

function failJob(
  state: CoreState,
  job: Job,
  grain: number,
  message: Extract<NodeMessage, { type: "fail" }>,
  now: number,
  out: Effect[],
): void {
  const reason = {
    code: `grain_failed:${message.reason}`,
    message: `Grain ${grain} cannot be computed: ${message.message || message.reason}.`,
  };
  endJob(state, job, "failed", reason, { output: null, outputBlob: null }, now, out);
}
