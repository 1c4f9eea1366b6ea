/**
 * The node's half of a session, for a tab and for the native worker alike: one pure state machine. Events
 * and the time come in, effects go out as data; `runner.ts` performs them.
 */
import { limits } from "../protocol/limits.ts";
import { hashBytes } from "../protocol/merkle.ts";
import type { Capabilities, CoordinatorMessage, Preferences } from "../protocol/messages.ts";
import { drain, goOnDraining, sayGoodbye, stop } from "./machine-drain.ts";
import { canSend, move, offered } from "./machine-phase.ts";
import { flushDue, flushLease, onAck, onResultSigned, remember } from "./machine-results.ts";
import { connect, hello, onChallenge, onClosed, onRefuse, onSilence, onWelcome } from "./machine-session.ts";
import type { AgentEffect, AgentEvent, AgentState, KeptResult } from "./machine-state.ts";
import {
  dropLease,
  fillSlots,
  goOn,
  onComputed,
  onFailed,
  onLease,
  onResultUnsigned,
  onSaved,
  resizeSlots,
} from "./machine-work.ts";

const jobsMax = 256;
/** The coordinator answers every heartbeat; after so many without an answer, and some grace, it is silent. */
const silentHeartbeats = 3;
const silentGraceMs = 2_000;

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
    release: null,
    own: false,
    heartbeatMs: 5_000,
    flushMs: 5_000,
    checkpointMs: null,
    sign: true,
    attempts: 0,
    reconnectAtMs: 0,
    greetByMs: 0,
    heardAtMs: 0,
    heartbeatAtMs: 0,
    finishByMs: null,
    drainByMs: 0,
    drainReason: "",
    jobs: new Map(),
    leases: new Map(),
    slots: { wasm: [], webgpu: [], native: [] },
    grainMs: new Map(),
    oneByOne: new Set(),
    unacknowledged: new Map(),
    unacknowledgedBytes: 0,
    signing: new Set(),
    deferred: [],
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
  take(state, event, now, out);
  if (out.length > 0 || event.type !== "tick") out.push({ type: "changed" });
  return out;
}

function take(state: AgentState, event: AgentEvent, now: number, out: AgentEffect[]): void {
  switch (event.type) {
    case "start":
      connect(state, now, out);
      resizeSlots(state, now, out, "preferences");
      return;
    case "restored":
      restore(state, event.results, out);
      return;
    case "opened":
      if (state.phase === "connecting") move(state, "greeting", "greeting", "Introducing itself.");
      return;
    case "closed":
      onClosed(state, event, now, out);
      return;
    case "received":
      state.heardAtMs = now;
      onReceived(state, event.message, event.entropy, now, out);
      return;
    case "hello.signed":
      if (state.phase === "greeting") out.push({ type: "send", messages: [hello(state, event.signature)] });
      return;
    case "result.signed":
      onResultSigned(state, event, out);
      sayGoodbye(state, now, out);
      return;
    case "result.unsigned":
      onResultUnsigned(state, event.seq, now, out);
      sayGoodbye(state, now, out);
      return;
    case "computed":
      onComputed(state, event, now, out);
      goOnDraining(state, now, out);
      return;
    case "failed":
      onFailed(state, event, now, out);
      goOnDraining(state, now, out);
      return;
    case "fraction": {
      const lease = state.leases.get(event.lease);
      if (lease) lease.fraction = event.fraction;
      return;
    }
    case "saved":
      onSaved(state, event, out);
      return;
    case "preferences":
      state.preferences = event.preferences;
      reoffer(state, "preferences", now, out);
      return;
    case "capabilities":
      onCapabilities(state, event, now, out);
      return;
    case "calibrated":
      if (state.phase === "online" && event.speeds.length > 0) {
        out.push({ type: "send", messages: [{ type: "calibration", speeds: event.speeds }] });
      }
      return;
    case "tick":
      tick(state, event.entropy, now, out);
      return;
    case "drain":
      drain(state, event.reason, now, out);
      return;
    case "stop":
      stop(state, event.reason, now, out);
      return;
    default:
      event satisfies never;
  }
}

