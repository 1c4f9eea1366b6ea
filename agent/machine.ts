/**
 * The node's half of a session, for a tab and for the native worker alike: one pure state machine. Events
 * and the time come in, effects go out as data; `runner.ts` performs them.
 */
import { limits } from "../protocol/limits.ts";
import type {
  Capabilities,
  CoordinatorMessage,
  HeldLease,
  Hello,
  NodeMessage,
  Preferences,
} from "../protocol/messages.ts";
import { protocolMinimum, protocolVersion } from "../protocol/version.ts";
import {
  type AgentEffect,
  type AgentEvent,
  type AgentLease,
  type AgentState,
  allBackends,
  type KeptResult,
  type Phase,
  phaseTransitions,
} from "./machine-state.ts";
import { dropLease, endWith, fillSlots, flushDue, flushLease, onComputed, resizeSlots } from "./machine-work.ts";

const greetMsMax = 15_000;
/** How long a stop waits for acknowledgements; what is not acknowledged is kept and sent next time. */
const drainMsMax = 700;
const reconnectMsMin = 500;
const reconnectMsMax = 30_000;
const jobsMax = 256;

export interface AgentSeed {
  session: string;
  publicKey: Uint8Array;
  joinToken: string | null;
  capabilities: Capabilities;
  preferences: Preferences;
}

export function createAgent(seed: AgentSeed): AgentState {
  return {
    ...seed,
    phase: "stopped",
    reason: { code: "stopped", message: "Not running.", remedy: "" },
    node: null,
    own: false,
    heartbeatMs: 5_000,
    flushMs: 5_000,
    sign: true,
    attempts: 0,
    reconnectAtMs: 0,
    greetByMs: 0,
    heardAtMs: 0,
    heartbeatAtMs: 0,
    drainByMs: 0,
    drainReason: "",
    jobs: new Map(),
    leases: new Map(),
    slots: { wasm: [], webgpu: [], native: [] },
    grainMs: new Map(),
    unacknowledged: new Map(),
    signing: new Set(),
    deferred: new Map(),
    nextSeq: 1,
    idle: [],
    standing: { accepted: 0, rejected: 0, coreSeconds: 0 },
    sentResults: 0,
    acknowledgedByBackend: {},
    story: [],
  };
}

/** One event and what follows from it. Throws on an illegal transition, with the story. */
export function step(state: AgentState, event: AgentEvent, now: number): AgentEffect[] {
  const out: AgentEffect[] = [];
  switch (event.type) {
    case "start":
      resizeSlots(state, now, out, "preferences");
      connect(state, now, out);
      break;
    case "restored":
      restore(state, event.results);
      break;
    case "opened":
      if (state.phase === "connecting") move(state, "greeting", "greeting", "Introducing itself.");
      break;
    case "closed":
      onClosed(state, event, now, out);
      break;
    case "received":
      state.heardAtMs = now;
      onReceived(state, event.message, event.entropy, now, out);
      break;
    case "hello.signed":
      if (state.phase === "greeting") out.push({ type: "send", messages: [hello(state, event.signature)] });
      break;
    case "result.signed":
      onResultSigned(state, event.seq, event.signature, out);
      break;
    case "computed":
      onComputed(state, event, now, out);
      break;
    case "failed":
      onFailed(state, event, now, out);
      break;
    case "fraction": {
      const lease = state.leases.get(event.lease);
      if (lease) lease.fraction = event.fraction;
      break;
    }
    case "preferences":
      onPreferences(state, event.preferences, now, out);
      break;
    case "capabilities":
      onCapabilities(state, event, now, out);
      break;
    case "calibrated":
      if (state.phase === "online" && event.speeds.length > 0) {
        out.push({ type: "send", messages: [{ type: "calibration", speeds: event.speeds }] });
      }
      break;
    case "tick":
      tick(state, now, out);
      break;
    case "stop":
      stop(state, event.reason, now, out);
      break;
    default:
      event satisfies never;
  }
  if (out.length > 0 || event.type !== "tick") out.push({ type: "changed" });
  return out;
}

function move(state: AgentState, to: Phase, code: string, message: string, remedy = ""): void {
  const allowed: readonly string[] = phaseTransitions[state.phase];
  if (!allowed.includes(to)) {
    throw new Error(`agent: ${state.phase} -> ${to} is not allowed; story: ${state.story.join(" | ")}`);
  }
  state.story.push(`${state.phase} -> ${to} (${code})`);
  if (state.story.length > 32) state.story.shift();
  state.phase = to;
  state.reason = { code, message, remedy };
}

