/** Leases and slots of a node: what is computed next, and how a lease ends. */
import { limits } from "../protocol/limits.ts";
import type { Backend, CoordinatorMessage, NodeMessage, ReleaseReason } from "../protocol/messages.ts";
import { canSend, offered } from "./machine-phase.ts";
import { flushBytesMax, flushLease, forgetResult, isFull, sayDeferred } from "./machine-results.ts";
import { type AgentEffect, type AgentEvent, type AgentLease, type AgentState, allBackends } from "./machine-state.ts";

/** Grains are asked for in batches that take about this long, so that fast slots do not wait for messages. */
const batchMs: Record<Backend, number> = { wasm: 100, native: 200, webgpu: 200 };
const batchGrainsMax = 256;
const grainMsKeptMax = 256;

export const computedTo = (lease: AgentLease): number => lease.next + lease.partials.length;

const paceKey = (lease: AgentLease): string => `${lease.job.job}/${lease.message.backend}`;

/** Milliseconds that one slot takes for a grain of this lease's job; undefined until measured. */
export const grainMsOf = (state: AgentState, lease: AgentLease): number | undefined =>
  state.grainMs.get(paceKey(lease));

/** Takes a lease in, or says at once why not. */
export function onLease(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "lease" }>,
  now: number,
  out: AgentEffect[],
): void {
  if (state.leases.has(message.lease)) return;
  const job = state.jobs.get(message.job);
  const refusal = refusalOf(state, message, job?.round);
  if (refusal !== null || !job) {
    if (refusal !== null && canSend(state)) out.push({ type: "send", messages: [refusal] });
    return;
  }
  state.idle = [];
  state.leases.set(message.lease, {
    message,
    job,
    next: message.lo,
    partials: [],
    partialBytes: 0,
    computeMs: 0,
    build: "",
    slot: null,
    fraction: 0,
    flushedAtMs: now,
  });
  fillSlots(state, out);
}

function refusalOf(
  state: AgentState,
  { lease, lo, hi, round, backend }: Extract<CoordinatorMessage, { type: "lease" }>,
  jobRound: number | undefined,
): NodeMessage | null {
  if (state.phase === "draining") return { type: "release", lease, reason: "draining" };
  if (state.phase !== "online") return { type: "release", lease, reason: "closing" };
  if (lo >= hi || hi - lo > limits.sliceGrainsMax) {
    return { type: "fail", lease, grain: lo, reason: "invalid_params", message: `No slice: grains ${lo} to ${hi}.` };
  }
  if (jobRound !== round) {
    const message = `This node has no description of round ${round} of the job.`;
    return { type: "fail", lease, grain: lo, reason: "payload_unavailable", message };
  }
  if (state.slots[backend].length === 0) return { type: "release", lease, reason: "slot_lost" };
  if (state.leases.size >= limits.nodeLeasesMax) return { type: "release", lease, reason: "preferences" };
  return null;
}

/** Gives free slots the next leases of their backend. */
export function fillSlots(state: AgentState, out: AgentEffect[]): void {
  if (state.phase === "draining" || state.phase === "stopped" || state.phase === "refused" || isFull(state)) return;
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
    if (lease.slot === null && lease.message.backend === backend && computedTo(lease) < lease.message.hi) return lease;
  }
  return undefined;
}

function computeNext(state: AgentState, lease: AgentLease, out: AgentEffect[]): void {
  const { backend, hi } = lease.message;
  const lo = computedTo(lease);
  const known = grainMsOf(state, lease);
  const batch =
    known === undefined || state.oneByOne.has(lease.job.job) ? 1 : Math.floor(batchMs[backend] / Math.max(known, 0.01));
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
  const fault = faultOf(event, lease);
  if (fault !== null) {
    onFailed(state, { ...event, type: "failed", grain: event.lo, reason: "internal", message: fault }, now, out);
    return;
  }
  // A result names one build: finished grains of another leave first.
  if (lease.partials.length > 0 && lease.build !== event.build) flushLease(state, lease, now, out);
  lease.build = event.build;
  lease.computeMs += event.computeMs;
  for (const partial of event.partials) {
    lease.partials.push(partial);
    lease.partialBytes += partial.length + 2;
  }
  learnGrainMs(state, lease, event.computeMs / event.partials.length);
  if (computedTo(lease) >= lease.message.hi || lease.partialBytes >= flushBytesMax) flushLease(state, lease, now, out);
  if (computedTo(lease) >= lease.message.hi || isFull(state)) park(state, lease);
  else if (state.phase === "draining") endWith(state, lease, released(lease, "draining"), false, now, out);
  else computeNext(state, lease, out);
  dropFinished(state);
  fillSlots(state, out);
}

/** Told at once: what is not told is lost with the node. */
export function onSaved(state: AgentState, event: Extract<AgentEvent, { type: "saved" }>, out: AgentEffect[]): void {
  const lease = state.leases.get(event.lease);
  const { grain, bytes } = event;
  if (!lease || !canSend(state) || grain < computedTo(lease) || grain >= lease.message.hi) return;
  if (bytes.length > limits.checkpointBytesMax) return;
  out.push({ type: "send", messages: [{ type: "checkpoint", lease: event.lease, grain, bytes }] });
}

/** What a backend must not answer, whatever the kernel did. */
function faultOf(event: Extract<AgentEvent, { type: "computed" }>, lease: AgentLease): string | null {
  const { length } = event.partials;
  if (length === 0 || event.lo + length > lease.message.hi) return `The backend answered ${length} grains.`;
  const large = event.partials.find((partial) => partial.length > limits.partialBytesMax);
  return large ? `A partial has ${large.length} bytes; at most ${limits.partialBytesMax}.` : null;
}

