/**
 * What nodes save of grains that take long, so that a tab that stops costs seconds of work and not the grain. A saved
 * state is its node's word: own nodes go on from those of own nodes only, and a volunteer's result that goes on from
 * another's is audited from the start. Where that audit finds it wrong, an own node goes on from the same state to tell
 * who lied. They are kept in memory: after a restart the nodes that still compute save again.
 */
import type { NodeMessage, ResultMessage } from "../../protocol/messages.ts";
import type { CoreState, Job, Lease, Node } from "./state.ts";

export interface Checkpoint {
  job: string;
  round: number;
  grain: number;
  bytes: Uint8Array;
  /** Whose work it is, the first first. Empty where a node went on from it before a restart: nobody knows any more. */
  by: readonly { node: string; own: boolean }[];
}

/** Who may stand behind one state. */
const contributorsMax = 16;

const keyOf = (job: string, grain: number): string => `${job}/${grain}`;

/** A node says where a grain of its lease stands. Of audits and replicas nothing is saved: they begin at the start. */
export function onCheckpoint(
  state: CoreState,
  node: Node,
  message: Extract<NodeMessage, { type: "checkpoint" }>,
): void {
  const lease = state.leases.get(message.lease);
  const job = lease && state.jobs.get(lease.job);
  if (!lease || !job || lease.node !== node.id || lease.audit !== null || job.round !== lease.round) return;
  const { grain, bytes } = message;
  if (grain < lease.next || grain >= lease.hi || job.coverage.uncovered(grain, grain + 1).length === 0) return;
  const before = lease.checkpoint?.grain === grain ? lease.checkpoint.by : [];
  // Nobody knows who stands behind it.
  if (lease.checkpoint?.grain === grain && before.length === 0) return;
  const by = [...before.filter((one) => one.node !== node.id), { node: node.id, own: node.own }];
  if (by.length > contributorsMax) return;
  drop(state, keyOf(job.id, grain));
  state.checkpoints.set(keyOf(job.id, grain), { job: job.id, round: job.round, grain, bytes, by });
  state.checkpointBytes += bytes.length;
  for (const oldest of state.checkpoints.keys()) {
    if (state.checkpointBytes <= state.config.checkpointBytesMax) break;
    drop(state, oldest);
  }
}

/** What a lease from `grain` on may go on from. */
export function checkpointFor(state: CoreState, job: Job, node: Node, grain: number): Checkpoint | null {
  const found = state.checkpoints.get(keyOf(job.id, grain));
  if (!found || found.round !== job.round) return null;
  return node.own && found.by.some(({ own }) => !own) ? null : found;
}

/** A grain's state is of no use any more, or does harm. */
export const dropCheckpoint = (state: CoreState, job: Job, grain: number): void => drop(state, keyOf(job.id, grain));

/** The job's round is over. */
export function forgetCheckpoints(state: CoreState, job: Job): void {
  for (const [key, checkpoint] of state.checkpoints) if (checkpoint.job === job.id) drop(state, key);
}

function drop(state: CoreState, key: string): void {
  const found = state.checkpoints.get(key);
  if (!found) return;
  state.checkpoints.delete(key);
  state.checkpointBytes -= found.bytes.length;
}

/** Ends the ids of leases that go on from a state. */
export const resumedMark = "~";

/** Of a lease that was issued before a restart: that it went on from something, and nobody knows from whom. */
export const ofLostLease = (job: Job, lease: string, lo: number): Checkpoint | null =>
  lease.endsWith(resumedMark) ? { job: job.id, round: job.round, grain: lo, bytes: new Uint8Array(0), by: [] } : null;

/** What a result goes on from, and it is not its node's word alone: it stood in the lease's first grain. */
export function foreignCheckpoint(
  job: Job,
  lease: Lease | undefined,
  node: Node,
  { lease: id, leaseLo, lo }: ResultMessage,
): Checkpoint | null {
  const checkpoint = lease ? lease.checkpoint : ofLostLease(job, id, leaseLo);
  if (!checkpoint || checkpoint.grain !== lo) return null;
  const isAlone = checkpoint.by.length > 0 && checkpoint.by.every((one) => one.node === node.id);
  return isAlone ? null : checkpoint;
}

/** Whether volunteers other than the node stand behind it, or may. */
export const isStrangers = ({ by }: Checkpoint, node: string): boolean =>
  by.length === 0 || by.some((one) => !one.own && one.node !== node);