function connect(state: AgentState, now: number, out: AgentEffect[]): void {
  move(state, "connecting", "connecting", "Connecting to the coordinator.");
  state.greetByMs = now + greetMsMax;
  out.push({ type: "connect" });
}

/** Sequence numbers go on above those of an earlier run, so that no acknowledgement is mistaken. */
function restore(state: AgentState, results: readonly KeptResult[]): void {
  for (const result of results.slice(-limits.unacknowledgedResultsMax)) {
    state.unacknowledged.set(result.seq, result);
    state.nextSeq = Math.max(state.nextSeq, result.seq + 1);
  }
}

function onClosed(
  state: AgentState,
  event: Extract<AgentEvent, { type: "closed" }>,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase === "stopped" || state.phase === "refused" || state.phase === "waiting") return;
  if (state.phase === "draining") {
    finishDrain(state, out);
    return;
  }
  const ms = Math.min(reconnectMsMax, reconnectMsMin * 2 ** Math.min(10, state.attempts));
  wait(state, now + ms * (0.5 + event.entropy), "disconnected", `The connection was lost (${event.reason}).`);
}

function wait(state: AgentState, untilMs: number, code: string, message: string, remedy = ""): void {
  state.attempts++;
  state.reconnectAtMs = untilMs;
  move(state, "waiting", code, message, remedy || "It reconnects by itself; what was computed is kept.");
}

function onReceived(
  state: AgentState,
  message: CoordinatorMessage,
  entropy: number,
  now: number,
  out: AgentEffect[],
): void {
  switch (message.type) {
    case "challenge":
      onChallenge(state, message, out);
      return;
    case "welcome":
      onWelcome(state, message, now, out);
      return;
    case "refuse":
      onRefuse(state, message, entropy, now, out);
      return;
    case "job":
      if (state.jobs.size >= jobsMax) evictJob(state);
      state.jobs.set(message.job, message);
      return;
    case "lease":
      onLease(state, message, now, out);
      return;
    case "ack":
      onAck(state, message, now, out);
      return;
    case "revoke": {
      const lease = state.leases.get(message.lease);
      if (!lease) return;
      if (message.reason === "deadline") flushLease(state, lease, now, out);
      dropLease(state, lease, out);
      fillSlots(state, out);
      return;
    }
    case "forget":
      state.jobs.delete(message.job);
      for (const lease of [...state.leases.values()])
        if (lease.message.job === message.job) dropLease(state, lease, out);
      fillSlots(state, out);
      return;
    case "idle":
      state.idle = message.reasons;
      return;
    case "standing":
      state.standing = { accepted: message.accepted, rejected: message.rejected, coreSeconds: message.coreSeconds };
      return;
    default:
      message satisfies never;
  }
}

function onChallenge(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "challenge" }>,
  out: AgentEffect[],
): void {
  if (state.phase === "connecting") move(state, "greeting", "greeting", "Introducing itself.");
  if (state.phase !== "greeting") return;
  const { version, minimum } = message.protocol;
  if (protocolVersion < minimum) {
    giveUp(
      state,
      "upgrade_node",
      `The coordinator needs protocol ${minimum}; this node speaks ${protocolVersion}.`,
      "Reload the page, or update the worker.",
      out,
    );
  } else if (version < protocolMinimum) {
    giveUp(
      state,
      "upgrade_coordinator",
      `The coordinator speaks protocol ${version}; this node needs ${protocolMinimum}.`,
      "Ask its operator to update it.",
      out,
    );
  } else {
    out.push({ type: "sign.hello", nonce: message.nonce });
  }
}

function giveUp(state: AgentState, code: string, message: string, remedy: string, out: AgentEffect[]): void {
  for (const lease of [...state.leases.values()]) dropLease(state, lease, out);
  move(state, "refused", code, message, remedy);
  out.push({ type: "disconnect" });
}

function hello(state: AgentState, signature: Uint8Array): Hello {
  return {
    type: "hello",
    protocol: { version: protocolVersion, minimum: protocolMinimum },
    publicKey: state.publicKey,
    signature,
    session: state.session,
    joinToken: state.joinToken,
    capabilities: state.capabilities,
    preferences: state.preferences,
    holding: [...state.leases.values()].map(held),
  };
}

