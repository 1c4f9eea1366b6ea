/** Leases and slots of a node: what is computed next, and when finished grains leave. */
import { limits } from "../protocol/limits.ts";
import type { Backend, NodeMessage, ReleaseReason } from "../protocol/messages.ts";
import { packPartials } from "../protocol/partials.ts";
import { type AgentEffect, type AgentEvent, type AgentLease, type AgentState, allBackends } from "./machine-state.ts";

/** Grains are asked for in batches that take about this long, so that fast slots do not wait for messages. */
const batchMs: Record<Backend, number> = { wasm: 100, native: 200, webgpu: 200 };
const batchGrainsMax = 256;
/** Finished grains leave when they are this large together, whatever the time. */
const flushBytesMax = 256 << 10;

/** Gives free slots the next leases of their backend. */
export function fillSlots(state: AgentState, out: AgentEffect[]): void {
  if (state.phase === "draining" || state.phase === "stopped" || state.phase === "refused") return;
  if (state.unacknowledged.size >= limits.unacknowledgedResultsMax) return;
  for (const backend of allBackends) {
    const slots = state.slots[backend];
    for (let slot = 0; slot < slots.length; slot++) {
      if (slots[slot] !== null) continue;
      const lease = waitingLease(state, backend);
      if (!lease) break;
      slots[slot] = lease.message.lease;
      lease.slot = slot;
      computeNext(state, lease, out);
    }
  }
}

function waitingLease(state: AgentState, backend: Backend): AgentLease | undefined {
  for (const lease of state.leases.values()) {
    if (lease.slot === null && lease.message.backend === backend) return lease;
  }
  return undefined;
}

export const computedTo = (lease: AgentLease): number => lease.next + lease.partials.length;

function computeNext(state: AgentState, lease: AgentLease, out: AgentEffect[]): void {
  const { backend, hi } = lease.message;
  const lo = computedTo(lease);
  const known = state.grainMs.get(`${lease.job.job}/${backend}`);
  const batch = known === undefined ? 1 : Math.floor(batchMs[backend] / Math.max(known, 0.01));
  const grains = Math.max(1, Math.min(batch, batchGrainsMax, hi - lo));
  lease.fraction = 0;
  const { job, message } = lease;
  out.push({ type: "compute", backend, slot: lease.slot as number, lease: message, job, lo, hi: lo + grains });
}

export function onComputed(
  state: AgentState,
  event: Extract<AgentEvent, { type: "computed" }>,
  now: number,
  out: AgentEffect[],
): void {
  const lease = state.leases.get(event.lease);
  // The lease may have ended while its last grains were on their way.
  if (!lease || state.slots[event.backend][event.slot] !== event.lease || event.lo !== computedTo(lease)) return;
  // A result names one build: finished grains of another leave first.
  if (lease.partials.length > 0 && lease.build !== event.build) flushLease(state, lease, now, out);
  lease.build = event.build;
  lease.computeMs += event.computeMs;
  for (const partial of event.partials) {
    lease.partials.push(partial);
    lease.partialBytes += partial.length + 2;
  }
  learnGrainMs(state, lease, event.computeMs / Math.max(1, event.partials.length));
  if (computedTo(lease) >= lease.message.hi) {
    flushLease(state, lease, now, out);
    dropLease(state, lease, out, false);
  } else {
    if (lease.partialBytes >= flushBytesMax) flushLease(state, lease, now, out);
    if (state.phase !== "draining") computeNext(state, lease, out);
  }
  fillSlots(state, out);
}

function learnGrainMs(state: AgentState, lease: AgentLease, ms: number): void {
  const key = `${lease.job.job}/${lease.message.backend}`;
  const known = state.grainMs.get(key);
  if (known === undefined && state.grainMs.size >= 256) state.grainMs.clear();
  state.grainMs.set(key, known === undefined ? ms : known + (ms - known) / 3);
}

/** Finished grains become a result, which is signed, kept and sent. */
export function flushLease(state: AgentState, lease: AgentLease, now: number, out: AgentEffect[]): void {
  lease.flushedAtMs = now;
  if (lease.partials.length === 0) return;
  const { message, job } = lease;
  const lo = lease.next;
  const hi = lo + lease.partials.length;
  const seq = state.nextSeq++;
  const result = {
    seq,
    lease: message.lease,
    ticket: message.ticket,
    job: message.job,
    round: message.round,
    leaseLo: message.lo,
    leaseHi: message.hi,
    lo,
    hi,
    backend: message.backend,
    kernel: job.kernel,
    build: lease.build,
    partials: packPartials(lease.partials),
    computeMs: lease.computeMs,
    signature: new Uint8Array(0),
  };
  lease.next = hi;
  lease.partials = [];
  lease.partialBytes = 0;
  lease.computeMs = 0;
  state.signing.add(seq);
  state.unacknowledged.set(seq, result);
  out.push({ type: "sign.result", result });
}

/** Finished grains must not wait on the node for longer than half of what the coordinator allows. */
export function flushDue(state: AgentState, now: number, out: AgentEffect[]): void {
  for (const lease of state.leases.values()) {
    if (lease.partials.length > 0 && now - lease.flushedAtMs >= state.flushMs / 2) flushLease(state, lease, now, out);
  }
}

/** Forgets a lease; `abort` where its slot is still computing. */
export function dropLease(state: AgentState, lease: AgentLease, out: AgentEffect[], abort = true): void {
  state.leases.delete(lease.message.lease);
  if (lease.slot === null) return;
  const { backend } = lease.message;
  state.slots[backend][lease.slot] = null;
  if (abort) out.push({ type: "abort", backend, slot: lease.slot });
}

/** Hands in what is finished and gives the rest back. */
export function releaseLease(
  state: AgentState,
  lease: AgentLease,
  reason: ReleaseReason,
  now: number,
  out: AgentEffect[],
): void {
  endWith(state, lease, { type: "release", lease: lease.message.lease, reason }, true, now, out);
}

/** Ends a lease with last words, which follow the grains that are finished. */
export function endWith(
  state: AgentState,
  lease: AgentLease,
  words: NodeMessage,
  abort: boolean,
  now: number,
  out: AgentEffect[],
): void {
  const seq = state.nextSeq;
  flushLease(state, lease, now, out);
  dropLease(state, lease, out, abort);
  if (state.nextSeq > seq) state.deferred.set(seq, words);
  else if (state.phase === "online") out.push({ type: "send", messages: [words] });
}

/** Fewer slots: the youngest leases of a backend beyond what is left go back. */
export function resizeSlots(state: AgentState, now: number, out: AgentEffect[], reason: ReleaseReason): void {
  for (const backend of allBackends) {
    const wanted = state.preferences.slots[backend];
    const slots = state.slots[backend];
    while (slots.length > wanted) {
      const id = slots.at(-1);
      const lease = id == null ? undefined : state.leases.get(id);
      if (lease) releaseLease(state, lease, reason, now, out);
      slots.pop();
    }
    while (slots.length < wanted) slots.push(null);
    const held = [...state.leases.values()].filter((lease) => lease.message.backend === backend && lease.slot === null);
    for (const lease of wanted === 0 ? held : held.slice(2 * wanted)) releaseLease(state, lease, reason, now, out);
  }
}
