/** What the node's half needs from the place that it runs in: a tab's worker, or a Node process. */
import type { Backend, Capabilities, FailReason, JobDescription } from "../protocol/messages.ts";
import type { KeptResult } from "./machine-state.ts";

/** Consecutive grains to compute on one slot. */
export interface GrainsRequest {
  job: JobDescription;
  /** The payload as parsed JSON (fetched already where the job names a blob). */
  payload: unknown;
  /** What earlier rounds produced, or null. */
  input: Uint8Array | null;
  /** The slice's own inputs, or null, and the first task that they belong to. */
  inputs: Uint8Array | null;
  inputsFirstTask: number;
  /** What was saved of grain `lo`, which goes on from there; null where it begins anew. */
  checkpoint: Uint8Array | null;
  /** How often a grain that takes long is to be saved; null: never. */
  checkpointMs: number | null;
  lo: number;
  hi: number;
  backend: Backend;
}

/** Heard while grains are computed. */
export interface ComputeListener {
  /** Share of the grain at hand that is done. */
  fraction(fraction: number): void;
  /** Where a long grain stands. */
  saved(grain: number, bytes: Uint8Array): void;
}

export interface GrainsAnswer {
  /** One partial for each grain, in order. */
  partials: Uint8Array[];
  computeMs: number;
  /** SHA-256 of the kernel file that ran. */
  build: string;
}

/** Grains that could not be computed: `grain` is the one that failed. */
export class ComputeError extends Error {
  override name = "ComputeError";
  constructor(
    readonly reason: FailReason,
    message: string,
    readonly grain: number | null = null,
  ) {
    super(message);
  }
}

/** Computes grains, one request at a time for each slot of a backend. */
export interface ComputePort {
  /** Rejects with ComputeError, or with an error named AbortError within a second of an abort. */
  run(slot: number, request: GrainsRequest, signal: AbortSignal, on: ComputeListener): Promise<GrainsAnswer>;
  /** Operations per second of one slot for a workload's calibration payload; null where it cannot run. */
  calibrate(backend: Backend): Promise<{ workload: string; opsPerSecond: number }[]>;
  /** The machine changed (a GPU was lost). */
  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void;
  close(): Promise<void>;
}

/** Opens one connection at a time. Frames are whole. */
export interface SocketPort {
  open(on: { open(): void; frame(bytes: Uint8Array): void; close(reason: string): void }): Connection;
}

export interface Connection {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface ClockPort {
  /** Milliseconds; monotonic. */
  now(): number;
  /** Returns how to end it. */
  every(ms: number, run: () => void): () => void;
  /** Uniform in [0, 1): for jitter only. */
  random(): number;
}

/** Keeps results that are not acknowledged, over restarts. */
export interface StoragePort {
  load(): Promise<KeptResult[]>;
  keep(result: KeptResult): Promise<void>;
  forget(seqs: readonly number[]): Promise<void>;
}

export interface IdentityPort {
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** Fetches a blob of the coordinator by its SHA-256, and checks it. Rejects when it is not to be had. */
export interface BlobPort {
  /** `token` proves the session that was handed the job. */
  blob(sha256: string, token: string | null): Promise<Uint8Array>;
  sha256Hex(bytes: Uint8Array): Promise<string>;
}
