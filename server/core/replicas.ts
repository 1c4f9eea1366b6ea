/**
 * Replicas: where a submitter asks for redundancy, every grain of a volunteer's result is computed by others as well,
 * after the result arrived, so that nobody knows with whom he will be compared. Identities differ, and so do their
 * networks. Where two disagree an own node decides. Agreement is no proof: the result is audited like any other.
 */

import type { Backend, ResultMessage } from "../../protocol/messages.ts";
import { slicePartials } from "../../protocol/partials.ts";
import type { CoreEvent, Effect } from "./events.ts";
import { isOneClass } from "./quarantine.ts";
import { RangeSet } from "./ranges.ts";
import type { CoreState, Job, Lease, Node, Result } from "./state.ts";
import { cosign, trustOf } from "./trust.ts";

/** A part of a replica that was not held against the result yet. */
export interface ReplicaAnswer {
  lo: number;
  hi: number;
  node: string;
  own: boolean;
  backend: Backend;
  partials: Uint8Array;
  connection: number;
  seq: number;
  state: "bringing" | "comparing";
}

export interface Replication {
  /** Further times that every grain is computed, this one included. */
  left: number;
  /** Grains of this time that nobody computes, that somebody does, and how many agreed. */
  open: RangeSet;
  leased: RangeSet;
  agreed: number;
  nodes: Set<string>;
  networks: Set<string>;
  answers: ReplicaAnswer[];
  /** Grains on which one of the others disagreed: an own node decides. */
  disputes: { grain: number; node: string; lo: number; hi: number }[];
}

/** Results looked at for one node; the others of the job wait for the next look. */
const looksMax = 64;

export function startReplicas(state: CoreState, job: Job, result: Result): void {
  const { node } = result;
  result.replication = {
    left: job.verification.redundancy - 1,
    open: RangeSet.of([result.lo, result.hi]),
    leased: new RangeSet(),
    agreed: 0,
    nodes: new Set([node]),
    networks: new Set([trustOf(state, node).network]),
    answers: [],
    disputes: [],
  };
  line(state, job).add(result.id);
  state.workVersion++;
}

function line(state: CoreState, job: Job): Set<number> {
  let results = state.replicas.get(job.id);
  if (!results) {
    results = new Set();
    state.replicas.set(job.id, results);
  }
  return results;
}

/** Whether the node may compute what another answered: another identity, from elsewhere. Own nodes always may. */
export function mayReplicate(state: CoreState, node: Node, result: Result | undefined): boolean {
  const { replication } = result ?? {};
  if (!replication) return false;
  if (node.own) return true;
  if (replication.nodes.has(node.id)) return false;
  return !state.config.distinctNetworks || !replication.networks.has(trustOf(state, node.id).network);
}

/** The first run of grains of a job that fits the node and waits for one like it; `grains` is how many it would get. */
export function nextReplica(
  state: CoreState,
  node: Node,
  fits: (job: Job) => boolean,
  grains: (job: Job) => number,
): { job: Job; result: Result; lo: number; hi: number } | null {
  for (const [id, results] of state.replicas) {
    const job = state.jobs.get(id);
    if (!job || !fits(job)) continue;
    let looks = 0;
    for (const number of results) {
      if (looks++ >= looksMax) break;
      const result = job.results.get(number);
      const { replication } = result ?? {};
      if (!result || !replication || replication.open.size === 0 || !mayReplicate(state, node, result)) continue;
      const cut = replication.open.first(grains(job));
      if (!cut) continue;
      const [lo, hi] = cut;
      if (!node.own && holds(state, node, job, lo, hi)) continue;
      replication.open.remove(lo, hi);
      replication.leased.add(lo, hi);
      return { job, result, lo, hi };
    }
  }
  return null;
}

/** Whether the node computes some of these grains already: as the copy of a slice that another result now covers. */
function holds(state: CoreState, node: Node, job: Job, lo: number, hi: number): boolean {
  for (const id of node.leases) {
    const lease = state.leases.get(id);
    if (lease?.job === job.id && lease.next < hi && lease.hi > lo) return true;
  }
  return false;
}

/** A replica's lease is over: what it did not bring is for others. */
export function returnReplica(state: CoreState, job: Job, lease: Lease): void {
  const { replication } = job.results.get(lease.audit as number) ?? {};
  if (!replication) return;
  for (const [lo, hi] of [...replication.leased.within(lease.lo, lease.hi)]) {
    replication.leased.remove(lo, hi);
    replication.open.add(lo, hi);
  }
  state.workVersion++;
}

/** Takes a replica's answer in; the result's own partials are brought to hold it against. False: it is not waited for. */
export function takeReplica(
  job: Job,
  node: Node,
  lease: Lease,
  message: ResultMessage,
  connection: number,
  out: Effect[],
): boolean {
  const result = job.results.get(lease.audit as number);
  const { replication } = result ?? {};
  if (!result || !replication?.leased.has(message.lo, message.hi)) return false;
  const { lo, hi, seq, partials, backend } = message;
  replication.leased.remove(lo, hi);
  replication.nodes.add(node.id);
  const { own } = node;
  const answer = { lo, hi, node: node.id, own, backend, partials, connection, seq, state: "bringing" } as const;
  replication.answers.push(answer);
  out.push({ type: "commit", writes: [], afterwards: [{ type: "bring", job: job.id, result: result.id }] });
  return true;
}

