/** Connecting, introducing oneself, being welcomed or refused, and losing the connection. */
import type { CoordinatorMessage, HeldLease, Hello } from "../protocol/messages.ts";
import { protocolMinimum, protocolVersion } from "../protocol/version.ts";
import { onClosedDraining } from "./machine-drain.ts";
import { move, offered, retryLater, waitUntil } from "./machine-phase.ts";
import { flushLease, resend } from "./machine-results.ts";
import type { AgentEffect, AgentEvent, AgentLease, AgentState } from "./machine-state.ts";
import { dropLease, fillSlots } from "./machine-work.ts";

const greetMsMax = 15_000;

export function connect(state: AgentState, now: number, out: AgentEffect[]): void {
  move(state, "connecting", "connecting", "Connecting to the coordinator.");
  state.greetByMs = now + greetMsMax;
  out.push({ type: "connect" });
}

export function onClosed(
  state: AgentState,
  event: Extract<AgentEvent, { type: "closed" }>,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase === "draining") onClosedDraining(state, now, out);
  else if (state.phase === "connecting" || state.phase === "greeting" || state.phase === "online") {
    retryLater(state, now, event.entropy, "disconnected", `The connection was lost (${event.reason}).`);
  }
}

/** Either side may be too old for the other; who must be updated is said in words. */
export function onChallenge(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "challenge" }>,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase === "connecting") move(state, "greeting", "greeting", "Introducing itself.");
  if (state.phase !== "greeting") return;
  const { version, minimum } = message.protocol;
  if (protocolVersion < minimum) {
    const words = `The coordinator needs protocol ${minimum}; this node speaks ${protocolVersion}.`;
    giveUp(state, "upgrade_node", words, "Reload the page, or update the worker.", now, out);
  } else if (version < protocolMinimum) {
    const words = `The coordinator speaks protocol ${version}; this node needs ${protocolMinimum}.`;
    giveUp(state, "upgrade_coordinator", words, "Ask its operator to update it.", now, out);
  } else {
    out.push({ type: "sign.hello", nonce: message.nonce });
  }
}

/** Coming back is pointless. What is finished is kept: another start may hand it in. */
function giveUp(
  state: AgentState,
  code: string,
  message: string,
  remedy: string,
  now: number,
  out: AgentEffect[],
): void {
  for (const lease of [...state.leases.values()]) {
    flushLease(state, lease, now, out);
    dropLease(state, lease, out);
  }
  move(state, "refused", code, message, remedy);
  out.push({ type: "disconnect" });
}

export function hello(state: AgentState, signature: Uint8Array): Hello {
  return {
    type: "hello",
    protocol: { version: protocolVersion, minimum: protocolMinimum },
    publicKey: state.publicKey,
    signature,
    session: state.session,
    joinToken: state.joinToken,
    capabilities: state.capabilities,
    preferences: offered(state),
    holding: [...state.leases.values()].map(held),
  };
}

function held({ message, next }: AgentLease): HeldLease {
  const { lease, ticket, job, round, lo, hi, backend } = message;
  return { lease, ticket, job, round, lo, hi, backend, next };
}

export function onWelcome(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "welcome" }>,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase !== "greeting") return;
  const first = state.node === null;
  move(state, "online", "online", "Connected.");
  state.attempts = 0;
  state.node = message.node;
  state.release = message.release ?? null;
  state.own = message.own;
  state.heartbeatMs = message.heartbeatMs;
  state.flushMs = message.flushMs;
  state.checkpointMs = message.checkpointMs ?? null;
  state.sign = message.sign;
  state.heartbeatAtMs = now + message.heartbeatMs;
  resend(state, out);
  const resumed = new Set(message.resumed);
  for (const lease of [...state.leases.values()]) {
    if (resumed.has(lease.message.lease)) continue;
    // Its ticket still proves what is finished.
    flushLease(state, lease, now, out);
    dropLease(state, lease, out);
  }
  if (first) out.push({ type: "calibrate" });
  fillSlots(state, out);
}

export function onRefuse(
  state: AgentState,
  { code, message, remedy, retryMs }: Extract<CoordinatorMessage, { type: "refuse" }>,
  entropy: number,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase === "draining") onClosedDraining(state, now, out);
  if (state.phase !== "connecting" && state.phase !== "greeting" && state.phase !== "online") return;
  if (retryMs === null) {
    giveUp(state, code, message, remedy, now, out);
    return;
  }
  // Not before the time that was asked for, and not all nodes in the same moment.
  waitUntil(state, now + retryMs + entropy * Math.max(500, retryMs), code, message, remedy);
  out.push({ type: "disconnect" });
}

/** The coordinator does not answer, or says nothing any more: the connection is as good as lost. */
export function onSilence(
  state: AgentState,
  code: string,
  message: string,
  entropy: number,
  now: number,
  out: AgentEffect[],
): void {
  retryLater(state, now, entropy, code, message);
  out.push({ type: "disconnect" });
}