function held({ message, next }: AgentLease): HeldLease {
  const { lease, ticket, job, round, lo, hi, backend } = message;
  return { lease, ticket, job, round, lo, hi, backend, next };
}

function onWelcome(
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
  state.own = message.own;
  state.heartbeatMs = message.heartbeatMs;
  state.flushMs = message.flushMs;
  state.sign = message.sign;
  state.heartbeatAtMs = now + message.heartbeatMs;
  const resumed = new Set(message.resumed);
  for (const lease of [...state.leases.values()]) if (!resumed.has(lease.message.lease)) dropLease(state, lease, out);
  const ready = [...state.unacknowledged.values()].filter((result) => !state.signing.has(result.seq));
  if (ready.length > 0) sendResults(ready, out);
  if (first) out.push({ type: "calibrate" });
  fillSlots(state, out);
}

/** Some results a frame, so that none grows past what the coordinator takes. */
function sendResults(results: readonly KeptResult[], out: AgentEffect[]): void {
  let messages: NodeMessage[] = [];
  let bytes = 0;
  for (const result of results) {
    if (bytes + result.partials.length > limits.nodeFrameBytesMax / 2 && messages.length > 0) {
      out.push({ type: "send", messages });
      messages = [];
      bytes = 0;
    }
    messages.push({ type: "result", ...result });
    bytes += result.partials.length + 600;
  }
  if (messages.length > 0) out.push({ type: "send", messages });
}

function onRefuse(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "refuse" }>,
  entropy: number,
  now: number,
  out: AgentEffect[],
): void {
  if (state.phase === "draining" || state.phase === "stopped" || state.phase === "refused") return;
  if (message.retryMs === null) {
    giveUp(state, message.code, message.message, message.remedy, out);
    return;
  }
  wait(state, now + message.retryMs * (0.5 + entropy), message.code, message.message, message.remedy);
  out.push({ type: "disconnect" });
}

/** The oldest job that no lease needs. */
function evictJob(state: AgentState): void {
  const needed = new Set([...state.leases.values()].map((lease) => lease.message.job));
  for (const id of state.jobs.keys()) {
    if (needed.has(id)) continue;
    state.jobs.delete(id);
    return;
  }
}

