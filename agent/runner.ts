/** Performs what the machine asks for, through the ports of the place that it runs in. */
import { sha256 } from "@noble/hashes/sha2.js";
import { decodeFromCoordinator, encodeToCoordinator } from "../protocol/codec.ts";
import { resultRoot } from "../protocol/merkle.ts";
import type { Backend, Capabilities, JobDescription, NodeMessage, Preferences } from "../protocol/messages.ts";
import { helloBytes, resultBytes } from "../protocol/sign.ts";
import { JobInputs } from "./job-inputs.ts";
import { createAgent, step } from "./machine.ts";
import type { AgentEffect, AgentEvent, AgentState, KeptResult } from "./machine-state.ts";
import {
  type BlobPort,
  type ClockPort,
  ComputeError,
  type ComputePort,
  type Connection,
  type IdentityPort,
  type SocketPort,
  type StoragePort,
} from "./ports.ts";
import { type AgentView, viewOf } from "./view.ts";

export interface RunnerOptions {
  socket: SocketPort;
  compute: ComputePort;
  clock: ClockPort;
  storage: StoragePort;
  identity: IdentityPort;
  blobs: BlobPort;
  session: string;
  joinToken: string | null;
  capabilities: Capabilities;
  preferences: Preferences;
  /** Told of defects of the runner's own. */
  report?(error: unknown): void;
}

type ComputeEffect = Extract<AgentEffect, { type: "compute" }>;

const tickMs = 200;

export class AgentRunner {
  readonly #state: AgentState;
  readonly #listeners = new Set<(view: AgentView) => void>();
  readonly #aborts = new Map<string, AbortController>();
  /** The last request of each slot; never rejects. */
  readonly #running = new Map<string, Promise<void>>();
  readonly #inputs: JobInputs;
  #connection: Connection | null = null;
  #connectionId = 0;
  #endTicks: () => void = () => {};
  #stopped: (() => void)[] = [];
  #told = false;

  constructor(private readonly options: RunnerOptions) {
    const { session, identity, joinToken, capabilities, preferences } = options;
    this.#state = createAgent({ session, publicKey: identity.publicKey, joinToken, capabilities, preferences });
    this.#inputs = new JobInputs(options.blobs, () => this.#state.release);
    options.compute.onCapabilities((next, reason) =>
      this.#dispatch({ type: "capabilities", capabilities: next, reason }),
    );
  }

  get view(): AgentView {
    return viewOf(this.#state);
  }

  /** Told after changes, at most once a turn. */
  onChange(listener: (view: AgentView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Loads what an earlier run left unacknowledged, and connects. */
  async start(): Promise<void> {
    const { storage, clock } = this.options;
    const results = await storage.load();
    this.#endTicks();
    this.#dispatch({ type: "restored", results });
    this.#endTicks = clock.every(tickMs, () => this.#dispatch({ type: "tick", entropy: clock.random() }));
    this.#dispatch({ type: "start" });
  }

  /** Stops computing at once, hands in what is finished, and resolves within a second. */
  stop(reason = "stopped"): Promise<void> {
    return this.#end({ type: "stop", reason });
  }

  /** Finishes the grains that are being computed, for 1.5 s at most, then as `stop`. */
  drain(reason = "draining"): Promise<void> {
    return this.#end({ type: "drain", reason });
  }

  #end(event: AgentEvent): Promise<void> {
    if (this.#state.phase === "stopped") return Promise.resolve();
    return new Promise((resolve) => {
      this.#stopped.push(resolve);
      this.#dispatch(event);
    });
  }

  setPreferences(preferences: Preferences): void {
    this.#dispatch({ type: "preferences", preferences });
  }

  #dispatch(event: AgentEvent): void {
    let effects: AgentEffect[];
    try {
      effects = step(this.#state, event, this.options.clock.now());
    } catch (error) {
      this.options.report?.(error);
      return;
    }
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: AgentEffect): void {
    switch (effect.type) {
      case "connect":
        this.#connect();
        return;
      case "disconnect":
        this.#connectionId++;
        this.#connection?.close();
        this.#connection = null;
        return;
      case "send":
        this.#send(effect.messages);
        return;
      case "sign.hello":
        void this.#signHello(effect.nonce);
        return;
      case "sign.result":
        void this.#signResult(effect.result);
        return;
      case "keep":
        this.options.storage.keep(effect.result).catch((error: unknown) => this.options.report?.(error));
        return;
      case "forget":
        this.options.storage.forget(effect.seqs).catch((error: unknown) => this.options.report?.(error));
        return;
      case "compute":
        this.#queue(effect);
        return;
      case "abort":
        this.#aborts.get(`${effect.backend}/${effect.slot}`)?.abort();
        return;
      case "calibrate":
        void this.#calibrate();
        return;
      case "stopped":
        this.#onStopped();
        return;
      case "changed":
        this.#tell();
        return;
      default:
        effect satisfies never;
    }
  }

  #connect(): void {
    // Events of an earlier connection that arrive late are no longer heard.
    const id = ++this.#connectionId;
    const current = (): boolean => id === this.#connectionId;
    this.#connection = this.options.socket.open({
      open: () => {
        if (current()) this.#dispatch({ type: "opened" });
      },
      frame: (bytes) => {
        if (current()) this.#onFrame(bytes);
      },
      close: (reason) => {
        if (!current()) return;
        this.#connection = null;
        this.#dispatch({ type: "closed", reason, entropy: this.options.clock.random() });
      },
    });
  }