function learnGrainMs(state: AgentState, lease: AgentLease, ms: number): void {
  const known = grainMsOf(state, lease);
  if (known === undefined && state.grainMs.size >= grainMsKeptMax) state.grainMs.clear();
  state.grainMs.set(paceKey(lease), known === undefined ? ms : known + (ms - known) / 3);
}

/** Takes a lease from its slot, which computes nothing now. */
function park(state: AgentState, lease: AgentLease): void {
  if (lease.slot !== null) state.slots[lease.message.backend][lease.slot] = null;
  lease.slot = null;
  lease.fraction = 0;
}

function dropFinished(state: AgentState): void {
  for (const lease of state.leases.values()) {
    if (lease.slot === null && lease.next >= lease.message.hi) state.leases.delete(lease.message.lease);
  }
}

/** After acknowledgements: grains that waited for room leave, and slots that waited for it go on. */
export function goOn(state: AgentState, now: number, out: AgentEffect[]): void {
  for (const lease of state.leases.values()) {
    if (lease.partials.length > 0 && computedTo(lease) >= lease.message.hi) flushLease(state, lease, now, out);
  }
  dropFinished(state);
  fillSlots(state, out);
}

export function onFailed(
  state: AgentState,
  event: Extract<AgentEvent, { type: "failed" }>,
  now: number,
  out: AgentEffect[],
): void {
  const lease = state.leases.get(event.lease);
  if (!lease || state.slots[event.backend][event.slot] !== event.lease) return;
  const { lease: id, grain, reason, message } = event;
  // Which of several grains did not come back is not known: they are tried again, one at a time.
  if (reason === "timeout" && !state.oneByOne.has(lease.job.job) && lease.message.hi - computedTo(lease) > 1) {
    if (state.oneByOne.size >= grainMsKeptMax) state.oneByOne.clear();
    state.oneByOne.add(lease.job.job);
    computeNext(state, lease, out);
    return;
  }
  endWith(state, lease, { type: "fail", lease: id, grain, reason, message: message.slice(0, 500) }, false, now, out);
  fillSlots(state, out);
}

/** A result that cannot be signed is given up. Its lease fails, so that its grains are computed elsewhere. */
export function onResultUnsigned(state: AgentState, seq: number, now: number, out: AgentEffect[]): void {
  const result = state.unacknowledged.get(seq);
  if (!result || !state.signing.delete(seq)) return;
  forgetResult(state, seq);
  const message = "A result could not be signed.";
  const words: NodeMessage = { type: "fail", lease: result.lease, grain: result.lo, reason: "internal", message };
  const lease = state.leases.get(result.lease);
  if (lease) endWith(state, lease, words, true, now, out);
  else sayLast(state, result.lease, words, out);
  sayDeferred(state, seq, out);
  fillSlots(state, out);
}

/** Forgets a lease and the grains of it that are in no result; `abort` where its slot is still computing. */
export function dropLease(state: AgentState, lease: AgentLease, out: AgentEffect[], abort = true): void {
  const { slot } = lease;
  const { backend } = lease.message;
  park(state, lease);
  state.leases.delete(lease.message.lease);
  if (abort && slot !== null) out.push({ type: "abort", backend, slot });
}

const released = (lease: AgentLease, reason: ReleaseReason): NodeMessage => ({
  type: "release",
  lease: lease.message.lease,
  reason,
});

/** Hands in what is finished and gives the rest back. */
export function releaseLease(
  state: AgentState,
  lease: AgentLease,
  reason: ReleaseReason,
  now: number,
  out: AgentEffect[],
): void {
  endWith(state, lease, released(lease, reason), true, now, out);
}

/** Ends a lease with last words, which follow the grains that are finished. */
function endWith(
  state: AgentState,
  lease: AgentLease,
  words: NodeMessage,
  abort: boolean,
  now: number,
  out: AgentEffect[],
): void {
  flushLease(state, lease, now, out);
  dropLease(state, lease, out, abort);
  sayLast(state, lease.message.lease, words, out);
}

/** Says the last words of a lease, after those of its results that still wait for their signature. */
function sayLast(state: AgentState, lease: string, words: NodeMessage, out: AgentEffect[]): void {
  const before = [...state.signing].filter((seq) => state.unacknowledged.get(seq)?.lease === lease);
  if (before.length > 0) state.deferred.push({ seqs: new Set(before), words });
  else if (canSend(state)) out.push({ type: "send", messages: [words] });
}

/** As many slots as are offered. Fewer: what the last ones compute goes back, and what waits beyond two a slot. */
export function resizeSlots(state: AgentState, now: number, out: AgentEffect[], reason: ReleaseReason): void {
  const { slots: wantedSlots } = offered(state);
  for (const backend of allBackends) {
    const wanted = wantedSlots[backend];
    const slots = state.slots[backend];
    while (slots.length > wanted) {
      const id = slots.at(-1);
      const lease = id == null ? undefined : state.leases.get(id);
      if (lease) releaseLease(state, lease, reason, now, out);
      slots.pop();
    }
    while (slots.length < wanted) slots.push(null);
    const held = [...state.leases.values()].filter((lease) => lease.message.backend === backend && lease.slot === null);
    for (const lease of held.slice(2 * wanted)) releaseLease(state, lease, reason, now, out);
  }
}
