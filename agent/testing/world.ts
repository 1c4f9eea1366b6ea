/**
 * The machine alone, with everything around it under the test's hand: what it asked for lies there until the
 * test answers. After every event it checks what must always hold.
 */
import { expect } from "vitest";
import { limits } from "../../protocol/limits.ts";
import type { Backend, CoordinatorMessage, NodeMessage, ResultMessage, Slots } from "../../protocol/messages.ts";
import { unpackPartials } from "../../protocol/partials.ts";
import { protocolMinimum, protocolVersion } from "../../protocol/version.ts";
import { createAgent, step } from "../machine.ts";
import { flushBytesMax, unacknowledgedBytesMax } from "../machine-results.ts";
import type { AgentEffect, AgentEvent, AgentState, KeptResult } from "../machine-state.ts";
import { build, grainOf, jobMessage, leaseMessage, partialOf, seed } from "./fixtures.ts";

type Compute = Extract<AgentEffect, { type: "compute" }>;

export class World {
  readonly state: AgentState;
  now = 0;
  connected = false;
  stopped = false;
  /** What slots compute now, by backend and slot. */
  readonly computing = new Map<string, Compute>();
  readonly signing: KeptResult[] = [];
  /** The storage's content. */
  readonly kept = new Map<number, KeptResult>();
  /** What this connection brought to the coordinator. */
  sent: NodeMessage[] = [];
  #leases = 0;
  /** By lease: the next grain that no result covers. */
  readonly #covered = new Map<string, number>();
  /** Results made but not sent yet, by lease: last words must not overtake them. */
  readonly #unsent = new Map<string, Set<number>>();

  constructor(
    slots: Partial<Slots> = { wasm: 1 },
    private readonly partialBytes = 4,
  ) {
    this.state = createAgent(seed(slots));
  }

  give(event: AgentEvent): AgentEffect[] {
    const effects = step(this.state, event, this.now);
    for (const effect of effects) this.#perform(effect);
    this.#check();
    return effects;
  }

  receive(message: CoordinatorMessage, entropy = 0.5): AgentEffect[] {
    return this.give({ type: "received", message, entropy });
  }

  /** Time passes, in ticks. */
  wait(ms: number): void {
    for (let end = this.now + ms; this.now < end && !this.stopped; ) {
      this.now += Math.min(200, end - this.now);
      this.give({ type: "tick", entropy: 0.5 });
    }
  }

  /** From `connect` to `welcome`. */
  greet(resumed: readonly string[] = []): void {
    this.connected = true;
    this.sent = [];
    this.give({ type: "opened" });
    const protocol = { version: protocolVersion, minimum: protocolMinimum };
    this.receive({ type: "challenge", protocol, nonce: new Uint8Array(32), coordinator: "c" });
    this.give({ type: "hello.signed", signature: new Uint8Array(64) });
    this.receive({
      type: "welcome",
      node: "node-1",
      own: false,
      heartbeatMs: 5_000,
      flushMs: 5_000,
      sign: true,
      resumed: [...resumed],
    });
  }

  online(): this {
    this.give({ type: "start" });
    this.greet();
    this.receive(jobMessage());
    return this;
  }

  lease(grains: number, backend: Backend = "wasm", lo = 0): string {
    const id = `lease-${++this.#leases}`;
    this.receive(leaseMessage(id, lo, lo + grains, backend));
    return id;
  }

  /** The slot finishes what it was asked for. */
  computed(key = this.computing.keys().next().value as string, grainMs = 50): void {
    const asked = this.computing.get(key);
    if (!asked) return;
    this.computing.delete(key);
    const { backend, slot, lo, hi } = asked;
    const partials = Array.from({ length: hi - lo }, (_, index) => partialOf(lo + index, this.partialBytes));
    const computeMs = grainMs * (hi - lo);
    this.give({ type: "computed", backend, slot, lease: asked.lease.lease, lo, partials, computeMs, build });
  }

  failed(key = this.computing.keys().next().value as string): void {
    const asked = this.computing.get(key);
    if (!asked) return;
    this.computing.delete(key);
    const { backend, slot, lo } = asked;
    const lease = asked.lease.lease;
    this.give({ type: "failed", backend, slot, lease, grain: lo, reason: "kernel_trap", message: "trap" });
  }