  #onFrame(bytes: Uint8Array): void {
    try {
      for (const message of decodeFromCoordinator(bytes)) {
        this.#dispatch({ type: "received", message, entropy: this.options.clock.random() });
      }
    } catch (error) {
      this.options.report?.(error);
      this.#connection?.close();
    }
  }

  #send(messages: NodeMessage[]): void {
    this.#connection?.send(encodeToCoordinator(messages));
  }

  async #signHello(nonce: Uint8Array): Promise<void> {
    try {
      const signature = await this.options.identity.sign(helloBytes(nonce, this.#state.session));
      this.#dispatch({ type: "hello.signed", signature });
    } catch (error) {
      // Without a hello the greeting times out, and is tried again.
      this.options.report?.(error);
    }
  }

  async #signResult(result: KeptResult): Promise<void> {
    try {
      const nothing = new Uint8Array(0);
      const root = this.#state.sign ? resultRoot(result.lo, result.partials, sha256) : nothing;
      const signature = this.#state.sign ? await this.options.identity.sign(resultBytes({ ...result, root })) : nothing;
      this.#dispatch({ type: "result.signed", seq: result.seq, root, signature });
    } catch (error) {
      this.options.report?.(error);
      this.#dispatch({ type: "result.unsigned", seq: result.seq });
    }
  }

  /** A slot computes one request at a time: after an abort the next one waits until the last has ended. */
  #queue(effect: ComputeEffect): void {
    const key = `${effect.backend}/${effect.slot}`;
    const abort = new AbortController();
    this.#aborts.set(key, abort);
    const done = (this.#running.get(key) ?? Promise.resolve()).then(() => this.#compute(effect, abort));
    this.#running.set(key, done);
    void done.then(() => {
      if (this.#aborts.get(key) === abort) this.#aborts.delete(key);
      if (this.#running.get(key) === done) this.#running.delete(key);
    });
  }

  async #compute(effect: ComputeEffect, abort: AbortController): Promise<void> {
    if (abort.signal.aborted) return;
    const { backend, slot, lease, job, lo, hi } = effect;
    try {
      const given = await this.#inputs.of(job);
      const request = {
        job,
        ...given,
        inputs: lease.inputs ?? null,
        inputsFirstTask: lease.lo * job.grainTasks,
        checkpoint: lo === lease.lo ? (lease.checkpoint ?? null) : null,
        checkpointMs: this.#state.checkpointMs,
        lo,
        hi,
        backend,
      };
      const answer = await this.options.compute.run(slot, request, abort.signal, {
        fraction: (fraction) => this.#dispatch({ type: "fraction", lease: lease.lease, fraction }),
        saved: (grain, bytes) => this.#dispatch({ type: "saved", lease: lease.lease, grain, bytes }),
      });
      if (abort.signal.aborted) return;
      this.#dispatch({ type: "computed", backend, slot, lease: lease.lease, lo, ...answer });
    } catch (error) {
      if (abort.signal.aborted) return;
      const known = error instanceof ComputeError;
      this.#dispatch({
        type: "failed",
        backend,
        slot,
        lease: lease.lease,
        grain: (known ? error.grain : null) ?? lo,
        reason: known ? error.reason : "internal",
        message: error instanceof Error ? error.message : String(error),
      });
    }
  }

  /** One backend after the other, so that they do not disturb each other's figures. */
  async #calibrate(): Promise<void> {
    for (const backend of ["webgpu", "wasm"] as const satisfies Backend[]) {
      if (this.#state.preferences.slots[backend] === 0) continue;
      try {
        const speeds = await this.options.compute.calibrate(backend);
        this.#dispatch({ type: "calibrated", speeds: speeds.map((speed) => ({ ...speed, backend })) });
      } catch (error) {
        this.options.report?.(error);
      }
    }
  }

  #onStopped(): void {
    this.#endTicks();
    this.#connectionId++;
    for (const resolve of this.#stopped) resolve();
    this.#stopped = [];
  }

  #tell(): void {
    if (this.#told || this.#listeners.size === 0) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      const { view } = this;
      for (const listener of this.#listeners) listener(view);
    });
  }
}

export type { AgentView, JobDescription };
