/** From finished grains to acknowledged results: cut, signed, kept, sent, sent again, forgotten. */
import { limits } from "../protocol/limits.ts";
import type { CoordinatorMessage, NodeMessage } from "../protocol/messages.ts";
import { packPartials } from "../protocol/partials.ts";
import { canSend } from "./machine-phase.ts";
import type { AgentEffect, AgentEvent, AgentLease, AgentState, KeptResult } from "./machine-state.ts";

/** Finished grains leave when they are this large together, whatever the time; no result is larger. */
export const flushBytesMax = 256 << 10;
/** Results that wait for their acknowledgement may hold so many bytes; then computing waits too. */
export const unacknowledgedBytesMax = 64 << 20;
/** What a result takes beside its partials, at most: ids, hashes, ticket, signature. */
const resultOverheadBytes = 700;

export const isFull = (state: AgentState): boolean =>
  state.unacknowledged.size >= limits.unacknowledgedResultsMax || state.unacknowledgedBytes >= unacknowledgedBytesMax;

export function remember(state: AgentState, result: KeptResult): void {
  forgetResult(state, result.seq);
  state.unacknowledged.set(result.seq, result);
  state.unacknowledgedBytes += result.partials.length;
}

export function forgetResult(state: AgentState, seq: number): void {
  const result = state.unacknowledged.get(seq);
  if (!result) return;
  state.unacknowledged.delete(seq);
  state.unacknowledgedBytes -= result.partials.length;
}

/**
 * Finished grains become results, which are signed, kept and sent. Where too many results wait already, the
 * grains stay with the lease. Answers the sequence numbers given.
 */
export function flushLease(state: AgentState, lease: AgentLease, now: number, out: AgentEffect[]): number[] {
  lease.flushedAtMs = now;
  const seqs: number[] = [];
  while (lease.partials.length > 0 && !isFull(state)) {
    const result = cutResult(state, lease);
    seqs.push(result.seq);
    state.signing.add(result.seq);
    remember(state, result);
    out.push({ type: "sign.result", result });
  }
  return seqs;
}

/** Takes as many finished grains from the lease as one result may hold. */
function cutResult(state: AgentState, lease: AgentLease): KeptResult {
  let count = 0;
  let bytes = 0;
  for (const partial of lease.partials) {
    const more = partial.length + 2;
    if (count > 0 && bytes + more > flushBytesMax) break;
    count++;
    bytes += more;
  }
  const { message, job, next: lo } = lease;
  const computeMs = (lease.computeMs * count) / lease.partials.length;
  const result: KeptResult = {
    seq: state.nextSeq++,
    lease: message.lease,
    ticket: message.ticket,
    job: message.job,
    round: message.round,
    leaseLo: message.lo,
    leaseHi: message.hi,
    lo,
    hi: lo + count,
    backend: message.backend,
    kernel: job.kernel,
    build: lease.build,
    partials: packPartials(lease.partials.splice(0, count)),
    computeMs,
    root: new Uint8Array(0),
    signature: new Uint8Array(0),
  };
  lease.next = result.hi;
  lease.partialBytes -= bytes;
  lease.computeMs -= computeMs;
  return result;
}

/** Finished grains must not wait on the node for longer than half of what the coordinator allows. */
export function flushDue(state: AgentState, now: number, out: AgentEffect[]): void {
  for (const lease of state.leases.values()) {
    if (lease.partials.length > 0 && now - lease.flushedAtMs >= state.flushMs / 2) flushLease(state, lease, now, out);
  }
}

export function onResultSigned(
  state: AgentState,
  { seq, root, signature }: Extract<AgentEvent, { type: "result.signed" }>,
  out: AgentEffect[],
): void {
  const result = state.unacknowledged.get(seq);
  if (!result || !state.signing.delete(seq)) return;
  result.root = root;
  result.signature = signature;
  state.sentResults++;
  out.push({ type: "keep", result });
  if (canSend(state)) sendResults([result], out);
  sayDeferred(state, seq, out);
}

/** What waited for this result alone is said. */
export function sayDeferred(state: AgentState, seq: number, out: AgentEffect[]): void {
  for (const deferred of state.deferred) {
    if (deferred.seqs.delete(seq) && deferred.seqs.size === 0 && canSend(state)) {
      out.push({ type: "send", messages: [deferred.words] });
    }
  }
  state.deferred = state.deferred.filter((deferred) => deferred.seqs.size > 0);
}

/** Everything that is signed and not acknowledged, again: the last connection may have lost it. */
export function resend(state: AgentState, out: AgentEffect[]): void {
  sendResults(
    [...state.unacknowledged.values()].filter((result) => !state.signing.has(result.seq)),
    out,
  );
}

/** Some results a frame, so that none grows past what the coordinator takes. */
function sendResults(results: readonly KeptResult[], out: AgentEffect[]): void {
  let messages: NodeMessage[] = [];
  let bytes = 0;
  for (const result of results) {
    const more = result.partials.length + resultOverheadBytes;
    if (messages.length > 0 && bytes + more > limits.nodeFrameBytesMax / 2) {
      out.push({ type: "send", messages });
      messages = [];
      bytes = 0;
    }
    messages.push({ type: "result", ...result });
    bytes += more;
  }
  if (messages.length > 0) out.push({ type: "send", messages });
}

/** Committed or refused for good: either way the node may forget them. */
export function onAck(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "ack" }>,
  out: AgentEffect[],
): void {
  for (const seq of message.seqs) {
    const backend = state.unacknowledged.get(seq)?.backend;
    if (backend) state.acknowledgedByBackend[backend] = (state.acknowledgedByBackend[backend] ?? 0) + 1;
  }
  const seqs = [...message.seqs, ...message.rejected.map((rejected) => rejected.seq)];
  for (const seq of seqs) forgetResult(state, seq);
  if (seqs.length > 0) out.push({ type: "forget", seqs });
}