function onLease(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "lease" }>,
  now: number,
  out: AgentEffect[],
): void {
  const job = state.jobs.get(message.job);
  const refused =
    !job || state.phase !== "online" || state.leases.size >= limits.nodeLeasesMax || message.lo >= message.hi;
  if (refused || state.slots[message.backend].length === 0) {
    out.push({ type: "send", messages: [{ type: "release", lease: message.lease, reason: "slot_lost" }] });
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

function onAck(
  state: AgentState,
  message: Extract<CoordinatorMessage, { type: "ack" }>,
  now: number,
  out: AgentEffect[],
): void {
  const seqs = [...message.seqs, ...message.rejected.map((rejected) => rejected.seq)];
  for (const seq of message.seqs) {
    const backend = state.unacknowledged.get(seq)?.backend;
    if (backend) state.acknowledgedByBackend[backend] = (state.acknowledgedByBackend[backend] ?? 0) + 1;
  }
  for (const seq of seqs) state.unacknowledged.delete(seq);
  if (seqs.length > 0) out.push({ type: "forget", seqs });
  if (state.phase === "draining") tick(state, now, out);
  else fillSlots(state, out);
}

function onResultSigned(state: AgentState, seq: number, signature: Uint8Array, out: AgentEffect[]): void {
  const result = state.unacknowledged.get(seq);
  if (!result || !state.signing.delete(seq)) return;
  result.signature = signature;
  state.sentResults++;
  out.push({ type: "keep", result });
  const words = state.deferred.get(seq);
  state.deferred.delete(seq);
  if (state.phase === "online" || (state.phase === "draining" && state.node !== null)) {
    sendResults([result], out);
    if (words && state.phase === "online") out.push({ type: "send", messages: [words] });
  }
  if (state.phase === "draining" && state.signing.size === 0) sayGoodbye(state, out);
}

function onFailed(
  state: AgentState,
  event: Extract<AgentEvent, { type: "failed" }>,
  now: number,
  out: AgentEffect[],
): void {
  const lease = state.leases.get(event.lease);
  if (!lease || state.slots[event.backend][event.slot] !== event.lease) return;
  const { lease: id, grain, reason, message } = event;
  endWith(state, lease, { type: "fail", lease: id, grain, reason, message: message.slice(0, 500) }, false, now, out);
  fillSlots(state, out);
}

function onPreferences(state: AgentState, preferences: Preferences, now: number, out: AgentEffect[]): void {
  state.preferences = preferences;
  resizeSlots(state, now, out, "preferences");
  if (state.phase === "online") out.push({ type: "send", messages: [{ type: "preferences", preferences }] });
  fillSlots(state, out);
}

/** A GPU that is gone takes its slots along; the work goes back. */
function onCapabilities(
  state: AgentState,
  event: Extract<AgentEvent, { type: "capabilities" }>,
  now: number,
  out: AgentEffect[],
): void {
  state.capabilities = event.capabilities;
  if (state.phase === "online") {
    const { capabilities, reason } = event;
    out.push({ type: "send", messages: [{ type: "capabilities", capabilities, reason: reason.slice(0, 500) }] });
  }
  if (event.capabilities.gpu === null && state.preferences.slots.webgpu > 0) {
    const slots = { ...state.preferences.slots, webgpu: 0 };
    state.preferences = { ...state.preferences, slots };
    resizeSlots(state, now, out, "slot_lost");
    if (state.phase === "online")
      out.push({ type: "send", messages: [{ type: "preferences", preferences: state.preferences }] });
  }
}

function tick(state: AgentState, now: number, out: AgentEffect[]): void {
  switch (state.phase) {
    case "waiting":
      flushDue(state, now, out);
      if (now >= state.reconnectAtMs) connect(state, now, out);
      return;
    case "connecting":
    case "greeting":
      flushDue(state, now, out);
      if (now < state.greetByMs) return;
      wait(state, now + reconnectMsMin, "greeting_timeout", "The coordinator did not answer.");
      out.push({ type: "disconnect" });
      return;
    case "online":
      onlineTick(state, now, out);
      return;
    case "draining":
      if (now >= state.drainByMs || (state.signing.size === 0 && state.unacknowledged.size === 0)) {
        out.push({ type: "disconnect" });
        finishDrain(state, out);
      }
      return;
    case "stopped":
    case "refused":
      return;
  }
}

function onlineTick(state: AgentState, now: number, out: AgentEffect[]): void {
  flushDue(state, now, out);
  if (now - state.heardAtMs > 3 * state.heartbeatMs + 2_000) {
    wait(state, now + reconnectMsMin, "silent", "Nothing was heard from the coordinator.");
    out.push({ type: "disconnect" });
    return;
  }
  if (now < state.heartbeatAtMs) return;
  state.heartbeatAtMs = now + state.heartbeatMs;
  const leases = [...state.leases.values()].map((lease) => ({
    lease: lease.message.lease,
    done: lease.next + lease.partials.length - lease.message.lo,
    fraction: Math.min(1, Math.max(0, lease.fraction)),
  }));
  out.push({ type: "send", messages: [{ type: "progress", leases }] });
}

/** Computing ends at once; what is finished is handed in, the rest is given back. */
function stop(state: AgentState, reason: string, now: number, out: AgentEffect[]): void {
  if (state.phase === "stopped" || state.phase === "draining") return;
  const online = state.phase === "online";
  // `bye` gives all leases back, once what is finished was sent.
  for (const lease of [...state.leases.values()]) {
    flushLease(state, lease, now, out);
    dropLease(state, lease, out);
  }
  for (const backend of allBackends) state.slots[backend] = [];
  move(state, "draining", "draining", "Handing in what is finished.");
  state.drainReason = reason;
  state.drainByMs = now + drainMsMax;
  if (!online) {
    state.node = null;
    if (state.signing.size > 0) return;
    out.push({ type: "disconnect" });
    finishDrain(state, out);
  } else if (state.signing.size === 0) sayGoodbye(state, out);
}

function sayGoodbye(state: AgentState, out: AgentEffect[]): void {
  if (state.node === null) {
    out.push({ type: "disconnect" });
    finishDrain(state, out);
    return;
  }
  out.push({ type: "send", messages: [{ type: "bye", reason: state.drainReason.slice(0, 500) }] });
  if (state.unacknowledged.size > 0) return;
  out.push({ type: "disconnect" });
  finishDrain(state, out);
}

function finishDrain(state: AgentState, out: AgentEffect[]): void {
  if (state.phase !== "draining") return;
  move(state, "stopped", "stopped", "Stopped.");
  state.node = null;
  out.push({ type: "stopped" });
}