  /** Signatures come, by default all of them; `at` picks one, whatever its turn. */
  sign(at?: number): void {
    const picked = at === undefined ? this.signing.splice(0) : this.signing.splice(at % this.signing.length, 1);
    for (const { seq } of picked)
      this.give({
        type: "result.signed",
        seq,
        root: new Uint8Array(32).fill(1),
        signature: new Uint8Array(64).fill(1),
      });
  }

  /** The key cannot sign the oldest result that waits for it. */
  unsigned(): void {
    const result = this.signing.shift();
    if (!result) return;
    this.#unsent.get(result.lease)?.delete(result.seq);
    this.give({ type: "result.unsigned", seq: result.seq });
  }

  close(): void {
    this.connected = false;
    this.give({ type: "closed", reason: "test", entropy: 0.5 });
  }

  results(): ResultMessage[] {
    return this.sent.filter((message) => message.type === "result");
  }

  said(type: NodeMessage["type"]): NodeMessage[] {
    return this.sent.filter((message) => message.type === type);
  }

  #perform(effect: AgentEffect): void {
    switch (effect.type) {
      case "send":
        this.#onSend(effect.messages);
        return;
      case "disconnect":
        this.connected = false;
        return;
      case "sign.result":
        this.#onResult(effect.result);
        return;
      case "keep":
        this.kept.set(effect.result.seq, effect.result);
        return;
      case "forget":
        for (const seq of effect.seqs) this.kept.delete(seq);
        return;
      case "compute": {
        const key = `${effect.backend}/${effect.slot}`;
        expect(this.computing.has(key), `${key} computes one request at a time`).toBe(false);
        expect(effect.hi).toBeGreaterThan(effect.lo);
        this.computing.set(key, effect);
        return;
      }
      case "abort":
        this.computing.delete(`${effect.backend}/${effect.slot}`);
        return;
      case "stopped":
        this.stopped = true;
        return;
    }
  }

  #onSend(messages: readonly NodeMessage[]): void {
    const bytes = messages.reduce((sum, m) => sum + (m.type === "result" ? m.partials.length + 700 : 200), 0);
    expect(bytes).toBeLessThanOrEqual(limits.nodeFrameBytesMax);
    for (const message of messages) {
      if (message.type === "result") this.#unsent.get(message.lease)?.delete(message.seq);
      if (message.type === "release" || message.type === "fail") {
        expect([...(this.#unsent.get(message.lease) ?? [])], "finished grains go before last words").toEqual([]);
      }
      if (this.connected) this.sent.push(message);
    }
  }

  /** No grain of a lease is in two results, none is left out, and each result holds its own grains. */
  #onResult(result: KeptResult): void {
    const next = this.#covered.get(result.lease) ?? result.leaseLo;
    expect(result.lo).toBe(next);
    expect(result.hi).toBeLessThanOrEqual(result.leaseHi);
    this.#covered.set(result.lease, result.hi);
    const grains = unpackPartials(result.partials).map(grainOf);
    expect(grains).toEqual(Array.from({ length: result.hi - result.lo }, (_, index) => result.lo + index));
    expect(result.partials.length).toBeLessThanOrEqual(flushBytesMax);
    this.signing.push(result);
    const unsent = this.#unsent.get(result.lease) ?? new Set();
    this.#unsent.set(result.lease, unsent.add(result.seq));
  }

  #check(): void {
    const { state } = this;
    const signed = [...state.unacknowledged.keys()].filter((seq) => !state.signing.has(seq));
    expect([...this.kept.keys()].sort(), "what is signed and not acknowledged is kept").toEqual(signed.sort());
    expect(state.unacknowledged.size).toBeLessThanOrEqual(limits.unacknowledgedResultsMax);
    expect(state.unacknowledgedBytes).toBeLessThanOrEqual(unacknowledgedBytesMax + flushBytesMax);
    for (const lease of state.leases.values()) {
      const { backend } = lease.message;
      if (lease.slot === null) continue;
      expect(state.slots[backend][lease.slot]).toBe(lease.message.lease);
      expect(this.computing.get(`${backend}/${lease.slot}`)?.lease.lease).toBe(lease.message.lease);
    }
    const busy = Object.values(state.slots).flatMap((slots) => slots.filter((id) => id !== null));
    expect(this.computing.size).toBe(busy.length);
  }
}
