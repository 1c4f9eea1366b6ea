/** What the node's half needs from the place that it runs in: a tab's worker, or a Node process. */
import type { Backend, Capabilities, FailReason, JobDescription, ResultMessage } from "../protocol/messages.ts";

/** One grain to compute. */
export interface GrainRequest {
  job: JobDescription;
  /** The payload as parsed JSON (fetched already where the job names a blob). */
  payload: unknown;
  /** What earlier rounds produced, or null. */
  input: Uint8Array | null;
  /** The slice's own inputs, or null, and the first task that they belong to. */
  inputs: Uint8Array | null;
  inputsFirstTask: number;
  grain: number;
  backend: Backend;
}

export interface GrainAnswer {
  partial: Uint8Array;
  computeMs: number;
  /** SHA-256 of the kernel file that ran. */
  build: string;
}

/** A grain that could not be computed. */
export class ComputeError extends Error {
  override name = "ComputeError";
  constructor(
    readonly reason: FailReason,
    message: string,
  ) {
    super(message);
  }
}

/** Computes grains; `slots` of them at once for each backend. Rejects with ComputeError, or AbortError after an abort. */
export interface ComputePort {
  run(
    slot: number,
    request: GrainRequest,
    signal: AbortSignal,
    onFraction: (fraction: number) => void,
  ): Promise<GrainAnswer>;
  /** Operations per second of one slot for a workload's calibration payload. */
  calibrate(workload: string, backend: Backend): Promise<number>;
  capabilities(): Promise<Capabilities>;
  /** A backend came or went (a lost GPU). */
  onCapabilities(listener: (capabilities: Capabilities, reason: string) => void): void;
  close(): Promise<void>;
}

/** One connection. Frames are whole messages. */
export interface SocketPort {
  open(
    url: string,
    on: { open(): void; frame(bytes: Uint8Array): void; close(code: number, reason: string): void },
  ): { send(bytes: Uint8Array): void; close(): void; bufferedBytes(): number };
}

export interface ClockPort {
  /** Milliseconds; monotonic. */
  now(): number;
  setTimer(ms: number, fire: () => void): () => void;
  /** Uniform in [0, 1): for jitter only. */
  random(): number;
}

export type StoredResult = Omit<ResultMessage, "type">;

/** Keeps what must survive a restart: the identity, and results that are not acknowledged yet. */
export interface StoragePort {
  loadResults(): Promise<StoredResult[]>;
  saveResult(result: StoredResult): Promise<void>;
  deleteResults(seqs: readonly number[]): Promise<void>;
}

export interface IdentityPort {
  /** Raw Ed25519 public key, 32 bytes. */
  publicKey: Uint8Array;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
  sha256Hex(bytes: Uint8Array): Promise<string>;
}

/** Fetches blobs and kernel files of the coordinator by hash, and checks the hash. */
export interface FetchPort {
  blob(sha256: string): Promise<Uint8Array>;
}