/** Sequence numbers go on above those of an earlier run, so that no acknowledgement is mistaken. */
function restore(state: AgentState, results: readonly KeptResult[], out: AgentEffect[]): void {
  for (const result of results.slice(-limits.unacknowledgedResultsMax)) {
    remember(state, result);
    state.nextSeq = Math.max(state.nextSeq, result.seq + 1);
    // Kept by a version that signed otherwise, or for a coordinator that wanted no signatures: signed anew.
    if ((result as Partial<KeptResult>).root?.length === hashBytes) continue;
    state.signing.add(result.seq);
    out.push({ type: "sign.result", result });
  }
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
      onChallenge(state, message, now, out);
      return;
    case "welcome":
      onWelcome(state, message, now, out);
      return;
    case "refuse":
      onRefuse(state, message, entropy, now, out);
      return;
    case "job":
      if (!state.jobs.has(message.job) && state.jobs.size >= jobsMax) evictJob(state);
      state.jobs.set(message.job, message);
      return;
    case "lease":
      onLease(state, message, now, out);
      return;
    case "ack":
      onAck(state, message, out);
      goOn(state, now, out);
      goOnDraining(state, now, out);
      return;
    case "revoke": {
      const lease = state.leases.get(message.lease);
      if (!lease) return;
      // Others have the rest; what is finished may still count.
      flushLease(state, lease, now, out);
      dropLease(state, lease, out);
      fillSlots(state, out);
      goOnDraining(state, now, out);
      return;
    }
    case "forget":
      forgetJob(state, message.job, out);
      fillSlots(state, out);
      goOnDraining(state, now, out);
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

/** The job ended: what of it is not in a result yet counts no more. */
function forgetJob(state: AgentState, job: string, out: AgentEffect[]): void {
  state.jobs.delete(job);
  for (const lease of [...state.leases.values()]) if (lease.message.job === job) dropLease(state, lease, out);
  for (const key of [...state.grainMs.keys()]) if (key.startsWith(`${job}/`)) state.grainMs.delete(key);
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

/** A GPU that is gone takes its slots along, and the work on them goes back. */
function onCapabilities(
  state: AgentState,
  event: Extract<AgentEvent, { type: "capabilities" }>,
  now: number,
  out: AgentEffect[],
): void {
  const before = offered(state);
  const { capabilities, reason } = event;
  state.capabilities = capabilities;
  if (state.phase === "online") {
    out.push({ type: "send", messages: [{ type: "capabilities", capabilities, reason: reason.slice(0, 500) }] });
  }
  if (offered(state).slots.webgpu !== before.slots.webgpu) reoffer(state, "slot_lost", now, out);
}

/** More or fewer slots, or other families: slots are added or taken, and the coordinator is told. */
function reoffer(state: AgentState, reason: "preferences" | "slot_lost", now: number, out: AgentEffect[]): void {
  if (state.phase === "draining" || state.phase === "stopped") return;
  resizeSlots(state, now, out, reason);
  if (canSend(state)) out.push({ type: "send", messages: [{ type: "preferences", preferences: offered(state) }] });
  fillSlots(state, out);
}

function tick(state: AgentState, entropy: number, now: number, out: AgentEffect[]): void {
  switch (state.phase) {
    case "waiting":
      flushDue(state, now, out);
      if (now >= state.reconnectAtMs) connect(state, now, out);
      return;
    case "connecting":
    case "greeting":
      flushDue(state, now, out);
      if (now >= state.greetByMs)
        onSilence(state, "greeting_timeout", "The coordinator did not answer.", entropy, now, out);
      return;
    case "online":
      onlineTick(state, entropy, now, out);
      return;
    case "draining":
      goOnDraining(state, now, out);
      return;
    case "stopped":
    case "refused":
      return;
  }
}

function onlineTick(state: AgentState, entropy: number, now: number, out: AgentEffect[]): void {
  flushDue(state, now, out);
  if (now - state.heardAtMs > silentHeartbeats * state.heartbeatMs + silentGraceMs) {
    onSilence(state, "silent", "Nothing was heard from the coordinator.", entropy, now, out);
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