/** First grain of a replica's lease that was not brought, or its end. */
export function nextOfReplica(job: Job, lease: Lease): number {
  const { replication } = job.results.get(lease.audit as number) ?? {};
  return replication?.leased.within(lease.lo, lease.hi)[0]?.[0] ?? lease.hi;
}

/** The result's partials are here: every answer that waited is held against them. */
export function compareReplicas(state: CoreState, job: Job, result: Result, partials: Uint8Array, out: Effect[]): void {
  for (const answer of result.replication?.answers ?? []) {
    if (answer.state !== "bringing") continue;
    answer.state = "comparing";
    const { lo, hi, node, backend } = answer;
    const theirs = slicePartials(partials, lo - result.lo, hi - result.lo);
    const backends = [backend, result.backend] as const;
    const request = { type: "agree", job: job.id, result: result.id, lo, hi, node, mine: answer.partials } as const;
    const bothGpu = backend === "webgpu" && result.backend === "webgpu";
    const oneClass = bothGpu && isOneClass(state.nodes.get(node), state.nodes.get(result.node));
    out.push({ type: "judge", request: { ...request, theirs, backends, oneClass } });
  }
}

/**
 * The judge held a replica against the result. Says what follows: the result is replicated as often as was asked for,
 * or an own node must decide about a grain, or own nodes themselves found it wrong, or nothing yet.
 */
export function onAgreed(
  state: CoreState,
  job: Job,
  result: Result,
  event: Extract<CoreEvent, { type: "agreed" }>,
  out: Effect[],
): "replicated" | "disputed" | "wrong" | "wait" {
  const { replication } = result;
  const at = replication?.answers.findIndex(({ node, lo }) => node === event.node && lo === event.lo) ?? -1;
  if (!replication || at < 0) return "wait";
  const [answer] = replication.answers.splice(at, 1) as [ReplicaAnswer];
  const { lo, hi, node, own, connection, seq } = answer;
  const verdict = event.grain === null ? "agrees" : "differs";
  const told = { kind: own ? "audit" : "replica", lo, hi, node, own, verdict, reason: event.reason ?? "" } as const;
  const ack: Effect = { type: "ack", connection, seq, rejected: null };
  out.push({ type: "commit", writes: [{ type: "audit.done", result: result.id, ...told }], afterwards: [ack] });
  if (event.grain !== null) {
    if (own) return "wrong";
    replication.disputes.push({ grain: event.grain, node, lo, hi });
    return "disputed";
  }
  if (own) result.passed += hi - lo;
  else {
    result.agreements++;
    replication.networks.add(trustOf(state, node).network);
    cosign(state, result.node, node);
  }
  return agree(state, job, result, hi - lo);
}

function agree(state: CoreState, job: Job, result: Result, grains: number): "replicated" | "wait" {
  const replication = result.replication as Replication;
  replication.agreed += grains;
  if (replication.agreed < result.hi - result.lo) return "wait";
  replication.left--;
  if (replication.left > 0) {
    replication.agreed = 0;
    replication.open.add(result.lo, result.hi);
    state.workVersion++;
    return "wait";
  }
  endReplicas(state, job, result);
  return "replicated";
}

/** An own node found the result right where another disagreed. Who did; what they answered is computed anew. */
export function settleDisputes(state: CoreState, result: Result, grain: number): string[] {
  const { replication } = result;
  if (!replication) return [];
  const wrong: string[] = [];
  replication.disputes = replication.disputes.filter((dispute) => {
    if (dispute.grain !== grain) return true;
    replication.open.add(dispute.lo, dispute.hi);
    wrong.push(dispute.node);
    return false;
  });
  if (wrong.length > 0) state.workVersion++;
  return wrong;
}

/** Nothing more of the result is replicated: answers that wait are let go. */
export function dropReplicas(state: CoreState, job: Job, result: Result, out: Effect[]): void {
  for (const { connection, seq } of result.replication?.answers ?? []) {
    out.push({ type: "ack", connection, seq, rejected: null });
  }
  endReplicas(state, job, result);
}

function endReplicas(state: CoreState, job: Job, result: Result): void {
  if (!result.replication) return;
  result.replication = null;
  const results = state.replicas.get(job.id);
  results?.delete(result.id);
  if (results?.size === 0) state.replicas.delete(job.id);
}

/** The word of a node that was proven wrong confirms nothing: what it agreed with is computed once more. */
export function forgetWord(state: CoreState, node: string): void {
  for (const [id, results] of state.replicas) {
    const job = state.jobs.get(id);
    for (const number of results) {
      const result = job?.results.get(number);
      const { replication } = result ?? {};
      if (!result || !replication || result.node === node || !replication.nodes.has(node)) continue;
      // Whose grain was whose is not kept: all that agreed is open again.
      replication.open.add(result.lo, result.hi);
      for (const [lo, hi] of replication.leased.ranges) replication.open.remove(lo, hi);
      for (const { lo, hi } of [...replication.answers, ...replication.disputes]) replication.open.remove(lo, hi);
      replication.agreed = 0;
      state.workVersion++;
    }
  }
}
