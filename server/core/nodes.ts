/** Nodes that come, change, fall silent and go. */
import type { Backend, NodeMessage } from "../../protocol/messages.ts";
import { ofLostLease } from "./checkpoints.ts";
import { closeWork } from "./closing.ts";
import type { CoreEvent, CorePorts, Effect } from "./events.ts";
import { unwait } from "./grains.ts";
import { addLease, endLease } from "./leases.ts";
import { hasRoom } from "./placement.ts";
import { finishIfComplete } from "./rounds.ts";
import { speedKey } from "./speed.ts";
import type { CoreState, HeldLease, Job, Lease, Node } from "./state.ts";
import { trustOf } from "./trust.ts";
import { charge, syncRunnable } from "./turns.ts";

/** Speeds kept of one node; calibrations beyond are ignored. */
const speedsMax = 256;

type HelloEvent = Extract<CoreEvent, { type: "hello" }>;

/** A connection proved an identity. */
export function onHello(state: CoreState, event: HelloEvent, now: number, ports: CorePorts, out: Effect[]): void {
  const known = state.nodes.get(event.node);
  const trust = event.own ? null : trustOf(state, event.node);
  if (trust?.banned) {
    refuse(
      event.connection,
      "banned",
      `A result of this identity was proven wrong: ${trust.banned.reason}`,
      banRemedy,
      null,
      out,
    );
    return;
  }
  if (state.draining) {
    refuse(
      event.connection,
      "shutting_down",
      "The coordinator is stopping.",
      "It will be back; this node comes back by itself.",
      2_000,
      out,
    );
    return;
  }
  if (known && known.connection !== null) {
    const silent = now - known.lastSeenMs > 2 * state.config.heartbeatMs;
    if (known.session !== event.session && !silent) {
      refuse(
        event.connection,
        "already_here",
        "This identity is connected from another tab or process.",
        "Use that one, or stop it first.",
        5_000,
        out,
      );
      return;
    }
    out.push({
      type: "close",
      connection: known.connection,
      code: "already_here",
      message: "Replaced by a newer connection.",
      remedy: "Nothing to do.",
      retryMs: null,
    });
    state.connections.delete(known.connection);
  }
  const node = known ? rejoin(known, event, now) : join(event, now);
  if (trust) {
    trust.network = event.network ?? "";
    trust.left = false;
  }
  state.nodes.set(node.id, node);
  state.connections.set(event.connection, node.id);
  const resumed = resume(state, node, event.holding, now, ports, out);
  out.push({
    type: "send",
    connection: event.connection,
    message: {
      type: "welcome",
      node: node.id,
      own: node.own,
      heartbeatMs: state.config.heartbeatMs,
      flushMs: state.config.flushMs,
      checkpointMs: state.config.checkpointMs,
      sign: state.config.signResults,
      resumed,
    },
  });
  node.standingChanged = node.acceptedSlices + node.rejectedSlices > 0;
  if (hasRoom(state, node)) state.hungry.add(node.id);
  state.changedNodes.add(node.id);
}

const banRemedy = "Have the machine checked. Its operator may start it with a new identity.";

/** A banned node is not heard any more. What it holds goes to others. */
export function sendAway(state: CoreState, id: string, reason: string, out: Effect[]): void {
  const node = state.nodes.get(id);
  if (!node) return;
  sendOff(state, node, out);
  if (node.connection === null) return;
  refuse(node.connection, "banned", `A result of this identity was proven wrong: ${reason}`, banRemedy, null, out);
  state.connections.delete(node.connection);
  node.connection = null;
  node.disconnectedAtMs = state.lastTickMs;
}

function refuse(
  connection: number,
  code: Extract<Effect, { type: "close" }>["code"],
  message: string,
  remedy: string,
  retryMs: number | null,
  out: Effect[],
): void {
  out.push({ type: "close", connection, code, message, remedy, retryMs });
}

function join(event: HelloEvent, now: number): Node {
  return {
    id: event.node,
    own: event.own,
    session: event.session,
    connection: event.connection,
    disconnectedAtMs: null,
    capabilities: event.capabilities,
    preferences: event.preferences,
    leases: new Set(),
    held: { wasm: 0, webgpu: 0, native: 0 },
    heldMs: { wasm: 0, webgpu: 0, native: 0 },
    speeds: new Map(),
    pace: new Map(),
    jobsSent: new Set(),
    fetched: new Set(),
    connectedAtMs: now,
    lastSeenMs: now,
    draining: false,
    hired: event.hired ?? false,
    retiring: false,
    waitsUntilMs: 0,
    waitReason: null,
    failuresInRow: 0,
    rejectionsInRow: 0,
    acceptedSlices: event.history.acceptedSlices,
    rejectedSlices: event.history.rejectedSlices,
    coreSeconds: event.history.coreSeconds,
    standingChanged: false,
    idleReasons: [],
    idleSent: "",
    fruitless: -1,
    copiesSeen: -1,
  };
}

