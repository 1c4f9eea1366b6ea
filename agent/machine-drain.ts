/** How a node ends: computing stops, what is finished is handed in, the rest goes back. */
import { canSend, move } from "./machine-phase.ts";
import { flushLease } from "./machine-results.ts";
import { type AgentEffect, type AgentState, allBackends } from "./machine-state.ts";
import { dropLease, releaseLease } from "./machine-work.ts";

/** How long slots may finish the grains that they compute, after `drain`. */
const finishMsMax = 1_500;
/** How long a stop waits for acknowledgements; what is not acknowledged is kept and sent next time. */
const drainMsMax = 700;

/** Slots finish the grains that they compute, for a moment; everything that waits goes back. */
export function drain(state: AgentState, reason: string, now: number, out: AgentEffect[]): void {
  if (state.phase !== "online") {
    stop(state, reason, now, out);
    return;
  }
  beginDrain(state, reason);
  state.finishByMs = now + finishMsMax;
  for (const lease of [...state.leases.values()]) {
    if (lease.slot === null) releaseLease(state, lease, "draining", now, out);
  }
  goOnDraining(state, now, out);
}

/** Computing ends at once; what is finished is handed in, the rest is given back. */
export function stop(state: AgentState, reason: string, now: number, out: AgentEffect[]): void {
  if (state.phase === "stopped") return;
  if (state.phase !== "draining") {
    const online = state.phase === "online";
    beginDrain(state, reason);
    if (!online) state.node = null;
  } else if (state.finishByMs === null) return;
  cutShort(state, now, out);
}

function beginDrain(state: AgentState, reason: string): void {
  move(state, "draining", "draining", "Handing in what is finished.");
  state.drainReason = reason;
}

/** While draining: ends computing once the slots are done or out of time, and the session once all is said. */
export function goOnDraining(state: AgentState, now: number, out: AgentEffect[]): void {
  if (state.phase !== "draining") return;
  if (state.finishByMs !== null) {
    if (state.leases.size === 0 || now >= state.finishByMs) cutShort(state, now, out);
    return;
  }
  const settled = state.signing.size === 0 && (state.unacknowledged.size === 0 || !canSend(state));
  if (settled || now >= state.drainByMs) finishDrain(state, out);
}

/** `bye` gives all leases back, once what is finished was sent. */
function cutShort(state: AgentState, now: number, out: AgentEffect[]): void {
  for (const lease of [...state.leases.values()]) {
    flushLease(state, lease, now, out);
    dropLease(state, lease, out);
  }
  for (const backend of allBackends) state.slots[backend] = [];
  state.finishByMs = null;
  state.drainByMs = now + drainMsMax;
  sayGoodbye(state, now, out);
}

/** After the last signature. */
export function sayGoodbye(state: AgentState, now: number, out: AgentEffect[]): void {
  if (state.phase !== "draining" || state.finishByMs !== null || state.signing.size > 0) return;
  if (canSend(state)) out.push({ type: "send", messages: [{ type: "bye", reason: state.drainReason.slice(0, 500) }] });
  goOnDraining(state, now, out);
}

/** The connection is gone while draining: what is finished is kept for the next start. */
export function onClosedDraining(state: AgentState, now: number, out: AgentEffect[]): void {
  state.node = null;
  if (state.finishByMs !== null) cutShort(state, now, out);
  else goOnDraining(state, now, out);
}

function finishDrain(state: AgentState, out: AgentEffect[]): void {
  move(state, "stopped", "stopped", "Stopped.");
  state.node = null;
  out.push({ type: "disconnect" }, { type: "stopped" });
}