function rejoin(node: Node, event: HelloEvent, now: number): Node {
  node.own = event.own;
  node.hired = event.hired ?? false;
  node.session = event.session;
  node.connection = event.connection;
  node.disconnectedAtMs = null;
  node.capabilities = event.capabilities;
  node.preferences = event.preferences;
  node.jobsSent = new Set();
  node.connectedAtMs = now;
  node.lastSeenMs = now;
  node.draining = false;
  node.idleSent = "";
  node.fruitless = -1;
  node.copiesSeen = -1;
  return node;
}

/** What the node still holds goes on where it can; every other lease of it ends. */
function resume(
  state: CoreState,
  node: Node,
  holding: readonly HeldLease[],
  now: number,
  ports: CorePorts,
  out: Effect[],
): string[] {
  const resumed: string[] = [];
  const held = new Map(holding.map((lease) => [lease.lease, lease]));
  for (const id of [...node.leases]) {
    if (held.has(id)) resumed.push(id);
    else endLease(state, state.leases.get(id) as Lease, null, null, out);
  }
  for (const told of holding) {
    if (!state.leases.has(told.lease) && adopt(state, node, told, now, ports)) resumed.push(told.lease);
  }
  return resumed;
}

/** After a restart: takes back into the books a lease that this coordinator issued before. */
function adopt(state: CoreState, node: Node, told: HeldLease, now: number, ports: CorePorts): boolean {
  const job = state.jobs.get(told.job);
  if (!job || (job.phase !== "queued" && job.phase !== "running") || job.round !== told.round) return false;
  if (told.hi > job.claimed || told.lo >= told.hi || told.next < told.lo || told.next >= told.hi) return false;
  const ticket = ports.ticket({
    id: told.lease,
    job: job.id,
    round: told.round,
    lo: told.lo,
    hi: told.hi,
    node: node.id,
  });
  if (ticket !== told.ticket || !isFree(job, told.next, told.hi)) return false;
  unwait(job, told.next, told.hi);
  syncRunnable(state, job);
  job.story.add("resumed", told.next, told.hi, told.lease);
  job.phase = "running";
  job.startedAtMs ??= now;
  addLease(state, job, node, {
    id: told.lease,
    ticket: told.ticket,
    job: job.id,
    round: told.round,
    lo: told.lo,
    hi: told.hi,
    next: told.next,
    node: node.id,
    backend: told.backend,
    audit: null,
    replica: false,
    twin: null,
    speculative: false,
    state: "running",
    issuedAtMs: now,
    estimateMs: state.config.sliceMs,
    deadlineMs: now + Math.max(state.config.leaseMsMin, 2 * state.config.sliceMs),
    deadlineMsMax: now + Math.max(2 * state.config.leaseMsMin, 3 * state.config.sliceMs),
    done: told.next - told.lo,
    fraction: 0,
    coreSecondsPerGrain: job.grainCoreSeconds,
    checkpoint: ofLostLease(job, told.lease, told.lo),
  });
  charge(state, job, (told.hi - told.next) * job.grainCoreSeconds, now);
  return true;
}

/** Whether all of [lo, hi) is open or waiting: with nobody, and covered by nothing. */
function isFree(job: Job, lo: number, hi: number): boolean {
  let free = job.open.within(lo, hi).reduce((sum, [from, to]) => sum + to - from, 0);
  for (const wait of job.cooling) free += Math.max(0, Math.min(hi, wait.hi) - Math.max(lo, wait.lo));
  return free === hi - lo;
}

export function onDisconnected(state: CoreState, connection: number, now: number): void {
  const node = state.nodes.get(state.connections.get(connection) ?? "");
  state.connections.delete(connection);
  if (!node || node.connection !== connection) return;
  node.connection = null;
  node.disconnectedAtMs = now;
  state.hungry.delete(node.id);
  state.changedNodes.add(node.id);
  state.workVersion++;
}

/** Everything a node says but hello and results. */
export function onMessage(
  state: CoreState,
  node: Node,
  message: Exclude<NodeMessage, { type: "hello" | "result" }>,
  out: Effect[],
): void {
  switch (message.type) {
    case "preferences":
      node.preferences = message.preferences;
      wake(state, node);
      return;
    case "capabilities":
      node.capabilities = message.capabilities;
      out.push({ type: "note", code: "node_changed", message: message.reason, node: node.id });
      wake(state, node);
      return;
    case "calibration":
      for (const { workload, backend, opsPerSecond } of message.speeds) {
        const key = speedKey(workload, backend);
        if (!node.speeds.has(key) && node.speeds.size >= speedsMax) continue;
        if (!node.speeds.get(key)?.samples) node.speeds.set(key, { opsPerSecond, samples: 0 });
      }
      wake(state, node);
      return;
    case "bye":
      sendOff(state, node, out);
      return;
    case "progress":
    case "release":
    case "fail":
    case "checkpoint":
      throw new Error(`${message.type} is handled in grid.ts`);
  }
}

/** A session that is over holds nothing: as after `bye`. Of an earlier session of the node it says nothing. */
export function onDeparted(
  state: CoreState,
  { node: id, session }: Extract<CoreEvent, { type: "departed" }>,
  out: Effect[],
): void {
  const node = state.nodes.get(id);
  if (node?.session === session) sendOff(state, node, out);
}

/** A retiring node keeps its leases; one that is wanted again is looked at as if it were new. */
export function onRetire(state: CoreState, { node: id, retiring }: Extract<CoreEvent, { type: "retire" }>): void {
  const node = state.nodes.get(id);
  if (!node || node.retiring === retiring) return;
  node.retiring = retiring;
  if (retiring) state.hungry.delete(id);
  else wake(state, node);
  state.changedNodes.add(id);
}

/** Nothing is held any more, and nothing is given, until the next hello. */
function sendOff(state: CoreState, node: Node, out: Effect[]): void {
  node.draining = true;
  for (const id of [...node.leases]) endLease(state, state.leases.get(id) as Lease, null, null, out);
  state.hungry.delete(node.id);
  state.changedNodes.add(node.id);
}

function wake(state: CoreState, node: Node): void {
  node.fruitless = -1;
  node.copiesSeen = -1;
  node.idleSent = "";
  if (hasRoom(state, node)) state.hungry.add(node.id);
  else state.hungry.delete(node.id);
  state.changedNodes.add(node.id);
}

/** Once a second: nodes that are silent, or did not come back, lose what they hold. */
export function sweepNodes(state: CoreState, now: number, out: Effect[]): void {
  const { silentMs, reconnectMs } = state.config;
  let fleet = 0;
  let volunteers = false;
  for (const node of state.nodes.values()) {
    if (node.connection === null) {
      const goneMs = now - (node.disconnectedAtMs ?? now);
      if (goneMs > reconnectMs) {
        for (const id of [...node.leases]) endLease(state, state.leases.get(id) as Lease, null, null, out);
        if (goneMs > state.config.leftMs) hasLeft(state, node, now, out);
        if (goneMs > 600_000) state.nodes.delete(node.id);
      }
      continue;
    }
    fleet += fleetShare(node);
    if (!node.own) volunteers = true;
    if (now - node.lastSeenMs <= silentMs) continue;
    refuse(node.connection, "silent", "Nothing was heard of this node.", "It reconnects by itself.", 1_000, out);
    state.connections.delete(node.connection);
    node.connection = null;
    node.disconnectedAtMs = now - reconnectMs;
    for (const id of [...node.leases]) endLease(state, state.leases.get(id) as Lease, null, null, out);
    state.hungry.delete(node.id);
    state.changedNodes.add(node.id);
  }
  state.fleetCoreSeconds = fleet;
  state.volunteersHere = volunteers;
}

/** Once after each departure: what rests on the node's word is tested, since it will hardly come back. */
function hasLeft(state: CoreState, node: Node, now: number, out: Effect[]): void {
  const trust = state.trust.get(node.id);
  if (!trust || trust.left) return;
  trust.left = true;
  for (const job of [...state.jobs.values()]) {
    if (!job.onTrust.has(node.id)) continue;
    closeWork(state, job, node.id, out);
    finishIfComplete(state, job, now, out);
  }
}

/** Core-seconds per second of all slots of a node; a slot that was never measured counts as one core. */
function fleetShare(node: Node): number {
  let sum = 0;
  for (const backend of ["wasm", "webgpu", "native"] as const satisfies readonly Backend[]) {
    const slots = node.preferences.slots[backend];
    if (slots > 0) sum += slots * (node.pace.get(backend) ?? 1);
  }
  return sum;
}
